"""Statistics of right and wrong answers. Pure: knows no runs, models or files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import sqrt
from operator import itemgetter
from statistics import NormalDist


def wilson(correct: float, total: float) -> tuple[float, float]:
    """Return the 95% Wilson score interval of a proportion; (0, 1) where nothing was counted.

    The counts need not be whole: `ace.runs.paired` counts answers that are only partly independent.

    Wilson and not the normal approximation: counts here are small and often 0 or all (Wilson, JASA 22, 1927;
    Brown, Cai and DasGupta, Statistical Science 16, 2001). Both ends are shares from 0 to 1. Raises
    ValueError for counts that are no proportion.
    """
    if not 0 <= correct <= total:
        raise ValueError(f"{correct} correct of {total} is not a proportion")
    if total == 0:
        return 0.0, 1.0
    # In closed form: scipy would take a second and 80 MB to say the same in a list of runs.
    z = NormalDist().inv_cdf(0.975)
    middle = (correct + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * sqrt(correct * (total - correct) / total + z * z / 4)
    low = middle - half if correct else 0.0
    high = middle + half if correct < total else 1.0
    return low, high


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Return the p-value of the exact two-sided McNemar test: how surprising changes are as coin tosses.

    The two sequences score the same samples in the same order. Only samples whose score changed count, and
    without any the p-value is 1 (McNemar, Psychometrika 12, 1947; exact by the binomial distribution).
    Raises ValueError if their lengths differ.
    """
    from scipy.stats import binomtest

    changes = []
    for was_right, is_right in zip(before, after, strict=True):
        if was_right != is_right:
            changes.append(is_right)
    if not changes:
        return 1.0
    return float(binomtest(sum(changes), len(changes)).pvalue)


@dataclass(frozen=True, slots=True)
class Flows:
    """Name samples by their fate between two scorings, in the order of the first scoring."""

    fixed: tuple[str, ...] = ()
    """Wrong before, and right now."""

    broken: tuple[str, ...] = ()
    """Right before, and wrong now."""

    still_failing: tuple[str, ...] = ()
    """Wrong both times."""

    still_right: tuple[str, ...] = ()
    """Right both times."""


def compare_scorings(before: Mapping[str, bool], after: Mapping[str, bool]) -> Flows:
    """Sort samples by their fate; a sample that only one scoring has is in none of the four."""
    groups: dict[tuple[bool, bool], list[str]] = {}
    for name, was_right in before.items():
        if name in after:
            groups.setdefault((bool(was_right), bool(after[name])), []).append(name)
    return Flows(
        fixed=tuple(groups.get((False, True), ())),
        broken=tuple(groups.get((True, False), ())),
        still_failing=tuple(groups.get((False, False), ())),
        still_right=tuple(groups.get((True, True), ())),
    )


@dataclass(frozen=True, slots=True)
class EpochChange:
    """Count the samples that an epoch fixed, broke and left as they were, of those that can be compared."""

    epoch: int

    fixed: int = 0
    """How many were wrong before and are right now."""

    broken: int = 0
    """How many were right before and are wrong now."""

    still_failing: int = 0
    """How many were wrong both times."""

    still_right: int = 0
    """How many were right both times."""

    instability: float | None = None
    """The share of repeated answers that differ from the answer before; None without any."""


def summarise_epochs(answers: Iterable[tuple[int, str, bool]]) -> list[EpochChange]:
    """Summarise (epoch, sample, right) in the order of the answers, with one change for each epoch.

    A sample is compared with its last answer in earlier epochs, or else with its first answer in this one;
    what counts of this epoch is its last answer. Answers of one epoch stand next to each other.
    """
    latest: dict[str, bool] = {}
    epochs: list[EpochChange] = []
    for epoch, group in groupby(answers, key=itemgetter(0)):
        before: dict[str, bool] = {}
        after: dict[str, bool] = {}
        differs: list[bool] = []
        for _, sample, right in group:
            if sample in latest:
                before.setdefault(sample, latest[sample])
                differs.append(latest[sample] != right)
                after[sample] = right
            latest[sample] = right
        flows = compare_scorings(before, after)
        instability = None
        if differs:
            instability = sum(differs) / len(differs)
        change = EpochChange(
            epoch,
            fixed=len(flows.fixed),
            broken=len(flows.broken),
            still_failing=len(flows.still_failing),
            still_right=len(flows.still_right),
            instability=instability,
        )
        epochs.append(change)
    return epochs


def compute_moving_accuracy(right: Sequence[bool], window: int) -> list[tuple[int, int]]:
    """Return (right answers, answers counted) after each answer: of the last `window`, fewer at the start.

    Raises ValueError for a window below 1.
    """
    if window < 1:
        raise ValueError(f"a window of {window} holds nothing")
    sums = [0, *accumulate(map(int, right))]
    counts = []
    for end in range(1, len(sums)):
        start = max(0, end - window)
        counts.append((sums[end] - sums[start], end - start))
    return counts


def pool_counts(counts: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[int, int, int]]:
    """Add up neighbouring (right, total) counts to at most `most` sums; yield (last index, right, total).

    All sums but the last are of as many counts, and nothing is left out. A page that plots them stays small.
    """
    size = max(1, -(-len(counts) // most))
    for start in range(0, len(counts), size):
        part = counts[start : start + size]
        rights, totals = zip(*part, strict=True)
        yield start + len(part) - 1, sum(rights), sum(totals)
