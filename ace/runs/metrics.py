"""Statistics of right and wrong answers. Pure: knows no runs, models or files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter


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


@dataclass(frozen=True, slots=True)
class Flows:
    """What became of each sample between two scorings of it: names of samples, in the order of the first."""

    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    still_failing: tuple[str, ...] = ()
    still_right: tuple[str, ...] = ()


def flows(before: Mapping[str, bool], after: Mapping[str, bool]) -> Flows:
    """Samples that only one of the two scored are in none of the four."""
    both = [name for name in before if name in after]

    def of(was: bool, now: bool) -> tuple[str, ...]:
        return tuple(name for name in both if (before[name], after[name]) == (was, now))

    return Flows(of(False, True), of(True, False), of(False, False), of(True, True))


@dataclass(frozen=True, slots=True)
class Turn:
    """How many samples an epoch fixed, broke and left as they were, of those that can be compared.

    `instability`: the share of repeated answers that differ from the answer before; None without any.
    """

    epoch: int
    fixed: int = 0
    broken: int = 0
    still_failing: int = 0
    still_right: int = 0
    instability: float | None = None


def turns(measured: Iterable[tuple[int, str, bool]]) -> list[Turn]:
    """From (epoch, sample, right) in the order of the answers, one turn for each epoch, in that order.

    What a sample was before an epoch is its last answer in earlier ones, or else its first in this one.
    """
    latest: dict[str, bool] = {}
    found: list[Turn] = []
    for epoch, answers in groupby(measured, key=itemgetter(0)):
        before, after, changed = dict[str, bool](), dict[str, bool](), list[bool]()
        for _, sample, right in answers:
            if sample in latest:
                before.setdefault(sample, latest[sample])
                changed.append(latest[sample] != right)
                after[sample] = right
            latest[sample] = right
        became = flows(before, after)
        found.append(
            Turn(
                epoch,
                len(became.fixed),
                len(became.broken),
                len(became.still_failing),
                len(became.still_right),
                sum(changed) / len(changed) if changed else None,
            )
        )
    return found


def moving(right: Sequence[bool], window: int) -> list[tuple[int, int]]:
    """Right answers and how many count, after each answer: of the last `window`, fewer at the start."""
    if window < 1:
        raise ValueError(f"a window of {window} holds nothing")
    sums = [0, *accumulate(map(int, right))]
    starts = [max(0, end - window) for end in range(1, len(sums))]
    return [(sums[end] - sums[start], end - start) for end, start in enumerate(starts, start=1)]


def pooled(counts: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[int, int, int]]:
    """Neighbouring (right, total) counts, added up to at most `most`: (last index, right, total) of each."""
    size = -(-len(counts) // most) if counts else 1
    for start in range(0, len(counts), size):
        part = counts[start : start + size]
        yield start + len(part) - 1, sum(right for right, _ in part), sum(total for _, total in part)
