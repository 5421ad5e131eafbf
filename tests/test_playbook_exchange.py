"""Importing another tool's file: what it adds, what it leaves alone, and that twice is once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.playbook import (
    Add,
    Delta,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Vote,
    apply,
    bullet_id,
)
from ace.playbook.exchange import Alias, Duplicate, Plan, plan_import
from ace.playbook.formats import Entry, Reading, find_format
from tests.strategies import contents, deltas, live, playbooks, sections


@dataclass
class Here:
    """A playbook, and the aliases that were stored with it."""

    playbook: Playbook = field(default_factory=Playbook)
    aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)

    def take(self, *entries: Entry, source: str = "f", votes: bool = True, **options: bool) -> Plan:
        """Import, as the command does."""
        reading = Reading(entries=entries, votes=votes)
        made = plan_import(reading, self.playbook, source=source, aliases=self.aliases.values(), **options)
        self.do(*made.delta)
        self.aliases |= {(alias.source, alias.alias): alias for alias in made.aliases}
        return made

    def do(self, *operations: Operation) -> None:
        self.playbook, rejections = apply(self.playbook, operations)
        assert rejections == ()

    def told(self) -> list[tuple[str, str, int, int]]:
        return [(b.section, b.content, b.helpful, b.harmful) for b in self.playbook]


ONE = Entry(alias="s-1", section="S", content="one", helpful=2, harmful=1, line=3)
TWO = Entry(alias="s-2", section="S", content="two", line=4)
TWIN = Entry(alias="t-9", section="T", content="one", helpful=3, line=5)
KEY, KEY_2 = bullet_id("S", "one"), bullet_id("S", "two")


def entries() -> st.SearchStrategy[tuple[Entry, ...]]:
    counts = st.integers(0, 9)
    one = st.builds(
        Entry,
        content=contents(),
        section=sections(),
        helpful=counts,
        harmful=counts,
        quarantined=st.booleans(),
    )
    return st.lists(one, max_size=5).map(
        lambda found: tuple(
            replace(each, alias=f"x-{place}", line=place) for place, each in enumerate(found, 1)
        )
    )


@given(playbooks(), entries(), deltas())
def test_the_same_file_twice_changes_nothing_whatever_was_learned_between(
    base: Playbook, file: tuple[Entry, ...], between: Delta
) -> None:
    here = Here(base)
    here.take(*file)
    assert here.take(*file).delta == ()
    here.playbook, _ = apply(here.playbook, between)
    before = here.playbook
    again = here.take(*file)
    assert (again.delta, again.aliases) == ((), ())
    assert here.playbook == before


@given(playbooks(), entries())
def test_every_line_is_a_bullet_here_and_no_vote_is_lost(base: Playbook, file: tuple[Entry, ...]) -> None:
    here = Here(base)
    made = here.take(*file)
    assert len(here.aliases) == len(file)
    for entry in file:
        bullet = here.playbook.bullets[here.aliases["f", entry.alias].bullet]
        assert bullet.content == entry.content
    new = [bullet for key, bullet in here.playbook.bullets.items() if key not in base.bullets]
    fresh = {bullet.content for bullet in new}
    assert sum(b.helpful for b in new) == sum(entry.helpful for entry in file if entry.content in fresh)
    assert len({entry.content for entry in file}) == len(file) - len(made.duplicates)
    assert made.known + made.gone + len(new) == len({alias.bullet for alias in here.aliases.values()})
    assert [b for key, b in here.playbook.bullets.items() if key in base.bullets] == [*base.bullets.values()]


@given(playbooks(), entries())
def test_a_quarantined_import_shows_nothing_new(base: Playbook, file: tuple[Entry, ...]) -> None:
    here = Here(base)
    here.take(*file, quarantine=True)
    assert here.playbook.active == base.active
    assert here.take(*file, quarantine=True).delta == ()


@given(playbooks(), playbooks())
def test_a_quarantined_import_of_our_own_format_shows_nothing_new(base: Playbook, other: Playbook) -> None:
    write, read = find_format("jsonl").write, find_format("jsonl").read
    assert write
    made = plan_import(read(write(other, {}), "f", base), base, quarantine=True)
    after, rejections = apply(base, made.delta)
    assert rejections == ()
    shown = {(bullet.id, bullet.content) for bullet in after.active}
    assert shown <= {(bullet.id, bullet.content) for bullet in base.active}


@given(playbooks(), entries())
def test_replacing_leaves_what_the_file_has(base: Playbook, file: tuple[Entry, ...]) -> None:
    here = Here(base)
    made = here.take(*file, removing=True)
    named = {alias.bullet for alias in here.aliases.values()}
    assert {bullet.id for bullet in here.playbook} <= named
    assert len(here.playbook) == len(named) - made.gone


def test_a_new_line_becomes_a_bullet_with_its_votes() -> None:
    here = Here()
    made = here.take(ONE, TWO)
    assert made.delta == (Add(KEY, "S", "one"), Add(KEY_2, "S", "two"), Vote(KEY, 2, 1))
    assert (made.known, made.gone, made.duplicates, made.notes) == (0, 0, (), ())
    assert [(a.source, a.alias, a.bullet, a.section, a.helpful, a.harmful) for a in made.aliases] == [
        ("f", "s-1", KEY, "S", 2, 1),
        ("f", "s-2", KEY_2, "S", 0, 0),
    ]


def test_a_duplicate_is_kept_once_with_both_ids_and_all_votes() -> None:
    here = Here()
    made = here.take(ONE, TWO, TWIN)
    assert made.duplicates == (Duplicate(5, "t-9", "s-1", KEY),)
    assert here.told() == [("S", "one", 5, 1), ("S", "two", 0, 0)]
    assert here.aliases["f", "t-9"].bullet == KEY
    assert here.take(ONE, TWO, TWIN).duplicates == made.duplicates


def test_a_duplicate_that_was_edited_is_one_no_longer() -> None:
    here = Here()
    here.take(ONE, TWIN)
    made = here.take(ONE, replace(TWIN, content="other", helpful=4))
    assert here.told() == [("S", "one", 5, 1), ("T", "other", 4, 0)]
    assert made.duplicates == ()
    assert here.aliases["f", "t-9"].bullet == bullet_id("T", "other")


def test_what_is_here_already_gets_the_alias_and_keeps_its_votes() -> None:
    here = Here()
    here.do(Add("mine", "Mine", "one"), Vote("mine", 7))
    made = here.take(ONE)
    assert (made.delta, made.known, made.duplicates) == ((), 1, ())
    assert here.aliases["f", "s-1"].bullet == "mine"
    here.take(replace(ONE, helpful=4))
    assert here.told() == [("Mine", "one", 9, 0)]


def test_what_was_removed_here_stays_removed() -> None:
    here = Here()
    here.take(ONE, TWO)
    here.do(Remove(KEY))
    made = here.take(replace(ONE, content="new words", helpful=9), TWO)
    assert (made.delta, made.gone, made.known) == ((), 1, 1)
    other = here.take(ONE, source="g")
    assert (other.delta, other.gone, other.known) == ((), 1, 0)


def test_of_two_bullets_with_the_same_content_the_live_one_is_meant() -> None:
    here = Here()
    here.do(Add("z", "S", "one"), Add("a", "S", "one"), Remove("z"))
    here.take(ONE)
    assert here.aliases["f", "s-1"].bullet == "a"
    here = Here()
    here.do(Add("z", "S", "one"), Add("a", "S", "one"), Remove("a"))
    here.take(ONE)
    assert here.aliases["f", "s-1"].bullet == "z"


def test_only_what_changed_in_the_file_changes_here() -> None:
    here = Here()
    here.take(ONE, TWO)
    here.do(Revise(KEY, "mine"), Vote(KEY, 10, 1), Move(KEY_2, "Mine"))
    assert here.take(replace(ONE, helpful=3), TWO).delta == (Vote(KEY, 1, 0),)
    assert here.take(replace(ONE, helpful=3, section="T"), TWO).delta == (Move(KEY, "T"),)
    made = here.take(replace(ONE, helpful=3, section="T", content="theirs"), TWO)
    assert made.delta == (Revise(KEY, "theirs"),)
    assert [(note.line, note.text) for note in made.notes] == [
        (3, "s-1 changed here and in the file: the file's text was taken")
    ]
    assert here.told() == [("Mine", "two", 0, 0), ("T", "theirs", 13, 2)]


def test_a_change_that_was_made_here_too_is_none() -> None:
    here = Here()
    here.take(ONE)
    here.do(Revise(KEY, "better"), Move(KEY, "T"))
    made = here.take(replace(ONE, content="better", section="T"))
    assert (made.delta, made.notes) == ((), ())
    assert len(made.aliases) == 1


def test_a_file_without_counts_takes_no_votes_away() -> None:
    here = Here()
    here.take(ONE)
    bare = replace(ONE, helpful=0, harmful=0)
    assert here.take(bare, votes=False) == Plan(delta=(), known=1)
    assert here.take(ONE).delta == ()
    assert here.take(bare).delta == (Vote(KEY, -2, -1),)


def test_an_id_of_ours_means_that_bullet() -> None:
    here = Here()
    here.do(Add("mine", "S", "one"), Vote("mine", 1), Pin("mine"))
    line = Entry(alias="mine", section="T", content="two", helpful=4, harmful=2)
    made = here.take(line)
    assert made.delta == (Revise("mine", "two"), Move("mine", "T"), Vote("mine", 3, 2))
    assert made.aliases == ()
    assert here.take(line).delta == ()
    assert here.take(replace(line, helpful=0), votes=False).delta == ()
    here.do(Remove("mine"))
    assert (here.take(line).delta, here.take(line).gone) == ((), 1)


def test_the_same_id_in_another_file_is_another_bullet() -> None:
    here = Here()
    here.take(ONE)
    here.take(replace(ONE, content="quite another"), source="g")
    assert [content for _, content, *_ in here.told()] == ["one", "quite another"]
    assert here.aliases["f", "s-1"].bullet != here.aliases["g", "s-1"].bullet


def test_an_id_that_an_earlier_bullet_used_is_not_reused() -> None:
    here = Here()
    here.do(Add(KEY, "S", "revised since"))
    here.take(ONE)
    assert len(here.playbook) == 2
    assert here.aliases["f", "s-1"].bullet == bullet_id("S", "one", "2")


def test_lines_without_an_id_are_known_by_their_content() -> None:
    here = Here()
    bare = Entry(content="one", helpful=1), Entry(content="one", helpful=2)
    made = here.take(*bare)
    assert here.told() == [("General", "one", 3, 0)]
    assert [(duplicate.alias, duplicate.first) for duplicate in made.duplicates] == [("", "")]
    assert here.take(*bare).delta == ()
    assert here.aliases == {}


def test_quarantine_of_a_file_comes_in_as_quarantine() -> None:
    here = Here()
    assert here.take(replace(ONE, quarantined=True)).delta == (
        Add(KEY, "S", "one"),
        Quarantine(KEY),
        Vote(KEY, 2, 1),
    )
    here.do(Promote(KEY))
    assert here.take(replace(ONE, quarantined=True)).delta == ()


def test_with_quarantine_what_is_rewritten_waits_too() -> None:
    here = Here()
    here.take(ONE, TWO)
    made = here.take(replace(ONE, content="rewritten"), TWO, quarantine=True)
    beside, waits = made.delta
    assert isinstance(beside, Add) and (beside.content, beside.id != KEY) == ("rewritten", True)
    assert waits == Quarantine(beside.id)


def test_with_quarantine_a_file_cannot_touch_what_is_in_use() -> None:
    base, _ = apply(Playbook(), (Add("b-1", "S", "good"), Pin("b-1")))
    line = '{"id": "b-1", "section": "T", "content": "evil", "pinned": false, "harmful": 9}\n'
    made = plan_import(find_format("jsonl").read(line, "f", base), base, quarantine=True)
    after, rejected = apply(base, made.delta)
    assert not rejected and after.bullets["b-1"] == base.bullets["b-1"]
    assert [b.content for b in after.active] == ["good"]
    again = plan_import(find_format("jsonl").read(line, "f", after), after, quarantine=True)
    assert apply(after, again.delta)[0] == after


def test_with_quarantine_what_was_removed_stays_removed() -> None:
    adds = (Add("a-1", "S", "x"), Add("a-2", "S", "y"), Add("a-3", "S", "z"))
    base, _ = apply(Playbook(), (*adds, Remove("a-1"), Quarantine("a-2")))
    lines = "## S\n- new <!-- id=a-1 helpful=2 -->\n- y <!-- id=a-2 helpful=1 -->\n- z <!-- id=a-3 -->\n"
    reading = find_format("markdown").read(lines, "f", base)
    made = plan_import(reading, base, quarantine=True)
    assert (made.delta, made.gone) == ((Vote("a-2", 1),), 1)
    assert Promote("a-1") in plan_import(reading, base).delta


@pytest.mark.parametrize("replacing", [True, False])
def test_our_own_format_removes_only_when_told(replacing: bool) -> None:
    base, _ = apply(Playbook(), (Add("a-1", "S", "x"), Add("a-2", "S", "y")))
    reading = find_format("markdown").read("## S\n- x <!-- id=a-1 -->\n", "f", base)
    made = plan_import(reading, base, removing=replacing)
    assert made.delta == ((Remove("a-2"),) if replacing else ())


def test_a_file_of_thousands_is_read_in_seconds() -> None:
    lines = [f"[x-{n:05}] helpful=1 harmful=0 :: lesson {n % 4000}" for n in range(5000)]
    reading = find_format("ace").read("\n".join(["## S", *lines]), "f", None)
    here = Here()
    assert len(here.take(*reading.entries).duplicates) == 1000
    assert here.take(*reading.entries).delta == ()
    assert len(live(here.playbook)) == 4000
