"""The calls that learning may take: how many each step may still pay for, the same after a resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ace.llm.journal import Call
from ace.runs.steps import Phase, PhaseKind


class LearningBudget:
    """Count the calls of learning by step. Scoring and choosing a version take none.

    What the steps before one have taken decides what that one may take. So a run that was killed in the
    middle of a step, and resumed, comes to the same end as one that was not. `over` says that earlier steps
    have taken all: nothing is learned from then on.
    """

    def __init__(self, calls: int | None, journal: Iterable[Call]) -> None:
        """Begin with the calls that earlier sessions of the run have paid for. `calls` 0: no limit."""
        self.calls = calls or None
        self.over = False
        self._taken = Counter[int]()  # step -> calls
        for call in journal:
            if call.phase and _takes_calls(Phase.parse(call.phase)):
                self._taken[call.key.step] += call.usage.calls

    def find_most(self, step: int, phase: Phase) -> int | None:
        """Return how many calls a step may still pay for: 0 once learning is over, None for no limit."""
        if self.calls is None or not _takes_calls(phase):
            return None
        before = sum(count for number, count in self._taken.items() if number < step)
        self.over = before >= self.calls
        return max(0, self.calls - before - self._taken[step])

    def record(self, step: int, phase: Phase, calls: Iterable[Call]) -> None:
        """Take in what a step has taken, with what an earlier session paid for it."""
        if _takes_calls(phase):
            self._taken[step] = sum(call.usage.calls for call in calls)

    @property
    def taken(self) -> int:
        """Return how many calls learning has taken. Answers of an online run count, also beyond the limit."""
        return sum(self._taken.values())

    @property
    def is_spent(self) -> bool:
        """Return whether there is a limit, and it is reached."""
        return self.calls is not None and self.taken >= self.calls


def _takes_calls(phase: Phase) -> bool:
    """Return whether the calls of a phase belong to learning."""
    return not phase.measures and phase.kind is not PhaseKind.SELECTION
