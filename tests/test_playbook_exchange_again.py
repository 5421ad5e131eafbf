"""Importing a file again: what was said before, taken back, said to another branch, or learned since."""

from __future__ import annotations

import hashlib

import pytest

from ace.playbook import Add, Move, Operation, Playbook, Quarantine, Revise, apply, bullet_id
from ace.playbook.exchange import Alias, Plan, plan_import
from ace.playbook.formats import Entry, Finding, Reading

LINE = Entry(alias="s-1", section="S", content="two", line=3)
Told = list[tuple[str, str]]


def again(content: str, told: Told, *, section: str = "S", before: str = "two", entry: Entry = LINE) -> Plan:
    """The bullet says `content`; the file said `before` last time, and says `entry` now."""
    base, _ = apply(Playbook(), [Add("a", section, content)])
    seen = Alias("f", "s-1", "a", entry.section, hashlib.sha256(before.encode()).hexdigest())
    return plan_import(Reading(entries=(entry,)), base, source="f", aliases=[seen], told={"a": told})


@pytest.mark.parametrize(
    ("content", "told", "delta"),
    [
        ("two", [("S", "two")], ()),
        ("one", [("S", "one"), ("S", "two"), ("S", "one")], (Revise("a", "two"),)),  # reverted
        ("better", [("S", "one"), ("S", "two"), ("S", "better")], ()),  # learned since
        ("other", [("S", "other")], (Revise("a", "two"),)),  # another branch was told
        ("other", [], ()),  # nobody knows
        ("two", [("S", "one"), ("S", "two")], ()),
    ],
)
def test_what_the_file_said_is_said_again_only_where_it_was_taken_back(
    content: str, told: Told, delta: tuple[Operation, ...]
) -> None:
    made = again(content, told)
    assert made.delta == delta
    words = "s-1 does not say here what the file said: the file's text was taken"
    assert made.notes == ((Finding(3, words),) if delta else ())


@pytest.mark.parametrize(
    ("section", "told", "delta"),
    [
        ("S", [("S", "two"), ("T", "two"), ("S", "two")], (Move("a", "T"),)),  # reverted
        ("S", [("T", "two"), ("S", "two")], ()),  # moved since
        ("S", [("S", "two")], ()),  # its text found the bullet, in a section of its own
        ("T", [("S", "two"), ("T", "two")], ()),
    ],
)
def test_a_section_is_given_again_only_where_it_was_taken_back(
    section: str, told: Told, delta: tuple[Operation, ...]
) -> None:
    entry = Entry(alias="s-1", section="T", content="two", line=3)
    assert again("two", told, section=section, entry=entry).delta == delta


def test_a_text_that_changed_on_both_sides_is_the_files_and_is_noted() -> None:
    made = again("better", [("S", "one"), ("S", "better")], before="one")
    assert made.delta == (Revise("a", "two"),)
    assert made.notes == (Finding(3, "s-1 changed here and in the file: the file's text was taken"),)


def test_notes_of_reading_come_before_those_of_importing() -> None:
    base, _ = apply(Playbook(), [Add("a", "S", "better")])
    seen = Alias("f", "s-1", "a", "S", hashlib.sha256(b"one").hexdigest())
    reading = Reading(entries=(LINE,), notes=(Finding(1, "odd"),))
    assert [note.line for note in plan_import(reading, base, source="f", aliases=[seen]).notes] == [1, 3]


def test_a_file_without_a_name_has_none() -> None:
    made = plan_import(Reading(entries=(LINE,)), Playbook())
    assert [(alias.source, alias.alias) for alias in made.aliases] == [("", "s-1")]
    assert plan_import(Reading(entries=(LINE,)), Playbook(), aliases=made.aliases).known == 0


def test_one_text_for_two_bullets_in_use_waits_once() -> None:
    base, _ = apply(Playbook(), [Add("a", "S", "one"), Add("b", "S", "two")])
    both, _ = apply(base, [Revise("a", "same"), Revise("b", "same")])
    made = plan_import(Reading(playbook=both), base, quarantine=True)
    key = bullet_id("S", "same")
    assert made.delta == (Add(key, "S", "same"), Quarantine(key))
