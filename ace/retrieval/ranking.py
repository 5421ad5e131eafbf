"""Ranking of many lessons for one question: usefulness with its doubt, variety, quotas. Pure.

Knows ids, numbers and nothing else; equal inputs give equal orders.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from ace.playbook.model import Bullet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T", bound=Hashable)

_Z = 1.96  # 95%
BEST_RATE = 0.75  # that `rate_worth` gives
AMONG = 200  # candidates that are compared with each other; later ones cannot make the cut anyway


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


def rate_worth(bullet: Bullet) -> float:
    """Return how much a bullet helps for sure, 0 to 0.75 in quarters; -0.25 where harm is what is sure."""
    if bound_helpfulness(bullet.harmful, bullet.helpful) > 0.5:
        return -0.25
    return int(4 * bound_helpfulness(bullet.helpful, bullet.harmful)) / 4


def vary(scores: NDArray[np.float64], near: NDArray[np.float64], *, penalty: float = 0.3) -> list[int]:
    """Return the numbers of things best first, each at a loss for being near one that was taken before it.

    `scores` has shape (things,), `near` (things, things) with values from 0 to 1. Maximal marginal relevance
    (Carbonell and Goldstein, SIGIR 1998). Scores count as shares of the best one, and `penalty` times the
    nearness is taken off. Among equals the earlier comes first.
    """
    import numpy as np

    if not len(scores):
        return []
    shares = scores / (float(scores.max()) or 1.0)
    closest = np.zeros(len(scores))
    worths = shares.copy()
    like_others = (np.count_nonzero(near, axis=1) > (near.diagonal() != 0)).tolist()
    taken: list[int] = []
    for _ in range(len(scores)):
        best = int(worths.argmax())
        taken.append(best)
        shares[best] = worths[best] = -np.inf
        if like_others[best]:
            np.maximum(closest, near[best], out=closest)
            np.multiply(closest, penalty, out=worths)
            np.subtract(shares, worths, out=worths)
    return taken
