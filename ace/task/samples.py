"""Reads samples from rows, and checks the samples of a task against each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ace.errors import TaskError, describe_error
from ace.task.read_text import read_text
from ace.task.types import Environment, Sample, Task
from ace.text.json_lines import read_json_lines

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""The form of a task's name, which becomes a file name."""

_ALSO = 5  # further problems that an error names
_SPLITS = ("train", "val", "test")


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Return the samples of a JSONL file without its blank lines, in order.

    Raises TaskError, with the line, for the first row that is no JSON or no sample; it names the others, too.
    """
    file = str(path)
    samples: list[Sample] = []
    problems: list[TaskError] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        try:
            for _, row in read_json_lines(line, file, TaskError, first=number):
                samples.append(to_sample(row, file, number))
        except TaskError as error:
            problems.append(error)
    raise_first(problems)
    return tuple(samples)


def raise_first(problems: Sequence[TaskError]) -> None:
    """Raise the first problem, with the next ones in its hint; do nothing where there is none."""
    if not problems:
        return
    first, *others = problems
    lines = [f"\n  {problem!s:.200}" for problem in others[:_ALSO]]
    if len(others) > _ALSO:
        lines.append(f"\n  and {len(others) - _ALSO} more")
    if others:
        first.hint = f"{first.hint} Also:{''.join(lines)}".strip()
    raise first


def find_twin(task: Task, question: str, sample_id: str = "") -> Sample | None:
    """Return the training sample with this id, or else the first that asks the same question to the letter.

    None where there is neither.
    """
    for sample in task.train:
        if sample_id and sample.id == sample_id:
            return sample
    for sample in task.train:
        if sample.question == question:
            return sample
    return None


def to_sample(row: Any, file: str = "", line: int = 0) -> Sample:
    """Return the sample of a row {"id", "question", ...}; the other fields become its data.

    A whole number as id becomes text. Raises TaskError, with file, line and field, for a row of another form.
    """
    if not isinstance(row, Mapping):
        hint = 'A row is {"id": ..., "question": ...}; of a data frame, give df.to_dict("records").'
        raise TaskError(f"Expected an object, found {row!r:.60}.", hint=hint, file=file, line=line)
    data = dict(row)
    missing = next((name for name in ("id", "question") if name not in data), "")
    if missing:
        message = f"The row has no {missing!r}. It has: {', '.join(map(str, data))}."
        hint = "Number the rows: any id will do that no other has." if missing == "id" else ""
        raise TaskError(message, hint=hint, file=file, line=line, field=missing)
    identity = data.pop("id", None)
    question = data.pop("question", None)
    is_name = isinstance(identity, str | int) and not isinstance(identity, bool)
    if not is_name or not str(identity).strip():
        message = f"Expected text or a whole number, found {identity!r:.60}."
        raise TaskError(message, file=file, line=line, field="id")
    if not isinstance(question, str) or not question.strip():
        raise TaskError(f"Expected text, found {question!r:.60}.", file=file, line=line, field="question")
    return Sample(str(identity), question, data, file, line)


def check_task(task: Task) -> list[TaskError]:
    """Return everything that makes the task unusable, samples that clash first; empty when it is fine.

    Ids must be unique, and no question may stand in two splits. Two questions are one where they differ in
    case, spaces or punctuation only, and their data are the same. The environment checks every sample.
    """
    problems: list[TaskError] = []
    if not task.train:
        message = f"Task {task.name!r} has no training samples."
        problems.append(TaskError(message, hint="Learning needs at least one row.", field="train"))
    ids: dict[str, tuple[Sample, str]] = {}  # id -> the first sample that has it, and its place
    questions: dict[tuple[str, bytes], tuple[str, str]] = {}  # -> the first split that asks it, and the place
    for split, sample in iterate_samples(task):
        place = f"{Path(sample.file).name}:{sample.line}" if sample.file else f"sample {sample.id}"
        namesake, first_place = ids.setdefault(sample.id, (sample, place))
        if namesake is not sample:
            message = f"Id {sample.id!r} is used twice, first in {first_place}."
            problems.append(sample.problem("id", message, "Ids must be unique."))
        key = normalize_question(sample.question), digest_data(task.environment, sample)
        home, first_place = questions.setdefault(key, (split, place))
        if home != split:
            message = f"The same question is in {home} ({first_place}) and in {split}."
            hint = "Held-out questions must be new: remove one."
            problems.append(sample.problem("question", message, hint))
    for _, sample in iterate_samples(task):
        try:
            task.environment.check(sample)
        except TaskError as error:
            problems.append(error)
        except (Exception, SystemExit) as error:  # of somebody's own code
            message = f"Its environment cannot check it ({describe_error(error)})."
            problems.append(sample.problem("", message))
    return problems


def find_contradictions(task: Task) -> Iterator[str]:
    """Yield what is said of two samples of one split that ask the same and have different right answers.

    At most one of the two can be learned. The text names both.
    """
    field = label_field(task.environment)
    known: dict[tuple[str, str, bytes], tuple[Any, str]] = {}  # -> the first answer, and where it stands
    for split, sample in iterate_samples(task):
        key = (split, normalize_question(sample.question), digest_data(task.environment, sample))
        label = sample.data.get(field, sample.data.get("answer"))
        place = f"{sample.file}:{sample.line}" if sample.file else f"sample {sample.id}"
        first_label, first_place = known.setdefault(key, (label, place))
        if first_label != label:
            yield f"{place} asks the same as {first_place}, and another answer is right."


def require_valid(task: Task) -> Task:
    """Return the task itself, or raise its first problem, which says how many more there are.

    The problem is a TaskError of `check_task`.
    """
    raise_first(check_task(task))
    return task


def iterate_samples(task: Task) -> Iterator[tuple[str, Sample]]:
    """Yield (split, sample) for every sample of a task: "train", then "val", then "test"."""
    for split in _SPLITS:
        for sample in getattr(task, split):
            yield split, sample


def normalize_question(question: str) -> str:
    """Return a key that is equal for questions that differ in case, spaces or punctuation only.

    "Who is it?" and "who  is it" have one key. A question of signs alone is its own.
    """
    letters = "".join(letter if letter.isalnum() else " " for letter in question.casefold())
    return " ".join(letters.split()) or question


def digest_data(environment: Environment, sample: Sample) -> bytes:
    """Return a key that is equal for samples with the same data, labels apart.

    The same wording about another document, repository, user or database is another sample. The order of
    fields does not count. The key has 16 bytes.
    """
    labels = {"answer", label_field(environment)}
    data = {field: value for field, value in sample.data.items() if field not in labels}
    try:
        text = json.dumps(data, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):  # of Python rows that JSON cannot hold
        text = repr(data)
    return blake2b(text.encode(), digest_size=16).digest()


def label_field(environment: Environment) -> str:
    """Return the field of a row that holds what is right: a label, which only the environment may read."""
    return str(getattr(environment, "label_field", "answer"))


def with_label(environment: Environment, sample: Sample, alternatives: Sequence[str]) -> Sample:
    """Return the sample with its right answer in the field where its environment looks for it.

    Of several right answers an environment that `takes_alternatives` gets all, any other the first. The
    sample that is given stays as it is.
    """
    takes_alternatives = getattr(environment, "takes_alternatives", None)
    label: Any = alternatives[0]
    if len(alternatives) > 1 and takes_alternatives is not None and takes_alternatives(sample):
        label = list(alternatives)
    return replace(sample, data={**sample.data, label_field(environment): label})
