"""Fusion of rankings, and variety: checked against the definition and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.retrieval.fusion import fuse, spread

RANKINGS = st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=4)


def test_a_key_that_several_rankings_know_beats_the_first_of_one() -> None:
    fused = fuse([["a", "b", "c"], ["d", "b", "e"]])
    assert [key for key, _ in fused] == ["b", "a", "d", "c", "e"]
    assert dict(fused)["b"] == pytest.approx(2 / 62)
    assert dict(fused)["a"] == pytest.approx(1 / 61)


def test_one_ranking_stays_as_it_is_and_repeats_count_once() -> None:
    assert [key for key, _ in fuse([["x", "y", "x", "z"]])] == ["x", "y", "z"]
    assert fuse([]) == fuse([[]]) == []


def test_a_negative_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        fuse([["a"]], k=-1)


@given(RANKINGS, st.integers(0, 100))
def test_scores_are_the_sum_over_places_and_sorted(rankings: list[list[int]], k: int) -> None:
    fused = fuse(rankings, k)
    for key, score in fused:
        places = [list(dict.fromkeys(ranking)).index(key) + 1 for ranking in rankings if key in ranking]
        assert score == pytest.approx(sum(1 / (k + place) for place in places))
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    assert {key for key, _ in fused} == {key for ranking in rankings for key in ranking}


def test_a_group_waits_when_others_have_something_and_fills_up_when_not() -> None:
    ranked = ["a1", "a2", "a3", "b1", "a4"]
    pick = {"group": lambda key: key[0], "same": lambda key: key, "per_group": 2}
    assert spread(ranked, 3, **pick) == ["a1", "a2", "b1"]
    assert spread(ranked, 4, **pick) == ["a1", "a2", "a3", "b1"]


def test_what_says_the_same_counts_once_and_the_better_one_stays() -> None:
    ranked = ["copy 1", "other", "copy 2"]
    chosen = spread(ranked, 3, group=lambda key: key, same=lambda key: key.split()[0], per_group=1)
    assert chosen == ["copy 1", "other"]


@given(st.lists(st.integers(0, 30), unique=True), st.integers(0, 8), st.integers(1, 4))
def test_varied_keeps_order_and_fills_what_it_can(ranked: list[int], most: int, per_group: int) -> None:
    chosen = spread(ranked, most, group=lambda key: key % 3, same=lambda key: key, per_group=per_group)
    assert chosen == [key for key in ranked if key in chosen]
    assert len(chosen) == min(most, len(ranked))
