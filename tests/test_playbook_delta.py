"""Deltas: apply is pure and total, diff and invert are exact, every refusal has its reason."""

from __future__ import annotations

import pytest
from hypothesis import given

from ace.playbook import (
    Add,
    Bullet,
    Delta,
    Merge,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Rejection,
    Remove,
    Revise,
    Status,
    Vote,
    apply,
    bullet_id,
    delta_to_json,
    diff,
    invert,
    playbook_from_json,
    playbook_to_json,
    touched_ids,
)
from tests.strategies import LONG, by_section, contents, deltas, live, playbooks, texts

PAIR = (Add("a-1", "Orders", "one", ("e1",)), Add("a-2", "Money", "two", ("e1", "e2")))


def made(*operations: Operation) -> Playbook:
    playbook, rejections = apply(Playbook(), operations)
    assert rejections == ()
    return playbook


@given(playbooks(), deltas(wild=True))
def test_apply_is_total_and_what_it_returns_is_sound(playbook: Playbook, delta: Delta) -> None:
    after, rejections = apply(playbook, delta)
    assert [r.operation for r in rejections] == _subsequence(delta, [r.operation for r in rejections])
    assert all(r.reason.encode() for r in rejections)
    assert playbook_from_json(playbook_to_json(after)) == after
    assert delta_to_json(delta).encode()


def _subsequence(delta: Delta, wanted: list[Operation]) -> list[Operation]:
    rest = iter(delta)
    return [operation for operation in wanted if any(operation is other for other in rest)]


@given(playbooks(), deltas(wild=True), deltas(wild=True))
def test_two_deltas_one_after_the_other_are_one_delta(playbook: Playbook, d1: Delta, d2: Delta) -> None:
    halfway, first = apply(playbook, d1)
    assert apply(halfway, d2) == _with_earlier(first, apply(playbook, d1 + d2))


def _with_earlier(
    first: tuple[Rejection, ...], whole: tuple[Playbook, tuple[Rejection, ...]]
) -> tuple[Playbook, tuple[Rejection, ...]]:
    playbook, rejections = whole
    assert rejections[: len(first)] == first
    return playbook, rejections[len(first) :]


@given(playbooks(), deltas(wild=True))
def test_rejected_operations_leave_no_trace(playbook: Playbook, delta: Delta) -> None:
    after, rejections = apply(playbook, delta)
    refused = {id(r.operation) for r in rejections}
    accepted = [operation for operation in delta if id(operation) not in refused]
    if len(accepted) + len(rejections) == len(delta):  # the same object may be drawn twice
        assert apply(playbook, accepted) == (after, ())


@given(playbooks(), deltas())
def test_diff_leads_to_any_later_version_and_back(before: Playbook, delta: Delta) -> None:
    after, _ = apply(before, delta)
    forward, backward = diff(before, after), diff(after, before)
    there, rejected = apply(before, forward)
    back, rejected_back = apply(after, backward)
    assert rejected == rejected_back == ()
    assert live(there) == live(after)
    assert tuple(back) == tuple(before)  # positions too


@given(playbooks(), playbooks())
def test_diff_between_strangers_is_exact_within_every_section(a: Playbook, b: Playbook) -> None:
    result, rejections = apply(a, diff(a, b))
    assert rejections == ()
    assert by_section(result) == by_section(b)


@given(playbooks())
def test_nothing_differs_from_itself(playbook: Playbook) -> None:
    assert diff(playbook, playbook) == ()


@given(playbooks(), deltas(wild=True))
def test_invert_takes_a_delta_back(playbook: Playbook, delta: Delta) -> None:
    after, _ = apply(playbook, delta)
    back, rejections = apply(after, invert(playbook, delta))
    assert rejections == ()
    assert tuple(back) == tuple(playbook)


@given(playbooks(), deltas())
def test_an_id_names_one_bullet_for_ever(playbook: Playbook, delta: Delta) -> None:
    after, _ = apply(playbook, delta)
    assert set(playbook.bullets) <= set(after.bullets)
    for used in after.bullets:
        _, (rejection,) = apply(after, [Add(used, "Orders", "again")])
        assert "already used" in rejection.reason


@given(playbooks(), deltas())
def test_only_touched_bullets_change(playbook: Playbook, delta: Delta) -> None:
    after, _ = apply(playbook, delta)
    named = {key for operation in delta for key in touched_ids(operation)}
    untouched = set(playbook.bullets) - named
    assert all(after.bullets[key] is playbook.bullets[key] for key in untouched)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (Add("a-1", "Orders", "again"), "the id 'a-1' was already used"),
        (Add("x", "Orders", " \n\u200b\x00"), "empty content"),
        (Add("x", "Orders", "half \ud83d"), "invalid Unicode: a lone surrogate"),
        (Add("x", "Orders", "fine", ("e\udc00",)), "invalid Unicode: a lone surrogate"),
        (Add("x", "Orders", "fine", ("",)), "a blank episode id"),
        (Add("x", " \t", "fine"), "blank section"),
        (Add("x", "two\nlines", "fine"), "a section name is one trimmed line"),
        (Add("x", " padded", "fine"), "a section name is one trimmed line"),
        (Add("x", "Orders", "fine", (), -1), "a negative position"),
        (Add("no spaces", "Orders", "fine"), "an id is letters, digits and any of . _ : / -"),
        (Add("", "Orders", "fine"), "an id is letters, digits and any of . _ : / -"),
        (Revise("a-1", ""), "empty content"),
        (Revise("nope", "x"), "no bullet has the id 'nope'"),
        (Revise("a-1", "one"), "it changes nothing"),
        (Merge("a-1", (), "both"), "a merge needs at least two different bullets"),
        (Merge("a-1", ("a-1",), "both"), "a merge needs at least two different bullets"),
        (Merge("a-1", ("a-2", "a-2"), "both"), "a merge needs at least two different bullets"),
        (Merge("a-1", ("a-2", "gone"), "both"), "the bullet 'gone' was removed"),
        (Merge("a-1", ("a-2",), "\ud800"), "invalid Unicode: a lone surrogate"),
        (Move("a-1", ""), "blank section"),
        (Vote("a-1", helpful=-1), "the helpful count is out of range"),
        (Vote("a-1", harmful=2**60), "the harmful count is out of range"),
        (Remove("gone"), "the bullet 'gone' was removed"),
        (Pin("gone"), "the bullet 'gone' was removed"),
        (Pin("a-1", pinned=False), "it changes nothing"),
        (Quarantine("gone"), "the bullet 'gone' was removed"),
        (Promote("nope"), "no bullet has the id 'nope'"),
        (Promote("a-1"), "it changes nothing"),
    ],
)
def test_what_cannot_apply_says_why_and_the_rest_applies(operation: Operation, reason: str) -> None:
    playbook = made(*PAIR, Add("gone", "Orders", "three"), Remove("gone"))
    after, rejections = apply(playbook, [operation, Add("last", "Orders", "still added")])
    assert [r.operation for r in rejections] == [operation]
    assert rejections[0].reason == reason
    assert after == apply(playbook, [Add("last", "Orders", "still added")])[0]


def test_a_merge_gathers_provenance_votes_and_the_pin() -> None:
    voted = made(*PAIR, Vote("a-1", 1, 2), Vote("a-2", 3, 4), Pin("a-2"))
    merged, _ = apply(voted, [Merge("a-1", ("a-2",), "both")])
    assert tuple(merged) == (
        Bullet("a-1", "Orders", "both", ("e1", "e2"), pinned=True, helpful=4, harmful=6, position=0),
    )
    assert merged.bullets["a-2"].status is Status.REMOVED


def test_removed_bullets_stay_as_tombstones_and_come_back() -> None:
    playbook = made(*PAIR, Remove("a-1"))
    assert [bullet.id for bullet in playbook] == ["a-2"]
    assert (len(playbook), len(playbook.bullets)) == (1, 2)
    assert tuple(apply(playbook, [Promote("a-1")])[0]) == tuple(made(*PAIR))


def test_only_active_bullets_are_active_and_they_keep_their_order() -> None:
    playbook = made(*PAIR, Add("a-3", "Orders", "three"), Quarantine("a-3"), Add("a-4", "Orders", "four"))
    assert [bullet.id for bullet in playbook.active] == ["a-1", "a-4", "a-2"]
    assert [(section.name, len(section.bullets)) for section in playbook.sections] == [
        ("Orders", 3),
        ("Money", 1),
    ]


def test_positions_order_bullets_and_past_the_end_is_the_end() -> None:
    playbook = made(
        *(Add(f"a-{n}", "S", "x") for n in range(3)), Add("far", "S", "x", (), 2**70), Move("a-0", "S")
    )
    assert [bullet.id for bullet in playbook] == ["a-1", "a-2", "far", "a-0"]
    assert playbook.next_position == 5


def test_revise_replaces_provenance_only_when_given() -> None:
    playbook = made(*PAIR, Revise("a-1", "new"), Revise("a-2", "new", ("e9",)))
    assert [bullet.provenance for bullet in playbook] == [("e1",), ("e9",)]


def test_counters_go_as_far_as_every_json_reader_can_follow() -> None:
    full = made(*PAIR, Vote("a-1", 2**53 - 1, 2**53 - 1))
    assert (full.bullets["a-1"].helpful, full.bullets["a-1"].harmful) == (2**53 - 1, 2**53 - 1)
    for vote in (Vote("a-1", helpful=1), Vote("a-1", harmful=1)):
        assert [r.operation for r in apply(full, [vote])[1]] == [vote]


def test_votes_differ_by_what_came_since() -> None:
    before = made(*PAIR, Vote("a-1", 2, 3))
    after, _ = apply(before, [Vote("a-1", 4, -1)])
    assert diff(before, after) == (Vote("a-1", 4, -1),)
    assert diff(after, before) == invert(before, [Vote("a-1", 4, -1)]) == (Vote("a-1", -4, 1),)


def test_a_small_delta_on_a_big_playbook_shares_everything_else() -> None:
    big = made(*(Add(f"b-{n}", "S", "x") for n in range(2000)), Add("long", "S", LONG))
    after, _ = apply(big, [Vote("b-7", helpful=1)])
    assert after.bullets["long"] is big.bullets["long"]
    assert diff(big, after) == (Vote("b-7", helpful=1),)


@given(texts(), contents(), texts())
def test_derived_ids_are_fit_for_use_and_depend_on_their_words_only(
    section: str, content: str, salt: str
) -> None:
    derived = bullet_id(section, content, salt)
    assert set(made(Add(derived, "S", "x")).bullets) == {derived}
    assert derived == bullet_id(section, content, salt) != bullet_id(section, content, salt + "x")


def test_derived_ids_read_well_and_never_change() -> None:
    assert bullet_id("Joins & keys", "Join by code.") == bullet_id("Joins & keys", "Join by code.", "")
    assert bullet_id("Joins & keys", "Join by code.") == "joins-keys-08091f5e"
    assert bullet_id("A section of twenty-six letters", "x") == "a-section-of-twenty-six-8fef3fa4"
    assert bullet_id("数据", "half \ud800").startswith("bullet-")
