"""The calls that learning may take: how many each step may still pay for, the same after a resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ace.llm.journal import Call
from ace.runs.report import LearningEnd
from ace.runs.steps import Phase


class LearningBudget:
    """Count the calls of learning by step. Scoring and choosing a version take none.

    What the steps before one have taken decides what that one may take. So a run that was killed in the
    middle of a step, and resumed, comes to the same end as one that was not. `over` says that earlier steps
    have taken all: nothing is learned from then on. `most` is what the step under way may still pay for: None
    is no limit.
    """

    def __init__(self, calls: int | None, journal: Iterable[Call]) -> None:
        """Begin with the calls that earlier sessions of the run have paid for. `calls` 0: no limit."""
        self.calls = calls or None
        self.over = False
        self.most: int | None = None
        self._taken = Counter[int]()  # step -> calls
        for call in journal:
            if call.phase and not Phase.parse(call.phase).is_apart:
                self._taken[call.key.step] += call.usage.calls

    def begin_step(self, step: int, phase: Phase) -> None:
        """Find out how many calls a step may still pay for, and whether learning is over before it."""
        self.most = None
        if self.calls is None or phase.is_apart:
            return
        before = sum(count for number, count in self._taken.items() if number < step)
        self.over = before >= self.calls
        self.most = max(0, self.calls - before - self._taken[step])

    def record(self, step: int, phase: Phase, calls: Iterable[Call]) -> None:
        """Take in what a step has taken, with what an earlier session paid for it."""
        if not phase.is_apart:
            self._taken[step] = sum(call.usage.calls for call in calls)

    @property
    def taken(self) -> int:
        """Return how many calls learning has taken. Answers of an online run count, also beyond the limit."""
        return sum(self._taken.values())

    @property
    def end(self) -> LearningEnd:
        """Return why learning ends: BUDGET where there is a limit, and it is reached."""
        is_spent = self.calls is not None and self.taken >= self.calls
        return LearningEnd.BUDGET if is_spent else LearningEnd.COMPLETE
