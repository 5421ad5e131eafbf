"""Statistics of two methods on the same samples. Pure: knows no runs, models or files.

Several runs of a method on one sample are no independent samples: answers that repeat would count twice. So
everything here takes one number for each sample, the mean or the sum over its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, fmean

from ace.runs.metrics import wilson

_FLIPS = 20_000  # random sign vectors of a permutation test
_AT_ONCE = 1_000  # of them that are held in memory
_ENUMERATED = 14  # differences up to which every sign vector is tried
_EPSILON = 1e-9  # by which sums of floats differ that are equal


def flip_signs(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return the two-sided p-value of the paired permutation test: how surprising a sum this far from 0 is.

    If two methods are alike, the difference at a sample may as well have the other sign. Whole numbers are
    counted exactly: where each is -1, 0 or 1 this is the exact McNemar test. Of up to 14 other numbers every
    choice of signs is tried, of more 20,000 that `seed` draws (Fisher, The Design of Experiments, 1935; the
    added one is that of Phipson and Smyth, SAGMB 9, 2010).
    """
    import numpy as np

    sizes = [abs(difference) for difference in differences if abs(difference) > _EPSILON]
    if not sizes:
        return 1.0
    distance = abs(sum(differences)) - _EPSILON
    if all(float(size).is_integer() for size in sizes):
        total = int(sum(sizes))
        chances = np.zeros(total + 1)  # of each sum of the differences that come out positive
        chances[0] = 1.0
        for size in map(int, sizes):
            moved = np.zeros_like(chances)
            moved[size:] = chances[: total + 1 - size]
            chances = (chances + moved) / 2
        sums = 2 * np.arange(total + 1) - total
        return min(1.0, float(chances[np.abs(sums) >= distance].sum()))
    values = np.array(sizes)
    if len(sizes) <= _ENUMERATED:
        bits = np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs((2 * bits - 1) @ values) >= distance).mean())
    generator = np.random.default_rng(seed)
    extreme = 0
    for _ in range(_FLIPS // _AT_ONCE):
        signs = generator.integers(0, 2, (_AT_ONCE, len(sizes))) * 2 - 1
        extreme += int((np.abs(signs @ values) >= distance).sum())
    return (extreme + 1) / (_FLIPS + 1)


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that may each be compared with one level for the whole family, in their order.

    That any true hypothesis is rejected is then no likelier than the level, whatever the tests have in common
    (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def bound_mean(means: Sequence[float], repeats: int = 1) -> tuple[float, float]:
    """Return the 95% interval of a mean score; `means` are those of the samples over their runs.

    It is Wilson's, for as many independent answers as would vary like these means: of one run with right and
    wrong answers as many as there are samples; of several between that and all `repeats` of them, so that
    runs which always answer alike add nothing (Korn and Graubard, Survey Methodology 24, 1998).
    """
    size = len(means)
    if not size:
        return 0.0, 1.0
    mean = min(1.0, max(0.0, fmean(means)))
    effective = float(size)
    if 0 < mean < 1:
        squares = max(sum((value - mean) ** 2 for value in means), _EPSILON)
        independent = mean * (1 - mean) * size * (size - 1) / squares
        effective = max(effective, min(independent, float(size * repeats)))
    return wilson(mean * effective, effective)


def bound_mean_difference(differences: Sequence[float], unit: float = 1.0) -> tuple[float, float]:
    """Return the 95% interval of a mean difference; each is from -1 to 1, the mean over a sample's runs.

    It is that of Agresti and Min for matched pairs, which adds half an answer to each cell of the table
    (Biometrics 61, 2005). Here that is half a win and half a loss of the size `unit`, so that it also serves
    for fractions; of graded scores that is the largest difference.
    """
    total = len(differences) + 2
    middle = sum(differences) / total
    squares = sum(difference**2 for difference in differences) + unit**2
    z = NormalDist().inv_cdf(0.975)
    spread = z * sqrt(max(squares - total * middle**2, 0.0)) / total
    return max(-1.0, middle - spread), min(1.0, middle + spread)
