"""The answers of an online run in their order: how they score, and what follows when they get worse.

Then a drift step tells the method, and the failures that gave the change away are learned from again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from ace.errors import BudgetSpent
from ace.loop import steps
from ace.loop.run import Run, StepWork
from ace.runs.drift import locate_onset, make_drift_detector
from ace.runs.report import Score
from ace.runs.steps import Phase, PhaseKind
from ace.task.types import Sample

ONLINE = Phase(PhaseKind.ONLINE)
_RECENT = 20  # answers: a change is found within them


class AnswerStream:
    """Follows the answers of one run.

    `right` holds how each answer scored, in their order and as it was given: also where the learner may not
    see that. Raises InputError where drift is to be detected and `river` is not installed.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._detects_worse = make_drift_detector(run.settings.drift)
        self._recent: deque[Sample] = deque(maxlen=_RECENT)
        self._outcomes: deque[tuple[str, bool]] = deque(maxlen=_RECENT)  # as far as the learner may see
        self._changes = 0
        self.right: list[bool] = []

    def step(self, samples: Sequence[Sample], work: Callable[[], StepWork]) -> None:
        """Journal what was answered and learned from it; then see whether things changed.

        `work` answers and learns; it is not called for a step that the journal has already. `samples`: those
        that can be attempted again, so that they are learned from anew after a change.
        """
        step = self._run.step(ONLINE, work)
        self._recent.extend(samples)
        worse = False
        for result in step.results:
            if result.phase != ONLINE:
                continue
            self.right.append(result.correct)
            if result.right is not None:  # what decides is what the learner may see: labels must not
                self._outcomes.append((result.sample, result.right))
                worse |= self._detects_worse(result.right)
        if worse:
            self._start_over()

    def note(self) -> str:
        """Describe all answers, and the last ones (the setting `window`) with their 95% interval."""
        if not self.right:
            return ""
        latest = self.right[-self._run.settings.window :]
        score = Score(sum(latest), len(latest))
        low, high = score.ci95
        recent = f"last {score.total}: {score.accuracy:.0%} ({low:.0%} to {high:.0%})"
        return f"{sum(self.right)} of {len(self.right)} right, {recent}, {self._run.bullets} bullets"

    def _start_over(self) -> None:
        """Journal that the world changed, which the method takes in; learn again from what is wrong since."""
        run = self._run
        self._changes += 1
        change = StepWork(
            reason="the answers got worse: what was learned must prove itself again",
            author="drift",
            notes={"change": {"after": len(self.right)}},
        )
        run.step(Phase(PhaseKind.DRIFT), lambda: change)
        # What was wrong before the change may have another right answer now: it is not asked for again.
        outcomes = list(self._outcomes)
        onset = locate_onset([right for _, right in outcomes])
        answered_since = {name for name, _ in outcomes[onset:]}
        failing = set(run.replay_queue.failing(answered_since))
        samples = [sample for sample in self._recent if sample.id in failing]
        phase = Phase(PhaseKind.REPLAY, self._changes)
        size = run.settings.batch_size
        with suppress(BudgetSpent):
            for start in range(0, len(samples), size):
                run.step(phase, partial(steps.study, run, phase, samples[start : start + size]))
