"""Tell a lesson that helps from an attempt that came out right by chance. Pure.

A failed sample that is attempted again without any lesson (a *control*) comes out right now and then. How
often, is counted over the run. Attempts with a lesson speak for it when so many of them would hardly be right
at that rate: the binomial test, at a level that shares out one budget of false lessons over the mistakes of
an epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_BUDGET = 0.2  # false lessons that an epoch may be expected to keep
_FEWEST = 10  # mistakes that the budget is shared out over, at least
_UNKNOWN = 50  # mistakes that are assumed where samples come without an end
_WEIGHT = 2.0  # controls that the rate of the run counts for beside those of a sample
MOST = 8  # attempts with one lesson at its own sample


@dataclass(frozen=True, slots=True)
class Chance:
    """Count how often failed samples come out right by chance. Before the first, a quarter is assumed.

    That is the mean of a beta distribution with one right and three wrong attempts counted in advance.
    """

    controls: int = 0
    """Attempts at failed samples without any lesson."""

    right: int = 0
    """How many of them were right."""

    @property
    def rate(self) -> float:
        """Return the share of failed samples that come out right without any lesson, rather too high."""
        return (self.right + 1) / (self.controls + 4)

    def __add__(self, other: Chance) -> Chance:
        return Chance(self.controls + other.controls, self.right + other.right)

    def at(self, own: Chance) -> float:
        """Return the rate for one sample, given its own controls: they can raise it, never lower it.

        Those that are looked at have failed once already, so that a few more failures say little.
        """
        return max(self.rate, (_WEIGHT * self.rate + own.right) / (_WEIGHT + own.controls))


NO_CONTROLS = Chance()


def read_opening(outcomes: Iterable[bool | None]) -> Chance:
    """Return what the attempts of a run's first batch say of chance, for want of controls.

    Whoever fails again would have failed among them too. They count only where they are right less often than
    is assumed without them; outcomes of None are not known.
    """
    known = [right for right in outcomes if right is not None]
    opening = Chance(len(known), sum(known))
    return opening if opening.rate < NO_CONTROLS.rate else NO_CONTROLS


@dataclass(frozen=True, slots=True)
class Level:
    """Hold the probability `alpha` with which one candidate may be kept although it does nothing.

    It is the level of a one-sided binomial test. What many candidates may be kept for nothing in all is
    bounded by the sum of their levels (the Bonferroni correction), see `share`.
    """

    alpha: float
    """From 0 to 1."""

    @classmethod
    def share(cls, samples: int, tries: int) -> Level:
        """Share the budget of an epoch out over its samples and the tries at each; 0 samples: unknown.

        Fewer than ten candidates share it as ten would, so that no single one gets most of it.
        """
        return cls(_BUDGET / max(_FEWEST, (samples or _UNKNOWN) * tries))

    def is_reached(self, right: int, attempts: int, rate: float) -> bool:
        """Return whether so many right attempts are hardly chance at this rate."""
        return compute_tail(right, attempts, rate) <= self.alpha

    def is_within_reach(self, right: int, attempts: int, rate: float) -> bool:
        """Return whether it is still reached if every further attempt, up to `MOST`, is right."""
        more = MOST - attempts
        return more > 0 and self.is_reached(right + more, MOST, rate)


def compute_tail(right: int, attempts: int, rate: float) -> float:
    """Return the probability of at least `right` of `attempts` being right at `rate` (binomial tail)."""
    from scipy.special import betainc

    if right <= 0:
        return 1.0
    return float(betainc(right, attempts - right + 1, rate))
