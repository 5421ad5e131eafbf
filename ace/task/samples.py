"""Reads samples from rows, and checks the samples of a task against each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task.read_text import read_lines
from ace.task.types import Sample, Task

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # of a task: it becomes a file name
_SPLITS = ("train", "val", "test")


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Return the samples of a JSONL file without its blank lines. Raises TaskError with the line."""
    rows = ((number, line) for number, line in read_lines(path) if line.strip())
    return tuple(to_sample(_parse_row(line, str(path), number), str(path), number) for number, line in rows)


def _parse_row(text: str, file: str, line: int) -> Any:
    try:
        row = json.loads(text)
        json.dumps(row, ensure_ascii=False).encode()  # JSON can escape characters no file can hold
    except (ValueError, RecursionError) as error:
        hint = "Write one object a line."
        raise TaskError(f"Not valid JSON: {error}.", hint=hint, file=file, line=line) from error
    return row


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
    """Return everything that makes the task unusable; empty when it is fine."""
    problems = list(_compare_samples(task))
    for _, sample in _iterate_samples(task):
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


def _compare_samples(task: Task) -> Iterator[TaskError]:
    """Yield what is wrong between samples: ids that come twice, held-out questions that are known."""
    if not task.train:
        message = f"Task {task.name!r} has no training samples."
        yield TaskError(message, hint="Learning needs at least one.", field="train")
    ids: dict[str, Sample] = {}
    questions: dict[tuple[str, str], tuple[str, Sample]] = {}
    for split, sample in _iterate_samples(task):
        namesake = ids.setdefault(sample.id, sample)
        if namesake is not sample:
            message = f"Id {sample.id!r} is used twice, first in {_describe_place(namesake)}."
            yield _describe_clash(sample, "id", message, "Ids must be unique.")
        # The same question to another database is another question.
        key = normalize_question(sample.question), str(sample.data.get("db", ""))
        home, twin = questions.setdefault(key, (split, sample))
        if home != split:
            message = f"The same question is in {home} ({_describe_place(twin)}) and in {split}."
            hint = "Held-out questions must be new: remove one."
            yield _describe_clash(sample, "question", message, hint)


def _iterate_samples(task: Task) -> Iterator[tuple[str, Sample]]:
    for split in _SPLITS:
        for sample in getattr(task, split):
            yield split, sample


def normalize_question(question: str) -> str:
    """Return a key that is equal for questions that differ in case, spaces or punctuation only."""
    letters = "".join(c if c.isalnum() else " " for c in question.casefold())
    return " ".join(letters.split()) or question


def _describe_place(sample: Sample) -> str:
    return f"{Path(sample.file).name}:{sample.line}" if sample.file else f"sample {sample.id}"


def _describe_clash(sample: Sample, field: str, message: str, hint: str) -> TaskError:
    return TaskError(message, hint=hint, file=sample.file, line=sample.line, field=field, sample=sample.id)
