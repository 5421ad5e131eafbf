"""What a run has still to go over, and how long that will take at the pace it has had.

Pure: it is told the time. What is asked again (failures that come back, curation, choosing a version) is
not known beforehand: its share of the time so far is added.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ace.runs.steps import Phase, PhaseKind

_PACE = 8  # the last advances of a phase by which its pace is measured
_MINUTE = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Name a phase that a run will have, and how many samples it goes over."""

    phase: str
    """The text of a `Phase`."""

    total: int

    learns: bool
    """Whether it learns from the samples, which takes longer than to score them."""


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """Say how long it will take."""

    seconds: float

    is_whole: bool
    """Whether that is the rest of the run; else it is that of the phase under way."""


def plan_run(kind: str, config: Mapping[str, Any]) -> tuple[Stretch, ...]:
    """Return the phases that a run will have, by its kind and configuration; none where that is not known.

    `config` is that of `Run.config`, whose `sizes` say how many samples each split has.
    """
    sizes = config.get("sizes")
    if not isinstance(sizes, Mapping):  # of an earlier release
        return ()
    train = int(sizes.get("train", 0))
    tested = int(sizes.get("test", 0)) if config.get("measure", True) else 0
    stretches = []
    match kind:
        case "learn":
            stretches.append(Stretch(str(Phase(PhaseKind.BEFORE)), tested, False))
            if config.get("traces"):  # how many attempts were recorded is known once it begins
                stretches.append(Stretch(str(Phase(PhaseKind.TRACES)), 0, True))
            else:
                for epoch in range(1, int(config.get("epochs", 1)) + 1):
                    stretches.append(Stretch(str(Phase(PhaseKind.EPOCH, epoch)), train, True))
            stretches.append(Stretch(str(Phase(PhaseKind.AFTER)), tested, False))
        case "eval":
            split = str(config.get("split", "test"))
            stretches.append(Stretch(split, int(sizes.get(split, 0)), False))
        case "online":
            stretches.append(Stretch(str(Phase(PhaseKind.ONLINE)), train, True))
    return tuple(stretch for stretch in stretches if stretch.total or stretch.learns)


@dataclass(slots=True)
class _Pace:
    """Follow one phase: when it began, how far it is, and how long its last advances took."""

    began: float
    total: int
    done: int
    at: float
    advances: deque[tuple[int, float]]

    def per_sample(self) -> float | None:
        """Return the seconds of one sample by the last advances; None before the first."""
        count = sum(advance for advance, _ in self.advances)
        return sum(seconds for _, seconds in self.advances) / count if count else None

    def estimate(self, now: float) -> float | None:
        """Return the seconds that the rest of the phase takes; None before its first advance.

        An advance that takes longer than usual makes the pace slower while it lasts, so that a phase that
        hangs does not seem to be nearly over.
        """
        rate = self.per_sample()
        if rate is None:
            return None
        usual = sum(seconds for _, seconds in self.advances) / len(self.advances)
        elapsed = now - self.at
        late = max(0.0, elapsed - usual)
        slower = rate + late / sum(advance for advance, _ in self.advances)
        return max(0.0, (self.total - self.done) * slower - min(elapsed, usual))


class TimeLeft:
    """Estimate how long the rest of a run takes, from how far its phases are and when.

    Times are seconds of any one clock. Call `expect` with the plan where it is known, and `observe` at every
    report of progress.
    """

    def __init__(self) -> None:
        self._plan: tuple[Stretch, ...] = ()
        self._paces: dict[str, _Pace] = {}
        self._current = ""

    def expect(self, plan: Sequence[Stretch]) -> None:
        """Take in what the run will go over."""
        self._plan = tuple(plan)

    def observe(self, phase: str, done: int, total: int, now: float) -> None:
        """Take in that so many samples of a phase are done. The first report says when the phase began.

        A report of no more than before begins anew: the time since the last one was a break.
        """
        pace = self._paces.get(phase)
        if pace is None:
            self._paces[phase] = _Pace(now, total, done, now, deque(maxlen=_PACE))
        else:
            if done > pace.done:
                pace.advances.append((done - pace.done, now - pace.at))
            pace.done, pace.total, pace.at = done, total, now
        self._current = phase

    def estimate(self, now: float) -> TimeEstimate | None:
        """Return how long it will take from now on; None while nothing can be said of it."""
        pace = self._paces.get(self._current)
        here = pace.estimate(now) if pace is not None else None
        if here is None:
            return None
        planned = {stretch.phase: stretch for stretch in self._plan}
        learned = self._measure(learns=True, planned=planned)
        scored = self._measure(learns=False, planned=planned)
        later = 0.0
        for stretch in self._plan:
            if stretch.phase in self._paces:
                continue
            pace_there = learned if stretch.learns else scored
            if pace_there is None or not stretch.total:
                return TimeEstimate(here, is_whole=False)
            again = 1.0 + self._weigh_unplanned(planned) if stretch.learns else 1.0
            later += stretch.total * pace_there * again
        return TimeEstimate(here + later, is_whole=bool(self._plan))

    def _measure(self, *, learns: bool, planned: Mapping[str, Stretch]) -> float | None:
        """Return the seconds of one sample in the newest planned phase of a kind that has got anywhere."""
        for phase in reversed(self._paces):
            rate = self._paces[phase].per_sample()
            if phase in planned and planned[phase].learns is learns and rate is not None:
                return rate
        return None

    def _weigh_unplanned(self, planned: Mapping[str, Stretch]) -> float:
        """Return the time of phases that nobody planned, as a share of that of the learning that was."""
        learning = 0.0
        unplanned = 0.0
        for phase, pace in self._paces.items():
            if phase not in planned:
                unplanned += pace.at - pace.began
            elif planned[phase].learns:
                learning += pace.at - pace.began
        return unplanned / learning if learning else 0.0


def describe_left(estimate: TimeEstimate | None) -> str:
    """Return an estimate in words: "about 3 min left", or "about 20 s left of this part"; "" for none."""
    if estimate is None:
        return ""
    seconds = estimate.seconds
    if seconds < 5:
        text = "a few seconds"
    elif seconds < _MINUTE:
        text = f"about {5 * round(seconds / 5)} s"
    elif seconds < _HOUR:
        text = f"about {round(seconds / _MINUTE)} min"
    else:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        text = f"about {hours} h {minutes} min"
    return f"{text} left" if estimate.is_whole else f"{text} left of this part"
