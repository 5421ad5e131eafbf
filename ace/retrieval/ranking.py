"""Which of many lessons for a question: usefulness with its doubt, variety, quotas. Pure.

Knows ids, numbers and nothing else; equal inputs give equal orders.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

_Z = 1.96  # 95%
_AMONG = 200  # candidates that are compared with each other; those after them cannot make the cut anyway


def helpfulness(helpful: int, harmful: int) -> float:
    """A lower bound, 0 to 1, on the share of votes that will be helpful: Wilson's, one more vote each way.

    One good vote is not better than nine of ten; without any vote it is 0.09, and below that after harm only.
    """
    good, votes = helpful + 1, helpful + harmful + 2
    share = good / votes
    spread = _Z * math.sqrt(share * (1 - share) / votes + _Z**2 / (4 * votes**2))
    return (share + _Z**2 / (2 * votes) - spread) / (1 + _Z**2 / votes)


def varied(
    scores: Mapping[T, float], near: Callable[[T, T], float], *, penalty: float = 0.3, among: int = _AMONG
) -> list[T]:
    """Best first, each at a loss for being `near` (0 to 1) one that was taken before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). Among equals the earlier in `scores`.
    """
    order = sorted(scores, key=lambda name: -scores[name])
    rest, after = order[:among], order[among:]
    top = max(scores.values(), default=0.0) or 1.0
    closest = dict.fromkeys(rest, 0.0)
    taken: list[T] = []
    while rest:
        best = max(rest, key=lambda name: scores[name] / top - penalty * closest[name])
        rest.remove(best)
        taken.append(best)
        for name in rest:
            closest[name] = max(closest[name], near(best, name))
    return taken + after


def within(
    order: Sequence[T], cost: Mapping[T, int], section: Mapping[T, str], room: int, *, quota: float = 0.75
) -> set[T]:
    """What fits into `room`, in order; a section goes past its `quota` of it when the others are through."""
    chosen: set[T] = set()
    spent: Counter[str] = Counter()
    for most in (room * quota, room):
        for name in order:
            of_section = spent[section[name]] + cost[name]
            if name not in chosen and of_section <= most and spent.total() + cost[name] <= room:
                chosen.add(name)
                spent[section[name]] += cost[name]
    return chosen
