"""Rows become samples, and a task's samples are checked against each other."""

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
    """The samples of a JSONL file; blank lines are skipped."""
    return tuple(_parse(line, str(path), number) for number, line in read_lines(path) if line.strip())


def _parse(text: str, file: str, line: int) -> Sample:
    try:
        row = json.loads(text)
        json.dumps(row, ensure_ascii=False).encode()  # JSON can escape characters no file can hold
    except (ValueError, RecursionError) as error:
        hint = "Write one object a line."
        raise TaskError(f"Not valid JSON: {error}.", hint=hint, file=file, line=line) from error
    return to_sample(row, file, line)


def to_sample(row: Any, file: str = "", line: int = 0) -> Sample:
    """From {"id", "question", ...}; the other fields are kept as the sample's data."""
    if not isinstance(row, Mapping):
        raise TaskError(f"Expected an object, found {row!r:.60}.", file=file, line=line)
    row = dict(row)
    given = row.pop("id", None)
    identity = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    question = row.pop("question", None)
    if not identity.strip():
        message = f"Expected text or a whole number, found {given!r:.60}."
        raise TaskError(message, file=file, line=line, field="id")
    if not isinstance(question, str) or not question.strip():
        raise TaskError(f"Expected text, found {question!r:.60}.", file=file, line=line, field="question")
    return Sample(identity, question, row, file, line)


def check_task(task: Task) -> list[TaskError]:
    """Everything that makes the task unusable; empty when it is fine."""
    problems = list(_between_samples(task))
    for _, sample in _all(task):
        try:
            task.environment.check(sample)
        except TaskError as error:
            problems.append(error)
    return problems


def checked(task: Task) -> Task:
    """The task itself, or its first problem raised."""
    problems = check_task(task)
    if not problems:
        return task
    if more := len(problems) - 1:
        problems[0].hint = f"{problems[0].hint} ({more} more: `ace tasks check` lists them.)".strip()
    raise problems[0]


def _between_samples(task: Task) -> Iterator[TaskError]:
    if not task.train:
        message = f"Task {task.name!r} has no training samples."
        yield TaskError(message, hint="Learning needs at least one.", field="train")
    ids: dict[str, Sample] = {}
    questions: dict[tuple[str, str], tuple[str, Sample]] = {}
    for split, sample in _all(task):
        if (first := ids.setdefault(sample.id, sample)) is not sample:
            message = f"Id {sample.id!r} is used twice, first in {_place(first)}."
            yield _clash(sample, "id", message, "Ids must be unique.")
        home, twin = questions.setdefault(_normalised(sample), (split, sample))
        if home != split:
            message = f"The same question is in {home} ({_place(twin)}) and in {split}."
            yield _clash(sample, "question", message, "Held-out questions must be new: remove one.")


def _all(task: Task) -> Iterator[tuple[str, Sample]]:
    return ((split, sample) for split in _SPLITS for sample in getattr(task, split))


def plain(question: str) -> str:
    """Questions that differ in case, spaces or punctuation are the same."""
    letters = "".join(c if c.isalnum() else " " for c in question.casefold())
    return " ".join(letters.split()) or question


def _normalised(sample: Sample) -> tuple[str, str]:
    """The same question to another database is another question."""
    return plain(sample.question), str(sample.data.get("db", ""))


def _place(sample: Sample) -> str:
    return f"{Path(sample.file).name}:{sample.line}" if sample.file else f"sample {sample.id}"


def _clash(sample: Sample, field: str, message: str, hint: str) -> TaskError:
    return TaskError(message, hint=hint, file=sample.file, line=sample.line, field=field, sample=sample.id)
