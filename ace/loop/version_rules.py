"""When a new version takes the place of the one selected so far. Pure: knows counts, no versions.

A rule is asked after every few validation samples. *wins* are samples that only the new version got right,
*losses* those that only the old one did, *remaining* those that are still to come. It says True (take it),
False (leave it), or None (go on); with nothing remaining it must say which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ace.runs.e_process import compute_wealth
from ace.settings import Accept

ALPHA = 0.05  # the most often that a version no better than the old one passes for a better one

Rule = Callable[[int, int, int], bool | None]
"""Decides from wins, losses and remaining samples."""


def take_if_clearly_better(wins: int, losses: int, remaining: int) -> bool | None:
    """Take only what is clearly better by the test of `runs.e_process`, which may be looked at at any time.

    It ends early where wins in all remaining samples would not be enough.
    """
    if compute_wealth(wins, losses) >= 1 / ALPHA:
        return True
    hopeless = compute_wealth(wins + remaining, losses) < 1 / ALPHA
    return False if hopeless or not remaining else None


def take_if_as_good(wins: int, losses: int, remaining: int) -> bool | None:
    """Take what has at least as many right answers, the newer one of two equals.

    It ends early where the samples that remain cannot change that, or the test finds either clearly better.
    """
    lead = wins - losses
    if lead >= remaining or compute_wealth(wins, losses) >= 1 / ALPHA:
        return True
    if -lead > remaining or compute_wealth(losses, wins) >= 1 / ALPHA:
        return False
    return None


def take_always(wins: int, losses: int, remaining: int) -> bool | None:
    """Take whatever is newest, without a question: what the other rules are compared with."""
    return True


RULES: Mapping[Accept, Rule] = MappingProxyType(
    {
        Accept.STRICT: take_if_clearly_better,
        Accept.BEST: take_if_as_good,
        Accept.ALWAYS: take_always,
    }
)
