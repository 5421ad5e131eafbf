"""The answers of an online run in their order: how they score, and what follows when they get worse.

Then what earlier samples showed counts no more, every bullet has to prove itself again (see
`ace.methods.ace.reopened`), and the failures that gave the change away are learned from again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ace.loop import steps
from ace.loop.lab import Bench
from ace.loop.run import Session, Work
from ace.methods.ace.reopened import AUTHOR, Reopened, reopened, still_open, weighed
from ace.methods.protocol import Trial
from ace.playbook.delta import apply
from ace.playbook.model import Playbook
from ace.runs.drift import onset, watch
from ace.runs.records import Proposal
from ace.runs.report import Score
from ace.task.types import Sample

PHASE = "online"
_RECENT = 20  # answers: a change is found within them


class Stream:
    """One for a run. `right` holds how each answer scored, as it was given."""

    def __init__(self, run: Session) -> None:
        self._run = run
        self._worse = watch(run.options.drift)
        self._open: Reopened = {}
        self._recent: deque[Sample] = deque(maxlen=_RECENT)
        self._outcomes: deque[tuple[str, bool]] = deque(maxlen=_RECENT)  # as far as the learner may see
        self._changes = 0
        self.right: list[bool] = []

    def step(self, samples: Sequence[Sample], work: Callable[[], Work]) -> None:
        """Journal what was answered and learned from it; then see whether things changed.

        `samples`: those of them that can be attempted again.
        """
        step = self._run.step(PHASE, work)
        self._open = still_open(self._open, self._run.playbook)
        self._recent.extend(samples)
        worse = False
        for result in step.payload["results"]:
            if result["phase"] == PHASE:
                self.right.append(result["correct"])
                worse |= self._is_worse(result["sample"], result["right"])
        if worse:
            self._reopen()

    def _is_worse(self, sample: str, right: bool | None) -> bool:
        """What decides is what the learner may see: labels must not choose for it."""
        if right is None:
            return False
        self._outcomes.append((sample, right))
        return self._worse(right)

    def lessons(self, trial: Trial, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """First what the trial says of reopened bullets, then what the method makes of what is left."""
        decided = tuple(weighed(trial, self._open))
        left, _ = apply(playbook, (operation for made in decided for operation in made.delta))
        return (*decided, *self._run.lessons(trial, left, bench))

    def note(self) -> str:
        """Of all answers, and of the last ones with their interval."""
        if not self.right:
            return ""
        last = self.right[-self._run.options.window :]
        score = Score(sum(last), len(last))
        low, high = score.ci95
        recent = f"last {score.total}: {score.accuracy:.0%} ({low:.0%} to {high:.0%})"
        return f"{sum(self.right)} of {len(self.right)} right, {recent}, {self._run.bullets} bullets"

    def _reopen(self) -> None:
        run = self._run
        self._changes += 1
        self._open = reopened(run.playbook)
        run.forget()
        found = {"after": len(self.right), "reopened": sorted(self._open)}
        reason = f"the answers got worse: {len(self._open)} bullets must prove themselves again"
        run.step("drift", lambda: Work((), [], reason, AUTHOR, noted={"change": found, "why": reason}))
        again = self._changed()
        phase = f"replay {self._changes}"
        for start in range(0, len(again), run.options.batch_size):
            part = again[start : start + run.options.batch_size]
            run.step(phase, lambda part=part: steps.study(run, phase, part, self.lessons))  # type: ignore[misc]
            self._open = still_open(self._open, run.playbook)

    def _changed(self) -> list[Sample]:
        """What is wrong since the change: what was wrong before it may have another right answer now."""
        start = onset([right for _, right in self._outcomes])
        since = {name for name, _ in list(self._outcomes)[start:]}
        failing = set(self._run.replay.failing(since))
        return [sample for sample in self._recent if sample.id in failing]
