"""Statistics of right and wrong answers. Pure: knows no runs, models or files."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

Z95 = 1.959963984540054  # the normal quantile at 0.975


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion; no samples know nothing, so (0, 1).

    Wilson and not the normal approximation: counts here are small and often 0 or all.
    """
    if not 0 <= correct <= total:
        raise ValueError(f"{correct} correct of {total} is not a proportion")
    if total == 0:
        return 0.0, 1.0
    share, z2 = correct / total, Z95**2
    centre = share + z2 / (2 * total)
    spread = Z95 * sqrt((share * (1 - share) + z2 / (4 * total)) / total)
    low, high = (centre - spread) / (1 + z2 / total), (centre + spread) / (1 + z2 / total)
    # At the ends the formula is exact on paper and off by one rounding error here.
    return (0.0 if correct == 0 else low), (1.0 if correct == total else high)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Exact two-sided McNemar test: how surprising the changes are if they were coin tosses.

    The two sequences score the same samples in the same order.
    """
    pairs = list(zip(before, after, strict=True))
    lost = sum(b and not a for b, a in pairs)
    won = sum(a and not b for b, a in pairs)
    changed = lost + won
    tail = sum(comb(changed, k) for k in range(min(lost, won) + 1))
    return min(1.0, 2 * tail / (1 << changed))
