"""Chance: how often a failed sample is right without a lesson, and when attempts with one rule that out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.methods.ace.chance import MOST, Chance, Level, compute_tail, read_opening

RATES = st.floats(0.001, 0.999)
COUNTS = st.integers(0, 30).flatmap(lambda attempts: st.tuples(st.integers(0, attempts), st.just(attempts)))


@given(COUNTS, RATES)
def test_a_tail_is_a_probability_that_falls_with_every_right_attempt(
    counts: tuple[int, int], rate: float
) -> None:
    right, attempts = counts
    tail = compute_tail(right, attempts, rate)
    assert 0.0 <= tail <= 1.0
    if right < attempts:
        assert compute_tail(right + 1, attempts, rate) <= tail + 1e-12
        assert compute_tail(right, attempts, min(rate + 0.001, 0.9995)) >= tail - 1e-12


@pytest.mark.parametrize(
    ("right", "attempts", "rate", "tail"),
    [(0, 5, 0.3, 1.0), (1, 1, 0.3, 0.3), (2, 2, 0.3, 0.09), (1, 2, 0.5, 0.75), (3, 4, 0.5, 5 / 16)],
)
def test_the_tail_is_the_binomial_one(right: int, attempts: int, rate: float, tail: float) -> None:
    assert compute_tail(right, attempts, rate) == pytest.approx(tail)


@given(COUNTS, COUNTS)
def test_own_controls_raise_the_rate_and_never_lower_it(run: tuple[int, int], own: tuple[int, int]) -> None:
    counted, more = Chance(run[1], run[0]), Chance(own[1], own[0])
    assert 0.0 < counted.rate < 1.0
    assert counted.rate <= counted.at(more) < 1.0
    assert counted + more == Chance(run[1] + own[1], run[0] + own[0])


def test_the_rate_follows_what_was_counted() -> None:
    assert Chance().rate == pytest.approx(0.25)
    assert Chance(100, 0).rate < 0.02 and Chance(100, 50).rate == pytest.approx(0.5, abs=0.02)


def test_more_mistakes_and_more_tries_share_one_budget() -> None:
    few, many = Level.share(5, 1), Level.share(500, 2)
    assert few == Level.share(10, 1) and many.alpha < few.alpha
    assert Level.share(0, 2) == Level.share(50, 2)  # online: no number is known


@given(COUNTS, RATES, st.integers(1, 300))
def test_what_is_reached_stays_so_and_what_is_out_of_reach_is_never_reached(
    counts: tuple[int, int], rate: float, samples: int
) -> None:
    right, attempts = counts
    level = Level.share(samples, 2)
    if level.is_reached(right, attempts, rate):
        assert level.is_reached(right + 1, attempts + 1, rate)
    if attempts < MOST and not level.is_within_reach(right, attempts, rate):
        assert not level.is_reached(right + MOST - attempts, MOST, rate)
    assert not level.is_within_reach(right, max(attempts, MOST), rate)


def test_the_first_batch_says_what_chance_is_until_controls_do() -> None:
    assert read_opening([False] * 8) == Chance(8, 0) and read_opening([False] * 8).rate < Chance().rate
    assert read_opening([True] * 8) == Chance()  # a good playbook says nothing of chance
    assert read_opening([None, False, None]) == Chance(1, 0) and read_opening([]) == Chance()
