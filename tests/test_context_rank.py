"""Ranking: fusion, the bound on helpfulness, variety, quotas; against another implementation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ace.retrieval.fusion import fuse
from ace.retrieval.ranking import bound_helpfulness
from tests.plain_selection import choose_within_room, diversify

VOTES = st.integers(0, 500)
SCORES = st.dictionaries(st.text("abcdef", min_size=1), st.floats(0, 1), max_size=12)


@given(VOTES, VOTES)
def test_the_bound_is_wilsons(helpful: int, harmful: int) -> None:
    test = binomtest(helpful + 1, helpful + harmful + 2).proportion_ci(0.95, method="wilson")
    assert bound_helpfulness(helpful, harmful) == pytest.approx(test.low, abs=1e-4)


@given(VOTES, VOTES)
def test_a_vote_moves_the_bound_in_its_direction(helpful: int, harmful: int) -> None:
    before = bound_helpfulness(helpful, harmful)
    assert bound_helpfulness(helpful + 1, harmful) > before > bound_helpfulness(helpful, harmful + 1) >= 0


def test_doubt_counts() -> None:
    assert (
        bound_helpfulness(90, 10)
        > bound_helpfulness(9, 1)
        > bound_helpfulness(1, 0)
        > bound_helpfulness(0, 0)
        > bound_helpfulness(0, 3)
    )


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), max_size=4))
def test_fusion_knows_every_name_and_the_first_of_all_is_first(rankings: list[Sequence[str]]) -> None:
    scores = dict(fuse(rankings))
    assert set(scores) == {name for ranking in rankings for name in ranking}
    if rankings and all(ranking[:1] == ["a"] for ranking in rankings):
        assert max(scores, key=lambda name: scores[name]) == "a"


def test_fusion_by_example() -> None:
    scores = dict(fuse((["a", "b"], ["b", "c"])))
    assert scores == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 62})


@given(SCORES, st.integers(0, 5))
def test_variety_loses_nothing_and_without_a_penalty_is_the_order(
    scores: dict[str, float], among: int
) -> None:
    assert sorted(diversify(scores, lambda one, other: 1.0, among=among)) == sorted(scores)
    plain = diversify(scores, lambda one, other: 1.0, penalty=0)
    assert plain == sorted(scores, key=lambda name: -scores[name])


def test_what_is_near_to_what_was_taken_comes_later() -> None:
    scores = {"a": 1.0, "b": 0.95, "c": 0.8}
    near = {frozenset("ab"): 1.0}
    assert diversify(scores, lambda one, other: near.get(frozenset((one, other)), 0.0)) == ["a", "c", "b"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("xy")), max_size=12), st.integers(0, 40))
def test_what_is_within_fits_and_leaves_no_room_for_more(given_: list[tuple[int, str]], room: int) -> None:
    cost = {number: tokens for number, (tokens, _) in enumerate(given_)}
    section = {number: name for number, (_, name) in enumerate(given_)}
    chosen = choose_within_room(list(cost), cost, section, room)
    spent = sum(cost[name] for name in chosen)
    assert spent <= room
    assert all(cost[name] > room - spent for name in cost if name not in chosen)


def test_a_section_does_not_crowd_out_another() -> None:
    section = dict.fromkeys("abcd", "long") | {"e": "short"}
    cost = dict.fromkeys("abcde", 10)
    assert choose_within_room("abcde", cost, section, 40) == {"a", "b", "c", "e"}
    assert choose_within_room("abcde", cost, section, 30) == {"a", "b", "e"}
    assert choose_within_room("abcd", cost, section, 40) == {"a", "b", "c", "d"}
