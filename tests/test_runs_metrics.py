"""The statistics agree with the textbook, and stay within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.runs.metrics import compare_scorings, compute_moving_accuracy, mcnemar, pool_counts, wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pairs = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(counts)
def test_wilson_ends_where_the_share_is_1_96_deviations_off(count: tuple[int, int]) -> None:
    """What defines the interval: at both ends the score test only just does not reject."""
    correct, total = count
    z = NormalDist().inv_cdf(0.975)
    for end in wilson(correct, total):
        assert abs(correct / total - end) == pytest.approx(z * sqrt(end * (1 - end) / total), abs=1e-9)


@given(counts)
def test_wilson_holds_the_share(count: tuple[int, int]) -> None:
    low, high = wilson(*count)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert low < high


@given(counts)
def test_wilson_mirrors_right_and_wrong(count: tuple[int, int]) -> None:
    correct, total = count
    low, high = wilson(correct, total)
    assert wilson(total - correct, total) == pytest.approx((1 - high, 1 - low))


def test_wilson_without_samples_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("correct", "total"), [(-1, 3), (4, 3), (1, 0)])
def test_wilson_refuses_what_is_no_share(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(correct, total)


@given(pairs)
def test_mcnemar_is_a_sign_test_of_the_changes(scores: Sequence[tuple[bool, bool]]) -> None:
    before, after = [b for b, _ in scores], [a for _, a in scores]
    changes = [a for b, a in scores if a != b]
    rarer = min(sum(changes), len(changes) - sum(changes))
    tail = sum(comb(len(changes), k) for k in range(rarer + 1))
    assert mcnemar(before, after) == pytest.approx(min(1.0, 2 * tail / 2 ** len(changes)))


@given(pairs)
def test_mcnemar_is_a_probability_and_has_no_direction(scores: Sequence[tuple[bool, bool]]) -> None:
    before, after = [b for b, _ in scores], [a for _, a in scores]
    assert 0 < mcnemar(before, after) <= 1
    assert mcnemar(before, after) == mcnemar(after, before)


def test_mcnemar_needs_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        mcnemar([True, False], [True])


scorings = st.dictionaries(st.sampled_from("abcdefghij"), st.booleans())


@given(scorings, scorings)
def test_flows_hold_every_sample_of_both_once(before: dict[str, bool], after: dict[str, bool]) -> None:
    flows = compare_scorings(before, after)
    names = [*flows.fixed, *flows.broken, *flows.still_failing, *flows.still_right]
    assert sorted(names) == sorted(before.keys() & after.keys())
    assert all(not before[name] and after[name] for name in flows.fixed)
    assert all(before[name] and not after[name] for name in flows.broken)
    assert compare_scorings(after, before).fixed == tuple(n for n in after if n in flows.broken)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 25))
def test_moving_scoresthe_last_answers(right: list[bool], window: int) -> None:
    naive = [right[max(0, end - window) : end] for end in range(1, len(right) + 1)]
    assert compute_moving_accuracy(right, window) == [(sum(part), len(part)) for part in naive]


def test_a_window_holds_something() -> None:
    with pytest.raises(ValueError, match="window of 0"):
        compute_moving_accuracy([True], 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=200), st.integers(1, 50))
def test_pooling_loses_no_answer(scores: list[tuple[int, int]], most: int) -> None:
    parts = list(pool_counts(scores, most))
    assert len(parts) <= most and [end for end, _, _ in parts][-1:] == [len(scores) - 1][: len(scores)]
    assert sum(right for _, right, _ in parts) == sum(right for right, _ in scores)
    assert sum(total for _, _, total in parts) == sum(total for _, total in scores)
