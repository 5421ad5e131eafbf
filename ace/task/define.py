"""A task in a few lines of Python: a list of dicts and a judge function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ace.errors import TaskError
from ace.task.environments.judge import Judge, JudgeEnvironment
from ace.task.samples import NAME, checked, to_sample
from ace.task.types import Sample, Task, TaskContext

Rows = Iterable[Mapping[str, Any]]


def define_task(
    name: str,
    train: Rows,
    judge: Judge,
    *,
    val: Rows = (),
    test: Rows = (),
    instructions: str = "",
    max_tokens: int = 1024,
    sources: Iterable[Any] = (),
    memories: bool = False,
) -> Task:
    """A checked task from rows {"id", "question", ...}; the other fields end up in `sample.data`.

    A row's "answer", if there is one, is what the learner is told when labels are allowed. `judge` is
    called once for an answer, from several threads; what it raises counts as wrong and teaches nothing.
    `sources` are asked for every question, and what they find goes before it: functions of the question
    that return texts, or objects with `name` and `items`. With `memories` so is what the playbook file
    remembers of a row's `user` and `session`.
    """
    if not callable(judge):
        hint = "Give a function of a sample and an answer that returns a bool, or a number from 0 to 1."
        raise TaskError(f"Expected a function, found {judge!r:.60}.", field="judge", hint=hint)
    if not NAME.fullmatch(name):
        raise TaskError(f"Expected letters, digits, '_', '-' and '.', found {name!r}.", field="name")
    splits = (_samples(train, "train"), _samples(val, "val"), _samples(test, "test"))
    context = TaskContext(sources=tuple(sources), memories=memories)
    environment = JudgeEnvironment(judge)
    return checked(Task(name, instructions, environment, *splits, max_tokens=max_tokens, context=context))


def _samples(rows: Rows, split: str) -> tuple[Sample, ...]:
    return tuple(to_sample(row, split, number) for number, row in enumerate(rows, start=1))
