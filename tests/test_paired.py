"""Statistics of two methods on the same samples: exact tests, Holm, intervals, and no false winners."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InputError
from ace.runs.metrics import mcnemar, wilson
from ace.runs.paired import adjust_holm, bound_mean, bound_mean_difference, flip_signs
from ace.runs.study_cells import Cell, CellState, SampleScore
from ace.runs.study_scores import PairTest, compare_methods, list_findings, score_methods


def make_cell(method: str, seed: int, scores: list[float]) -> Cell:
    """Return a cell that is done."""
    answers = [SampleScore(f"s{place}", score == 1.0, score) for place, score in enumerate(scores)]
    return Cell(method=method, seed=seed, state=CellState.DONE, answers=tuple(answers))


def draw(chance: random.Random, rates: list[float]) -> list[float]:
    """Return one attempt at every sample by a method that is right with these rates."""
    return [float(chance.random() < rate) for rate in rates]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_of_one_run_the_exact_test_is_mcnemars(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    differences = [float(b) - float(a) for a, b in pairs]
    assert flip_signs(differences) == pytest.approx(mcnemar(before, after))


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_sums_of_several_runs_are_counted_exactly(differences: list[int]) -> None:
    """Against trying every choice of signs."""
    signs = list(product((-1, 1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) for sign in signs]
    expected = fmean(total >= abs(sum(differences)) for total in sums)
    assert flip_signs([float(d) for d in differences]) == pytest.approx(expected)


def test_graded_scores_are_permuted_with_a_seed() -> None:
    few = [0.5, 0.25, -0.125]
    assert flip_signs(few) == pytest.approx(4 / 8)
    many = [0.3, 0.1, -0.2, 0.25, 0.4] * 5
    assert flip_signs(many, seed=3) == flip_signs(many, seed=3)
    assert 0 < flip_signs(many) < 0.01 < flip_signs([0.3, -0.31] * 10)
    assert flip_signs([]) == flip_signs([0.0, 0.0]) == 1.0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_monotone_and_never_below_the_p_value(p_values: list[float]) -> None:
    adjusted = adjust_holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_holm_by_hand() -> None:
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_holm([0.2]) == [0.2] and adjust_holm([]) == []


def test_an_interval_of_one_run_is_wilsons() -> None:
    for right in range(21):
        means = [1.0] * right + [0.0] * (20 - right)
        assert bound_mean(means) == pytest.approx(wilson(right, 20))
    assert bound_mean([]) == (0.0, 1.0)


def test_runs_that_always_answer_alike_add_nothing() -> None:
    means = [1.0] * 8 + [0.0] * 12
    assert bound_mean(means, 5) == pytest.approx(wilson(8, 20))
    independent = bound_mean([0.4] * 20, 5)
    assert independent[1] - independent[0] < wilson(8, 20)[1] - wilson(8, 20)[0]


def test_an_interval_of_a_difference_holds_it() -> None:
    low, high = bound_mean_difference([1.0] * 8 + [0.0] * 12)
    assert 0 < low < 0.4 < high < 1
    low, high = bound_mean_difference([0.0] * 30)
    assert low < 0 < high and low == -high
    assert bound_mean_difference([])[0] == pytest.approx(-0.98, abs=0.01)


def grade(chance: random.Random, rates: list[float]) -> list[float]:
    """Return graded scores of one attempt at every sample, around these."""
    return [min(1.0, max(0.0, chance.gauss(rate, 0.2))) for rate in rates]


@pytest.mark.parametrize("attempt", [draw, grade])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_method_beside_itself_is_no_better_in_95_of_100(
    seeds: int, attempt: Callable[[random.Random, list[float]], list[float]]
) -> None:
    """200 studies of one stochastic method against itself, some samples easier than others."""
    chance = random.Random(11)
    rates = [chance.betavariate(0.6, 0.6) for _ in range(60)]
    winners = 0
    for _ in range(200):
        cells = [make_cell(name, seed, attempt(chance, rates)) for name in "ab" for seed in range(seeds)]
        (pair,) = compare_methods(cells)
        winners += bool(pair.winner)
    assert winners <= 10


def test_seeds_that_repeat_their_answers_do_not_make_a_winner() -> None:
    """Three greedy runs of each say no more than one: 4 fixed and 0 broken are no proof."""
    first, second = [1.0] * 9 + [0.0] * 11, [1.0] * 5 + [0.0] * 15
    once = compare_methods([make_cell("a", 0, first), make_cell("b", 0, second)])
    thrice = compare_methods([make_cell(n, s, v) for n, v in (("a", first), ("b", second)) for s in range(3)])
    assert once[0].test is PairTest.MCNEMAR and thrice[0].test is PairTest.SIGNS
    assert once[0].p_value == pytest.approx(thrice[0].p_value) == 0.125
    assert thrice[0].winner == "" and thrice[0].wins == 12
    assert (once[0].low, once[0].high) == pytest.approx((thrice[0].low, thrice[0].high))


def test_a_better_method_is_found_and_named() -> None:
    chance = random.Random(6)
    cells = []
    for seed in range(3):
        cells.append(make_cell("good", seed, draw(chance, [0.8] * 50)))
        cells.append(make_cell("poor", seed, draw(chance, [0.4] * 50)))
        cells.append(make_cell("same", seed, draw(chance, [0.4] * 50)))
    pairs = {(pair.first, pair.second): pair for pair in compare_methods(cells)}
    assert {pair.winner for names, pair in pairs.items() if "good" in names} == {"good"}
    (equal,) = (pair for names, pair in pairs.items() if "good" not in names)
    assert equal.winner == ""
    assert all(pair.p_value <= pair.p_adjusted for pair in pairs.values())
    findings = list_findings(cells)
    assert findings[0].startswith("good is better than ") and "No difference was shown" in findings[-1]
    assert score_methods(cells)[0].method == "good"


def test_graded_scores_are_compared_by_score() -> None:
    chance = random.Random(7)
    first = [min(1.0, 0.5 + chance.random() / 2) for _ in range(40)]
    second = [score - 0.3 for score in first]
    (pair,) = compare_methods([make_cell("a", 0, first), make_cell("b", 0, second)])
    assert pair.test is PairTest.PERMUTATION and pair.winner == "a"
    assert pair.difference == pytest.approx(0.3) and pair.low < 0.3 < pair.high
    assert score_methods([make_cell("a", 0, first)])[0].rate == pytest.approx(fmean(first))


def test_a_reference_limits_the_family() -> None:
    cells = [make_cell(name, 0, [1.0, 0.0, 1.0]) for name in "abc"]
    assert len(compare_methods(cells)) == 3
    assert [(pair.first, pair.second) for pair in compare_methods(cells, "b")] == [("a", "b"), ("c", "b")]
    with pytest.raises(InputError, match="no scores of 'x'"):
        compare_methods(cells, "x")


def test_only_common_seeds_and_cells_that_are_done_count() -> None:
    running = Cell(method="b", seed=1, state=CellState.RUNNING)
    cells = [
        make_cell("a", 0, [1.0, 1.0]),
        make_cell("a", 1, [1.0, 1.0]),
        make_cell("b", 0, [0.0, 1.0]),
        running,
    ]
    (pair,) = compare_methods(cells)
    assert pair.seeds == (0,) and pair.difference == 0.5
    assert compare_methods([make_cell("a", 0, [1.0]), make_cell("b", 1, [1.0])]) == ()
    assert any("b, seed 1" in sentence for sentence in list_findings(cells))
