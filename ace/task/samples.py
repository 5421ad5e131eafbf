"""Reads samples from rows, and checks the samples of a task against each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task.read_text import read_text
from ace.task.types import Environment, Sample, Task
from ace.text.json_lines import read_json_lines

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # of a task: it becomes a file name
_SPLITS = ("train", "val", "test")


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Return the samples of a JSONL file without its blank lines. Raises TaskError with the line."""
    file = str(path)
    rows = read_json_lines(read_text(path), file, TaskError)
    return tuple(to_sample(row, file, number) for number, row in rows)


def find_twin(task: Task, question: str, sample_id: str = "") -> Sample | None:
    """Return the training sample with this id, or else the first that asks the same question."""
    for sample in task.train:
        if sample_id and sample.id == sample_id:
            return sample
    return next((sample for sample in task.train if sample.question == question), None)


def to_sample(row: Any, file: str = "", line: int = 0) -> Sample:
    """Return the sample of a row {"id", "question", ...}; the other fields become its data."""
    if not isinstance(row, Mapping):
        raise TaskError(f"Expected an object, found {row!r:.60}.", file=file, line=line)
    data = dict(row)
    identity, question = data.pop("id", None), data.pop("question", None)
    is_name = isinstance(identity, str | int) and not isinstance(identity, bool)
    if not is_name or not str(identity).strip():
        message = f"Expected text or a whole number, found {identity!r:.60}."
        raise TaskError(message, file=file, line=line, field="id")
    if not isinstance(question, str) or not question.strip():
        raise TaskError(f"Expected text, found {question!r:.60}.", file=file, line=line, field="question")
    return Sample(str(identity), question, data, file, line)


def check_task(task: Task) -> list[TaskError]:
    """Return everything that makes the task unusable, samples that clash first; empty when it is fine."""
    problems = []
    if not task.train:
        message = f"Task {task.name!r} has no training samples."
        problems.append(TaskError(message, hint="Learning needs at least one.", field="train"))
    ids: dict[str, tuple[Sample, str]] = {}
    questions: dict[tuple[str, bytes], tuple[str, str]] = {}
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
    return problems


def require_valid(task: Task) -> Task:
    """Return the task itself, or raise its first problem, which says how many more there are."""
    problems = check_task(task)
    if not problems:
        return task
    first, more = problems[0], len(problems) - 1
    if more:
        first.hint = f"{first.hint} ({more} more: `ace tasks check` lists them.)".strip()
    raise first


def iterate_samples(task: Task) -> Iterator[tuple[str, Sample]]:
    """Yield (split, sample) for every sample of a task, those to train on first."""
    for split in _SPLITS:
        for sample in getattr(task, split):
            yield split, sample


def normalize_question(question: str) -> str:
    """Return a key that is equal for questions that differ in case, spaces or punctuation only."""
    letters = "".join(c if c.isalnum() else " " for c in question.casefold())
    return " ".join(letters.split()) or question


def digest_data(environment: Environment, sample: Sample) -> bytes:
    """Return a key that is equal for samples with the same data, labels apart.

    The same wording about another document, repository, user or database is another sample.
    """
    labels = {"answer", label_field(environment)}
    data = {field: value for field, value in sample.data.items() if field not in labels}
    try:
        text = json.dumps(data, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):  # of Python rows that JSON cannot hold
        text = repr(data)
    return blake2b(text.encode(), digest_size=16).digest()


def label_field(environment: Environment) -> str:
    """Return the field of a row that holds what is right: a label."""
    return str(getattr(environment, "label_field", "answer"))


def with_label(environment: Environment, sample: Sample, expected: str) -> Sample:
    """Return the sample with `expected` in the field where its environment looks for the right answer."""
    return replace(sample, data={**sample.data, label_field(environment): expected})
