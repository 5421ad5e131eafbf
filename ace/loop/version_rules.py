"""When a new version takes the place of the one selected so far. Pure: knows counts, no versions.

A rule is asked after every few validation samples. *wins* are samples that only the new version got right,
*losses* those that only the old one did, *remaining* those that are still to come. It says True (take it),
False (leave it), or None (go on); with nothing remaining it must say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ace.runs.e_process import compute_wealth
from ace.settings import Accept

ALPHA = 0.05  # the most often that a version no better than the old one passes for a better one


class Rule(Protocol):
    """Decides from counts."""

    def __call__(self, wins: int, losses: int, remaining: int) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Strict:
    """Only what is clearly better: the test of `runs.e_process` at `alpha`, whenever it is looked at."""

    alpha: float = ALPHA

    def __call__(self, wins: int, losses: int, remaining: int) -> bool | None:
        if compute_wealth(wins, losses) >= 1 / self.alpha:
            return True
        hopeless = compute_wealth(wins + remaining, losses) < 1 / self.alpha
        return False if hopeless or not remaining else None


@dataclass(frozen=True, slots=True)
class BestOf:
    """What has at least as many right answers, the newer one of two equals.

    It ends early where the samples that remain cannot change that, or the test finds either clearly better.
    """

    alpha: float = ALPHA

    def __call__(self, wins: int, losses: int, remaining: int) -> bool | None:
        lead = wins - losses
        if lead >= remaining or compute_wealth(wins, losses) >= 1 / self.alpha:
            return True
        if -lead > remaining or compute_wealth(losses, wins) >= 1 / self.alpha:
            return False
        return None


@dataclass(frozen=True, slots=True)
class Lead:
    """What wins at least `lead` samples more than it loses. It ends where those that remain cannot change
    that.
    """

    lead: int

    def __call__(self, wins: int, losses: int, remaining: int) -> bool | None:
        if wins - losses - remaining >= self.lead:
            return True
        return False if wins - losses + remaining < self.lead else None


@dataclass(frozen=True, slots=True)
class Always:
    """Whatever is newest, without a question: what the other rules are compared with."""

    def __call__(self, wins: int, losses: int, remaining: int) -> bool | None:
        return True


RULES: Mapping[Accept, Rule] = MappingProxyType(
    {Accept.STRICT: Strict(), Accept.BEST: BestOf(), Accept.ALWAYS: Always()}
)
