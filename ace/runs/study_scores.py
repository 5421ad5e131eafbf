"""What a study says: how each method scored, by how much two differ, with what certainty, at what cost.

Pure: cells in, scores out. Only cells that are done count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from statistics import fmean

from ace.errors import InputError
from ace.llm.client import Usage
from ace.runs.metrics import mcnemar, wilson
from ace.runs.paired import adjust_holm, bound_mean, bound_mean_difference, flip_signs
from ace.runs.study_cells import Cell, CellState

LEVEL = 0.05
"""The chance of calling any two methods different that are alike."""

_flip_signs_once = lru_cache(maxsize=256)(flip_signs)  # a study is looked at several times
_CURVE_POINTS = 12  # of a method, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodScore:
    """Hold how a method scored over all of its seeds, and what it took."""

    method: str
    seeds: tuple[int, ...]

    samples: int
    """How many test samples each seed answered."""

    right: int
    """How many answers of all seeds are right."""

    errors: int
    """How many of all seeds gave no answer; they count as wrong."""

    rate: float
    """The share of right answers, or the mean score where scores are graded: from 0 to 1."""

    low: float
    high: float
    """The ends of the 95% interval of `rate`, with seeds grouped by sample."""

    rates: tuple[float, ...]
    """The rate of each seed."""

    learning: Mapping[str, Usage]
    """What learning took in all seeds together, by role."""

    scoring: Usage
    """What answering the test samples took in all seeds together."""

    learning_seconds: float
    """Of a seed, on average; so are the following."""

    scoring_seconds: float
    bullets: float
    playbook_tokens: float

    @property
    def learning_total(self) -> Usage:
        """Return what learning took over all roles."""
        return sum(self.learning.values(), Usage())

    @property
    def cost(self) -> float | None:
        """Return US dollars of all seeds together; None where a price is unknown."""
        return (self.learning_total + self.scoring).cost


class PairTest(StrEnum):
    """Name the test that compared two methods."""

    MCNEMAR = "exact McNemar"  # right or wrong, one seed
    SIGNS = "exact permutation by sample"  # right or wrong, several seeds
    PERMUTATION = "permutation by sample"  # graded scores


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """Compare two methods on the samples and the seeds that both have."""

    first: str
    second: str

    seeds: tuple[int, ...]
    """Those that both have."""

    samples: int

    difference: float
    """The rate of the first less that of the second."""

    low: float
    high: float
    """The ends of its 95% interval, with seeds grouped by sample."""

    differences: tuple[float, ...]
    """The difference of each seed."""

    wins: int
    """In how many pairs of answers the first scored higher."""

    losses: int
    """In how many the second did."""

    test: PairTest

    p_value: float
    p_adjusted: float
    """By Holm, over all pairs that are compared."""

    @property
    def winner(self) -> str:
        """Return the method that is better; "" where test and interval do not both say that one is."""
        if self.p_adjusted >= LEVEL or self.low <= 0 <= self.high:
            return ""
        return self.first if self.difference > 0 else self.second


@dataclass(frozen=True, slots=True)
class CurveBand:
    """Pool the points of a method's seeds at one stage of learning."""

    calls: float
    """The calls up to it, on average."""

    rate: float
    """The share of right answers."""

    low: float
    high: float
    """The ends of its 95% Wilson interval."""


def is_graded(cells: Sequence[Cell]) -> bool:
    """Tell whether any score is neither 0 nor 1: then scores are compared, and not right answers."""
    return any(answer.score not in (0.0, 1.0) for cell in cells for answer in cell.answers)


def score_methods(cells: Sequence[Cell]) -> tuple[MethodScore, ...]:
    """Return the score of each method that has a cell that is done, the best first."""
    graded = is_graded(cells)
    scores = []
    for method, done in _group_done(cells).items():
        tables = [_list_scores(cell, graded) for cell in done]
        means = [fmean(table[sample] for table in tables) for sample in tables[0]]
        low, high = bound_mean(means, len(tables))
        learning: dict[str, Usage] = defaultdict(Usage)
        scoring = Usage()
        for cell in done:
            for role, usage in cell.learning.items():
                learning[role] += usage
            scoring = sum(cell.scoring.values(), scoring)
        answers = [answer for cell in done for answer in cell.answers]
        score = MethodScore(
            method=method,
            seeds=tuple(cell.seed for cell in done),
            samples=len(means),
            right=sum(answer.right for answer in answers),
            errors=sum(bool(answer.error) for answer in answers),
            rate=fmean(means) if means else 0.0,
            low=low,
            high=high,
            rates=tuple(fmean(table.values()) for table in tables),
            learning=dict(learning),
            scoring=scoring,
            learning_seconds=fmean(cell.learning_seconds for cell in done),
            scoring_seconds=fmean(cell.scoring_seconds for cell in done),
            bullets=fmean(cell.bullets for cell in done),
            playbook_tokens=fmean(cell.playbook_tokens for cell in done),
        )
        scores.append(score)
    return tuple(sorted(scores, key=lambda score: -score.rate))


def compare_methods(cells: Sequence[Cell], reference: str = "") -> tuple[PairScore, ...]:
    """Compare every two methods, the better one first, or all others with `reference`.

    Two methods without a common seed are left out. P-values are adjusted for all pairs that are returned.
    Raises InputError for a reference without a cell that is done.
    """
    graded = is_graded(cells)
    done = _group_done(cells)
    names = [score.method for score in score_methods(cells)]
    if reference and reference not in names:
        hint = f"There are: {', '.join(names) or 'none yet'}."
        raise InputError(f"The study has no scores of {reference!r}.", hint=hint)
    pairs = []
    for place, first in enumerate(names):
        for second in [reference] if reference else names[place + 1 :]:
            seeds = [cell.seed for cell in done[first] if cell.seed in {other.seed for other in done[second]}]
            if first != second and seeds:
                pairs.append(_compare_pair(done[first], done[second], seeds, graded=graded))
    adjusted = adjust_holm([pair.p_value for pair in pairs])
    return tuple(replace(pair, p_adjusted=p) for pair, p in zip(pairs, adjusted, strict=True))


def _compare_pair(
    first: Sequence[Cell], second: Sequence[Cell], seeds: Sequence[int], *, graded: bool
) -> PairScore:
    """Compare two methods on these seeds; the p-value is not adjusted yet."""
    sums: dict[str, float] = defaultdict(float)  # sample -> differences of its seeds, added up
    differences = []
    ours = list[float]()
    theirs = list[float]()
    for seed in seeds:
        left = _list_scores(next(cell for cell in first if cell.seed == seed), graded)
        right = _list_scores(next(cell for cell in second if cell.seed == seed), graded)
        for sample, score in left.items():
            sums[sample] += score - right[sample]
        ours += left.values()
        theirs += [right[sample] for sample in left]
        differences.append(fmean(left.values()) - fmean(right.values()))
    if graded:
        test, p_value = PairTest.PERMUTATION, _flip_signs_once(tuple(sums.values()))
    elif len(seeds) > 1:
        test, p_value = PairTest.SIGNS, _flip_signs_once(tuple(sums.values()))
    else:
        test = PairTest.MCNEMAR
        p_value = mcnemar([bool(score) for score in theirs], [bool(score) for score in ours])
    means = [total / len(seeds) for total in sums.values()]
    unit = max(map(abs, means)) if graded else 1.0
    low, high = bound_mean_difference(means, unit or 1.0)
    return PairScore(
        first=first[0].method,
        second=second[0].method,
        seeds=tuple(seeds),
        samples=len(sums),
        difference=fmean(differences),
        low=low,
        high=high,
        differences=tuple(differences),
        wins=sum(a > b for a, b in zip(ours, theirs, strict=True)),
        losses=sum(a < b for a, b in zip(ours, theirs, strict=True)),
        test=test,
        p_value=p_value,
        p_adjusted=p_value,
    )


def pool_curves(cells: Sequence[Cell]) -> dict[str, tuple[CurveBand, ...]]:
    """Return the learning curve of each method that has one, its seeds pooled at stages of equal share.

    Where a run scored validation samples, these are its curve, else the training samples as they were
    answered before they were learned from.
    """
    curves = {}
    for method, done in _group_done(cells).items():
        runs = []
        for cell in done:
            validated = [point for point in cell.curve if point.validation]
            runs.append(validated or list(cell.curve))
        stages = min([_CURVE_POINTS, *(len(points) for points in runs)])
        bands = []
        for stage in range(stages):
            parts = []
            for points in runs:  # each has at least one in each stage
                parts.append(points[len(points) * stage // stages : len(points) * (stage + 1) // stages])
            right = sum(point.right for part in parts for point in part)
            total = sum(point.total for part in parts for point in part)
            low, high = wilson(right, total)
            bands.append(CurveBand(fmean(part[-1].calls for part in parts), right / total, low, high))
        if bands:
            curves[method] = tuple(bands)
    return curves


def list_findings(cells: Sequence[Cell], reference: str = "") -> list[str]:
    """Return what a study shows in sentences: who wins, by how much, and what to be careful about."""
    noun = "points of score" if is_graded(cells) else "points"
    sentences = []
    for pair in compare_methods(cells, reference):
        first, second, sign = pair.first, pair.second, 1
        if pair.winner == second:
            first, second, sign = second, first, -1
        low, high = sorted((sign * pair.low, sign * pair.high))
        bounds = f"95% interval {100 * low:+.1f} to {100 * high:+.1f}"
        numbers = f"{100 * sign * pair.difference:+.1f} {noun}, {bounds}, adjusted p = {pair.p_adjusted:.2g}"
        if pair.winner:
            sentences.append(f"{first} is better than {second}: {numbers}.")
        else:
            sentences.append(f"No difference was shown between {first} and {second}: {numbers}.")
        if pair.winner and min(pair.differences) < 0 < max(pair.differences):
            sentences.append(f"Between {first} and {second} not all seeds say the same.")
    done = _group_done(cells)
    learners = [name for name, group in done.items() if any(cell.learning for cell in group)]
    single = [name for name in learners if len(done[name]) == 1]
    if single:
        sentences.append(
            f"One seed only of {', '.join(single)}: what is compared is this playbook, not the method; "
            "give more --seeds."
        )
    open_cells = [cell for cell in cells if cell.state is not CellState.DONE]
    if open_cells:
        names = "; ".join(cell.name for cell in open_cells)
        sentences.append(f"{len(open_cells)} of {len(cells)} cells are not done, and not counted: {names}.")
    return sentences


def _group_done(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Return the cells that are done by method, in the order of the study, seeds in theirs."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.state is CellState.DONE:
            groups.setdefault(cell.method, []).append(cell)
    return {method: sorted(group, key=lambda cell: cell.seed) for method, group in groups.items()}


def _list_scores(cell: Cell, graded: bool) -> dict[str, float]:
    """Return the score of each sample, or 1 for a right and 0 for a wrong answer."""
    scores = {}
    for answer in cell.answers:
        scores[answer.sample] = answer.score if graded else float(answer.right)
    return scores
