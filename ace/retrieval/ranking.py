"""Ranking of many lessons for one question: usefulness with its doubt, variety, quotas. Pure.

Knows ids, numbers and nothing else; equal inputs give equal orders.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

_Z = 1.96  # 95%
_AMONG = 200  # candidates that are compared with each other; later ones cannot make the cut anyway


@lru_cache(maxsize=4_096)
def bound_helpfulness(helpful: int, harmful: int) -> float:
    """Return a lower bound, 0 to 1, on the share of votes that will be helpful.

    The bound is Wilson's (JASA 1927) at 95%, with one more vote each way. So one good vote is not better than
    nine of ten; no votes give 0.09, and only harm gives less.
    """
    good, votes = helpful + 1, helpful + harmful + 2
    share = good / votes
    spread = _Z * math.sqrt(share * (1 - share) / votes + _Z**2 / (4 * votes**2))
    return (share + _Z**2 / (2 * votes) - spread) / (1 + _Z**2 / votes)


def diversify(
    scores: Mapping[T, float], near: Callable[[T, T], float], *, penalty: float = 0.3, among: int = _AMONG
) -> list[T]:
    """Return keys best first, each at a loss for being `near` (0 to 1) a key that was taken before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). Scores count as shares of the best one,
    and `penalty` times the nearness is taken off. Among equals the earlier in `scores` comes first. Only the
    best `among` keys are compared with each other; the others follow in the order of their scores.
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


def choose_within_room(
    order: Sequence[T], cost: Mapping[T, int], section: Mapping[T, str], room: int, *, quota: float = 0.75
) -> set[T]:
    """Choose keys that fit into `room`, in order; `cost` is in the same unit (tokens).

    A section gets more than its `quota` of the room only after all other sections had their turn.
    """
    chosen: set[T] = set()
    spent: Counter[str] = Counter()
    for most in (room * quota, room):
        for name in order:
            if name in chosen:
                continue
            of_section = spent[section[name]] + cost[name]
            of_all = spent.total() + cost[name]
            if of_section <= most and of_all <= room:
                chosen.add(name)
                spent[section[name]] = of_section
    return chosen
