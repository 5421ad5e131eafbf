"""The environment of a function: it scores an answer, and nothing is acted on."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ace.task.environments.answer import gold_text, json_text
from ace.task.environments.explain_answer import explain_by_form, explain_label_set
from ace.task.guarded_scoring import require_score
from ace.task.types import Attempt, Environment, Explaining, Fact, Outcome, Sample

Score = bool | float | Outcome
"""What a judge returns: right or wrong, a number on its scale, or all there is to say."""

Judge = Callable[[Sample, str], Score | Awaitable[Score]]
"""A function of a sample and an answer."""


@dataclass(frozen=True, slots=True)
class JudgeEnvironment(Environment):
    """Scores with a function of a sample and an answer; the score counts as a label.

    A judge that is an object may have `explain(sample, attempt)`; else a row's `answer` explains what a wrong
    answer lacks.
    """

    judge: Judge
    """Returns a bool, a number on the scale or an Outcome, and may be async. Several threads call it."""

    scale: tuple[float, float] = (0.0, 1.0)
    """The lowest and the highest score: (1, 5) for one to five stars. An Outcome's score is from 0 to 1."""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome | Awaitable[Outcome]:
        """Call the function, once. Raises what it raises, and ValueError for a score that is none.

        Where it is async, what is returned raises that when it is awaited.
        """
        score = self.judge(sample, attempt.answer)
        if inspect.isawaitable(score):
            return self._await_score(score, sample, attempt)
        return self._to_outcome(score, sample, attempt)

    def explain(self, sample: Sample, attempt: Attempt) -> Iterable[Fact] | Awaitable[Iterable[Fact]]:
        """Return what a wrong answer lacks: as the judge says, else by the form of the right answer.

        A list counts as labels in any order. Raises what the judge raises.
        """
        if isinstance(self.judge, Explaining):
            return self.judge.explain(sample, attempt)
        expected = _expected_text(sample)
        if isinstance(sample.data.get("answer"), list):
            return explain_label_set(expected, attempt.answer)
        return explain_by_form(expected, attempt.answer)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a right answer that cannot be shown; none at all is fine.

        The function is not called.
        """
        _expected_text(sample)

    async def _await_score(self, score: Awaitable[Any], sample: Sample, attempt: Attempt) -> Outcome:
        """Return the outcome of a judge that is async. Raises as `score` does."""
        return self._to_outcome(await score, sample, attempt)

    def _to_outcome(self, score: object, sample: Sample, attempt: Attempt) -> Outcome:
        """Complete what the function returned with the right answer and what was seen of the attempt.

        What it says itself in an Outcome stays. Raises ValueError for a score that is none, TaskError for a
        right answer that cannot be shown.
        """
        if not isinstance(score, Outcome):
            score = Outcome(score=require_score(score, self.scale), detail=attempt.error)
        return replace(
            score,
            observed=score.observed or attempt.summary,
            expected=score.expected or _expected_text(sample),
        )


def _expected_text(sample: Sample) -> str:
    """Return the right answer as text, or "" for a sample without one; an object is shown as JSON.

    Raises TaskError for one that cannot be shown.
    """
    if "answer" not in sample.data:
        return ""
    if isinstance(sample.data["answer"], dict):
        return json_text(sample)
    return gold_text(sample)
