"""Statistics of right and wrong answers. Pure: knows no runs, models or files."""

from __future__ import annotations

from collections.abc import Sequence


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion; no samples know nothing, so (0, 1).

    Wilson and not the normal approximation: counts here are small and often 0 or all.
    """
    from scipy.stats import binomtest

    if not 0 <= correct <= total:
        raise ValueError(f"{correct} correct of {total} is not a proportion")
    if total == 0:
        return 0.0, 1.0
    interval = binomtest(correct, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Exact two-sided McNemar test: how surprising the changes are if they were coin tosses.

    The two sequences score the same samples in the same order.
    """
    from scipy.stats import binomtest

    won = [now for was, now in zip(before, after, strict=True) if was != now]
    return float(binomtest(sum(won), len(won)).pvalue) if won else 1.0
