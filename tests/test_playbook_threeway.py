"""Merging two playbooks that grew from one: exact results, and what holds for any two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.playbook import (
    Add,
    Delta,
    Move,
    Playbook,
    Remove,
    Revise,
    Status,
    Vote,
    apply,
    find_lost_votes,
    join,
)
from ace.playbook.delta import MAX_VOTES
from tests.strategies import IDS, by_section, deltas, playbooks

BASE, _ = apply(Playbook(), (Add("a", "x", "text", ("e1",)), Add("b", "x", "other"), Vote("a", 5, 3)))


def after(*operations: object, base: Playbook = BASE) -> Playbook:
    playbook, rejections = apply(base, operations)  # type: ignore[arg-type]
    assert rejections == ()
    return playbook


def test_votes_count_from_what_they_were() -> None:
    ours, theirs = after(Vote("a", 2, -1)), after(Vote("a", 1, 4))
    joined, conflicts = join(BASE, ours, theirs)
    assert (joined.bullets["a"].helpful, joined.bullets["a"].harmful, conflicts) == (8, 6, ())


def test_a_counter_stays_within_what_it_can_be() -> None:
    down = after(Vote("a", -4, -3))
    joined, _ = join(BASE, down, down)
    assert (joined.bullets["a"].helpful, joined.bullets["a"].harmful) == (0, 0)
    up = after(Vote("a", MAX_VOTES - 5))
    assert join(BASE, up, up)[0].bullets["a"].helpful == MAX_VOTES


def test_what_both_added_alike_is_one_with_the_votes_and_episodes_of_both() -> None:
    ours = after(Add("first", "x", "takes a place"), Add("c", "x", "new", ("e1",)), Vote("c", 1))
    theirs = after(Add("c", "x", "new", ("e2", "e1")), Vote("c", 2, 1))
    joined, conflicts = join(BASE, ours, theirs)
    bullet = joined.bullets["c"]
    assert (bullet.helpful, bullet.harmful, bullet.provenance) == (3, 1, ("e1", "e2"))
    assert (bullet.position, joined.next_position, conflicts) == (3, 4, ())


def test_a_bullet_moved_to_two_places_is_a_conflict() -> None:
    ours, theirs = after(Move("b", "x", 0)), after(Move("b", "x"))
    assert join(BASE, ours, theirs)[1] == ("b",)
    assert join(BASE, ours, theirs, "ours")[0].bullets["b"].position == 0
    assert join(BASE, ours, theirs, "theirs")[0].bullets["b"].position == 2


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_side_that_is_preferred_keeps_its_text_and_all_votes(side: str) -> None:
    ours, theirs = after(Revise("a", "ours"), Vote("a", 1)), after(Revise("a", "theirs"), Vote("a", 2))
    assert join(BASE, ours, theirs) == (ours, ("a",))
    joined, conflicts = join(BASE, ours, theirs, side)  # type: ignore[arg-type]
    expected = replace(BASE.bullets["a"], content=side, helpful=8)
    assert (joined.bullets["a"], conflicts) == (expected, ())


@given(playbooks(), deltas())
def test_a_side_without_changes_takes_the_other_as_it_is(base: Playbook, delta: Delta) -> None:
    changed, _ = apply(base, delta)
    assert by_section(join(base, base, changed)[0]) == by_section(changed)
    assert join(base, changed, base) == (changed, ())


@given(playbooks(), deltas(), deltas())
def test_sides_conflict_or_agree_whichever_way_they_are_merged(base: Playbook, a: Delta, b: Delta) -> None:
    ours, theirs = apply(base, a)[0], apply(base, b)[0]
    one, conflicts = join(base, ours, theirs)
    two, same = join(base, theirs, ours)
    assert conflicts == same
    for key, bullet in one.bullets.items():
        if key not in conflicts:
            other = two.bullets[key]
            assert (bullet.content, bullet.status, bullet.helpful, bullet.harmful) == (
                *(other.content, other.status, other.helpful, other.harmful),
            )
    assert all(bullet.status in Status for bullet in one.bullets.values())


def test_what_is_merged_in_is_appended_and_ours_stays_as_it_was() -> None:
    base, _ = apply(Playbook(), (Add("b-1", "S", "one"),))
    ours, _ = apply(base, (Add("zz", "S", "ours"),))
    theirs, _ = apply(base, (Add("aa", "S", "theirs"), Add("ab", "S", "theirs too")))
    joined, conflicts = join(base, ours, theirs)
    assert not conflicts and [bullet.id for bullet in joined] == ["b-1", "zz", "aa", "ab"]
    assert [bullet.position for bullet in joined] == [0, 1, 3, 4] and joined.next_position == 5


def test_a_side_that_only_voted_or_cited_takes_the_other_sides_text() -> None:
    base, _ = apply(Playbook(), (Add("b-1", "S", "one", ("e1", "e2")),))
    edited, _ = apply(base, (Revise("b-1", "better", ("e2", "e3")),))
    voted, _ = apply(base, (Vote("b-1", helpful=2), Revise("b-1", "one", ("e1", "e2", "e4"))))
    for ours, theirs in ((edited, voted), (voted, edited)):
        for side in (None, "ours", "theirs"):
            joined, conflicts = join(base, ours, theirs, side)
            bullet = joined.bullets["b-1"]
            assert (conflicts, bullet.content, bullet.helpful) == ((), "better", 2)
            assert bullet.provenance == ("e2", "e3", "e4")


def test_votes_on_what_is_removed_are_told() -> None:
    gone, voted = after(Remove("a")), after(Vote("a", 2), Vote("b", 1))
    joined, conflicts = join(BASE, gone, voted)
    assert (conflicts, find_lost_votes(gone, joined)) == ((), (Vote("a", 2),))
    joined, _ = join(BASE, voted, after(Vote("a", 1), Remove("a")))
    assert find_lost_votes(voted, joined) == (Vote("a", 1),)  # before it is removed here, too


@given(playbooks(), deltas(), st.lists(st.builds(Vote, st.sampled_from(IDS), st.integers(0, 5))))
def test_votes_never_conflict(base: Playbook, edits: Delta, votes: list[Vote]) -> None:
    assert join(base, apply(base, edits)[0], apply(base, votes)[0])[1] == ()


def test_what_they_moved_to_the_end_stays_behind_what_they_added_before() -> None:
    base, _ = apply(Playbook(), (Add("b-1", "S", "one"),))
    theirs, _ = apply(base, (Add("b-2", "S", "two"), Move("b-1", "S")))
    ours, _ = apply(base, (Add("zz", "S", "ours"),))
    assert [bullet.id for bullet in join(base, base, theirs)[0]] == ["b-2", "b-1"]
    assert [bullet.id for bullet in join(base, ours, theirs)[0]] == ["zz", "b-2", "b-1"]
