"""A task in a few lines of Python: a list of dicts and a judge function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ace.errors import TaskError
from ace.task.environments.answer import gold_text, outcome, without_labels
from ace.task.samples import NAME, checked, to_sample
from ace.task.types import JUDGE_FAILED, Attempt, Feedback, FeedbackKind, Sample, Task, TaskContext, Verdict

Judge = Callable[[Sample, str], bool | float]
Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class JudgeEnvironment:
    """Scores with a function (sample, answer) -> bool or 0..1; the score counts as a label."""

    score: Judge

    def describe(self, sample: Sample) -> str:
        return ""

    def judge(self, sample: Sample, attempt: Attempt) -> Verdict:
        try:
            score = _within(self.score(sample, attempt.answer))
        except Exception as error:  # an answer the function cannot digest is a wrong answer, not a crash
            return Verdict(False, 0.0, f"{JUDGE_FAILED}: {type(error).__name__}: {error}")
        return Verdict(score == 1.0, score, attempt.error)

    def feedback(self, sample: Sample, attempt: Attempt, kind: FeedbackKind) -> Feedback:
        if kind is not FeedbackKind.LABELS:
            return without_labels(attempt, kind)
        expected = f"Right answer: {gold_text(sample)}" if "answer" in sample.data else ""
        return Feedback(kind, outcome(attempt), self.judge(sample, attempt).correct, expected)

    def check(self, sample: Sample) -> None:
        if "answer" in sample.data:
            gold_text(sample)


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

    A row's "answer", if there is one, is what the learner is told when labels are allowed. `judge` may be
    called more than once for an answer, from several threads; what it raises makes the answer wrong.
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


def _within(said: object) -> float:
    score = float(said)  # type: ignore[arg-type]
    if not 0 <= score <= 1:  # nor NaN
        raise ValueError(f"it returned {said!r:.60}, expected a bool or a number from 0 to 1")
    return score


def _samples(rows: Rows, split: str) -> tuple[Sample, ...]:
    return tuple(to_sample(row, split, number) for number, row in enumerate(rows, start=1))
