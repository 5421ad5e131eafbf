"""JSON: round trips, canonical bytes, stable hashes, and refusals that say what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from ace.errors import FormatError
from ace.playbook import (
    Add,
    Delta,
    Playbook,
    Revise,
    Status,
    Vote,
    apply,
    chain_hash,
    content_hash,
    delta_from_json,
    delta_to_json,
    playbook_from_json,
    playbook_to_json,
)
from ace.playbook.codec import bullet_fields
from tests.strategies import deltas, playbooks

HASH_OF_EMPTY = "sha256:d98b2e157d074ddba2efc1e8055ade428470b4b2bfe512c6fe8958be17836c91"
HASH_OF_ONE = "sha256:95aa1daebdab9b3417b02a079b91d079c7d2d8a071ae915813f908d05afba334"
HASH_OF_CHAIN = "sha256:99063571cc6870190f8adaab586c5480bffcd1c5ca5ea0ba81ee393c39225226"

EMPTY = {"format": "ace-playbook-1", "bullets": [], "next_position": 0, "section_names": []}
BULLET = json.loads(playbook_to_json(apply(Playbook(), [Add("a", "S", "x")])[0]))["bullets"][0]


@given(playbooks())
def test_a_playbook_survives_json(playbook: Playbook) -> None:
    text = playbook_to_json(playbook)
    again = playbook_from_json(text)
    assert again == playbook
    assert (playbook_to_json(again), content_hash(again)) == (text, content_hash(playbook))
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text


@given(deltas())
def test_a_delta_survives_json(delta: Delta) -> None:
    assert delta_from_json(delta_to_json(delta)) == delta


@given(deltas())
def test_the_hash_depends_on_the_value_and_not_on_how_it_was_made(delta: Delta) -> None:
    at_once, _ = apply(Playbook(), delta)
    in_steps = Playbook()
    for operation in delta:
        in_steps, _ = apply(in_steps, [operation])
    assert content_hash(at_once) == content_hash(in_steps)


def test_hashes_of_stored_playbooks_never_change() -> None:
    playbook, _ = apply(Playbook(), [Add("a-1", "Orders", "größe\x00", ("e1",)), Vote("a-1", helpful=2)])
    assert content_hash(Playbook()) == HASH_OF_EMPTY
    assert content_hash(playbook) == HASH_OF_ONE
    assert chain_hash(HASH_OF_EMPTY, "[]", "curator", "why") == HASH_OF_CHAIN


def test_a_chain_hash_changes_with_each_of_its_parts() -> None:
    parts = ["sha256:0", "[]", "curator", "why"]
    changed = [
        chain_hash(*(part + "x" if n == at else part for n, part in enumerate(parts))) for at in range(4)
    ]
    assert len({chain_hash(*parts), *changed}) == 5


def test_an_operation_with_invalid_unicode_can_still_be_recorded() -> None:
    refused = (Add("a", "S", "half \ud83d of it"), Revise("b", "\udc00"))
    assert delta_to_json(refused).encode()
    assert delta_from_json(delta_to_json(refused)) == refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ('[{"op":"add"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"op":"remove","id":"a"}', "a list of operations"),
        ("[3]", "operation 1: unknown operation None"),
        ('[{"op":["add"]}]', "unknown operation"),
        (
            '[{"op":"remove","id":"a"},{"op":"rewrite","id":"a"}]',
            "operation 2: unknown operation 'rewrite'. Known: add",
        ),
        ('[{"op":"remove"}]', "the field 'id' is missing"),
        ('[{"op":"remove","id":7}]', "id: 7 is not str"),
        ('[{"op":"remove","id":"a","why":""}]', "unknown field 'why'"),
        ('[{"op":"vote","id":"a","helpful":true}]', "helpful: True is not int"),
        ('[{"op":"merge","into":"a","sources":"bc","content":"x"}]', "sources: 'bc' is not tuple"),
        ('[{"op":"merge","into":"a","sources":["b",1],"content":"x"}]', "sources: ['b', 1] is not tuple"),
    ],
)
def test_what_is_not_a_delta_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        delta_from_json(text, file="some.json")
    assert says in str(caught.value)
    assert str(caught.value).startswith("some.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other"}, "not a playbook in the ace-playbook-1 format"),
        ({"bullets": {}}, "not a playbook"),
        ({"next_position": "3"}, "'3' is not int"),
        ({"section_names": None}, "None is not tuple"),
        ({"bullets": [3]}, "bullet 1: expected an object, found int"),
        ({"bullets": [BULLET]}, "section or position is unknown"),
        ({"bullets": [BULLET, BULLET], "next_position": 1, "section_names": ["S"]}, "its id is there twice"),
        ({"bullets": [BULLET | {"content": " "}]}, "empty content"),
        ({"bullets": [BULLET | {"status": "lost"}]}, "status: 'lost' is not Status"),
        ({"bullets": [BULLET | {"status": []}]}, "status: [] is not Status"),
        ({"bullets": [BULLET | {"helpful": -1}]}, "helpful count is out of range"),
    ],
)
def test_what_is_not_a_playbook_is_refused_by_name(change: dict[str, object], says: str) -> None:
    with pytest.raises(FormatError) as caught:
        playbook_from_json(json.dumps(EMPTY | change), file="some.json")
    assert says in str(caught.value)
    assert str(caught.value).startswith("some.json: ")


KNOWN = "Known: add, revise, merge, remove, move, vote, pin, quarantine, promote."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "line 1: This is not JSON: Expecting value: line 1 column 2 (char 1)."),
        ("{}", "A delta is a list of operations."),
        ("[3]", f"operation 1: unknown operation None. {KNOWN}"),
        ('[{"op":"remove","id":7}]', "operation 1 (remove): id: 7 is not str."),
        ('[{"op":"remove","id":"a","why":""}]', "operation 1 (remove): unknown field 'why'. Known: id, op."),
        (
            '[{"op":"move","id":"a","section":"S","position":"1"}]',
            "operation 1 (move): position: '1' is not int | None.",
        ),
    ],
)
def test_a_delta_from_nowhere_is_refused_in_these_words(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        delta_from_json(text)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other"}, "This is not a playbook in the ace-playbook-1 format."),
        ({"section_names": None}, "playbook: section_names: None is not tuple."),
        ({"section_names": ["S", 3]}, "playbook: section_names: ['S', 3] is not tuple."),
        ({"next_position": None}, "playbook: next_position: None is not int."),
        ({"bullets": [3]}, "bullet 1: expected an object, found int."),
        ({"bullets": [BULLET]}, "Bullet 1 ('a') cannot be used: its section or position is unknown."),
        (
            {"bullets": [BULLET], "section_names": ["S"]},
            "Bullet 1 ('a') cannot be used: its section or position is unknown.",
        ),
        (
            {"bullets": [BULLET], "next_position": 1},
            "Bullet 1 ('a') cannot be used: its section or position is unknown.",
        ),
        (
            {"bullets": [BULLET, BULLET], "next_position": 1, "section_names": ["S"]},
            "Bullet 2 ('a') cannot be used: its id is there twice.",
        ),
    ],
)
def test_a_playbook_from_nowhere_is_refused_in_these_words(change: dict[str, object], says: str) -> None:
    with pytest.raises(FormatError) as caught:
        playbook_from_json(json.dumps(EMPTY | change))
    assert str(caught.value) == says


def test_a_section_name_that_is_there_twice_counts_once() -> None:
    text = json.dumps(EMPTY | {"section_names": ["S", "T", "S"]})
    assert playbook_from_json(text).section_names == ("S", "T")


def test_canonical_json_is_written_like_this() -> None:
    delta = (Add("a", "größe", "\ud83d", ("e1",), 3), Vote("a", 1))
    assert delta_to_json(delta) == (
        '[{"content":"\\ud83d","id":"a","op":"add","position":3,"provenance":["e1"],"section":"größe"},'
        '{"harmful":0,"helpful":1,"id":"a","op":"vote"}]'
    )


def test_a_line_about_a_bullet_gives_what_it_says_and_no_more() -> None:
    said = bullet_fields('{"id": "a", "status": "removed", "provenance": ["e1"], "pinned": true}')
    assert said == {"id": "a", "status": Status.REMOVED, "provenance": ("e1",), "pinned": True}
    assert isinstance(said["status"], Status)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: This is not JSON: Expecting property name"),
        ("[]", "a bullet: expected an object, found list."),
        ('{"content": 5}', "a bullet: content: 5 is not str."),
        ('{"votes": 1}', "a bullet: unknown field 'votes'. Known: id, section, content, provenance, status,"),
    ],
)
def test_a_line_about_no_bullet_is_refused_in_these_words(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        bullet_fields(text)
    assert str(caught.value).startswith(says)


def test_a_long_value_is_quoted_in_part() -> None:
    with pytest.raises(FormatError) as caught:
        bullet_fields(json.dumps({"helpful": "x" * 100}))
    assert str(caught.value) == f"a bullet: helpful: '{'x' * 59} is not int."


def test_an_error_in_a_file_of_many_lines_names_the_line() -> None:
    with pytest.raises(FormatError) as caught:
        playbook_from_json('{\n"format":\n}', file="p.json")
    assert caught.value.details == {"file": "p.json", "line": 3}
    assert str(caught.value).startswith("p.json:3: This is not JSON: ")
