"""Refining a playbook: merges, conflicts, retirement; that it can be taken back and is done once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from ace.llm.embedding import connect_embedder
from ace.playbook import (
    Add,
    Bullet,
    Merge,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Vote,
    apply,
    invert,
)
from ace.playbook.formats import detect_format
from ace.refine import (
    Conflict,
    Index,
    Ruling,
    compare,
    judge_by_evidence,
    refine_playbook,
    retire_bullets,
    settle_conflicts,
)
from ace.refine.retire import bound_harm
from tests.strategies import live, playbooks
from tests.test_refine_conflict import pairs

FIXTURES = Path(__file__).parent.parent.parent / "shared" / "data" / "playbook-fixtures" / "ace-appworld"
EMBED = connect_embedder()
CONTRARY = pairs("refine_pairs", "contradiction")
ALIKE = pairs("refine_pairs", "paraphrase")


def book(*texts: str) -> Playbook:
    return apply(Playbook(), [Add(f"b-{n}", "x", text, (f"e{n}",)) for n, text in enumerate(texts)])[0]


SAID = st.lists(st.sampled_from([text for pair in (*CONTRARY, *ALIKE) for text in pair]), max_size=12)


@st.composite
def said(draw: st.DrawFn) -> Playbook:
    """Lessons that repeat and contradict each other, with votes, pins and some in quarantine."""
    playbook = book(*draw(SAID))
    changes = [
        kind(bullet.id) for bullet in playbook for kind in draw(st.sets(st.sampled_from((Pin, Quarantine))))
    ]
    votes = [Vote(bullet.id, draw(st.integers(0, 3)), draw(st.integers(0, 9))) for bullet in playbook]
    return apply(playbook, [*changes, *votes])[0]


def test_the_older_bullet_takes_over_and_every_operation_has_a_reason() -> None:
    playbook = book(
        "Divide prices by 100.", "Tickets go to R7.", "divide  prices by 100", "Send tickets to R7."
    )
    found = refine_playbook(playbook)
    assert found.delta == (
        Merge("b-0", ("b-2",), "Divide prices by 100."),
        Merge("b-1", ("b-3",), "Tickets go to R7."),
    )
    assert found.reasons == (
        "says the same as b-2: the same words",
        "says the same as b-3: other words, the same facts",
    )
    after, rejections = apply(playbook, found.delta)
    assert rejections == () and after.bullets["b-0"].provenance == ("e0", "e2")


def test_contradictions_are_found_and_nothing_is_done_about_them() -> None:
    found = refine_playbook(book("Use UTC for logs.", "Go to R7.", "Do not use UTC for logs.", "Go to R9."))
    assert found.delta == ()
    assert found.conflicts == (
        Conflict("b-0", "b-2", "negation: only one of them denies it"),
        Conflict("b-1", "b-3", "name: r7 against r9"),
    )


def test_what_waits_in_quarantine_is_no_conflict_and_joins_nothing_in_use() -> None:
    playbook, _ = apply(book("Go to R7.", "Go to R9.", "Go to R7!"), [Quarantine("b-1"), Quarantine("b-2")])
    assert refine_playbook(playbook) == refine_playbook(Playbook())


@pytest.mark.parametrize("pinned", [("b-0",), ("b-1",), ("b-0", "b-1")])
def test_a_pinned_bullet_stays_as_it_is(pinned: tuple[str, ...]) -> None:
    playbook, _ = apply(book("Go to R7.", "go to R7"), [Pin(name) for name in pinned])
    other = tuple({"b-0", "b-1"} - set(pinned))
    assert refine_playbook(playbook).delta == tuple(map(Remove, other))


@given(said())
def test_refining_is_done_once_taken_back_and_blind_to_the_order_of_the_map(playbook: Playbook) -> None:
    for embed in (None, EMBED):
        found = refine_playbook(playbook, Index(embed=embed))
        after, rejections = apply(playbook, found.delta)
        assert rejections == () and len(found.reasons) == len(found.delta) and all(found.reasons)
        assert refine_playbook(after, Index(embed=embed)).delta == ()
        assert live(apply(after, invert(playbook, found.delta))[0]) == live(playbook)
        turned = Map(dict(reversed(list(playbook.bullets.items()))))
        assert refine_playbook(replace(playbook, bullets=turned), Index(embed=embed)) == found
        pinned = [bullet for bullet in playbook if bullet.pinned]
        assert [after.bullets[bullet.id] for bullet in pinned] == pinned
        for gone in (bullet for bullet in playbook if not after.bullets[bullet.id].live):
            assert any(compare(gone.content, bullet.content).kind == "same" for bullet in after)


@given(playbooks())
def test_whatever_is_in_a_playbook_can_be_refined(playbook: Playbook) -> None:
    found = refine_playbook(playbook) + retire_bullets(playbook)
    after, _ = apply(playbook, found.delta)
    assert refine_playbook(after).delta == ()
    assert live(apply(after, invert(playbook, found.delta))[0]) == live(playbook)


@given(said(), SAID)
def test_new_bullets_are_compared_with_what_is_there(playbook: Playbook, more: list[str]) -> None:
    """Incrementally what a full pass finds; what is there already is not compared with itself."""
    first, _ = apply(playbook, refine_playbook(playbook).delta)
    grown, _ = apply(first, [Add(f"n-{n}", "x", text) for n, text in enumerate(more)])
    index = Index(sorted(first, key=lambda b: (not b.pinned, b.position, b.id)))
    new = [f"n-{n}" for n in range(len(more))]
    at_once = refine_playbook(grown)
    assert refine_playbook(grown, index, new).delta == at_once.delta
    assert sorted(index._rows) == sorted(b.id for b in apply(grown, at_once.delta)[0])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=20))
def test_the_index_holds_what_was_added_and_not_removed(steps: list[tuple[bool, int]]) -> None:
    index, expected = Index(embed=EMBED), dict[str, str]()
    for adds, number in steps:
        name, text = f"b-{number}", f"{ALIKE[number][0]} {len(expected)}"
        if adds:
            index.add([Bullet(name, "x", text)])
            expected[name] = text
        else:
            index.remove([name])
            expected.pop(name, None)
    assert len(index) == len(expected) and all(name in index for name in expected)
    for name, text in expected.items():
        assert name in candidates(index, text)
    assert set(candidates(index, "Nothing like any of them.")) <= set(expected)


def candidates(index: Index, text: str) -> tuple[str, ...]:
    """What a new bullet with this text is compared with."""
    index.add([Bullet("new", "x", text)])
    [(_, found)] = index.before(["new"])
    index.remove(["new"])
    return found


def test_a_better_embedder_finds_more_and_decides_nothing() -> None:
    """Candidates by vector are decided by the comparison of facts."""
    found = refine_playbook(book(*(text for pair in CONTRARY for text in pair)), Index(embed=EMBED))
    merged = {frozenset((op.into, *op.sources)) for op in found.delta if isinstance(op, Merge)}
    assert not [n for n in range(len(CONTRARY)) if {f"b-{2 * n}", f"b-{2 * n + 1}"} in merged]


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="playbooks of other tools are not on this machine")
@pytest.mark.parametrize("embed", [None, EMBED], ids=["words", "vectors"])
def test_the_22_duplicates_of_a_real_playbook_go_and_nothing_else(embed: object) -> None:
    text = (FIXTURES / "appworld_online_trained_playbook.txt").read_text(encoding="utf-8")
    entries = detect_format(text, file="f").read(text, "f", None).entries
    adds = [Add(f"b-{n}", entry.section or "x", entry.content) for n, entry in enumerate(entries)]
    playbook, _ = apply(Playbook(), adds)
    assert len(playbook) == 359
    found = refine_playbook(playbook, Index(embed=EMBED if embed else None))
    after, _ = apply(playbook, found.delta)
    assert len(after) == 337 and found.conflicts == ()
    assert {b.content for b in after} == {b.content for b in playbook}


def test_harm_retires_when_the_interval_says_so() -> None:
    playbook, _ = apply(
        book("five", "six", "mixed", "pinned", "unused", "used"),
        [
            Vote("b-0", 0, 5),
            Vote("b-1", 0, 6),
            Vote("b-2", 8, 12),
            Vote("b-3", 0, 50),
            Pin("b-3"),
            Vote("b-5", 1),
        ],
    )
    found = retire_bullets(playbook)
    assert found.delta == (Remove("b-1"),)
    assert found.reasons == ("6 harmful, 0 helpful: at least 54% of its votes are harmful",)
    shown = {f"b-{n}": 30 for n in range(6)}
    assert retire_bullets(playbook, unused=30, exposures=shown).delta == (Remove("b-1"), Remove("b-4"))
    assert retire_bullets(playbook, unused=31, exposures=shown).delta == (Remove("b-1"),)
    after, _ = apply(playbook, [*found.delta, Promote("b-1")])
    assert live(after) == live(playbook)


def test_the_interval_is_that_of_the_textbook() -> None:
    """Clopper and Pearson: with only harmful votes its lower end is 0.025 ** (1 / n)."""
    assert [bound_harm(0, n) for n in (1, 6, 40)] == pytest.approx([0.025 ** (1 / n) for n in (1, 6, 40)])
    assert bound_harm(3, 0) == 0 and bound_harm(8, 2) < 0.5


CONFLICT = Conflict("b-0", "b-1", "name: r7 against r9")
TWO = book("Go to R7.", "Go to R9.")


@pytest.mark.parametrize(
    ("changes", "proven", "loser"),
    [
        ((), {"e0": 1, "e1": 2}, "b-0"),
        ((), {"e0": 2, "e1": 1}, "b-1"),
        ((), {"e0": 1}, None),
        ((), {}, None),
        ((Pin("b-0"),), {"e0": 1, "e1": 2}, "b-1"),
        ((Pin("b-0"), Pin("b-1")), {"e0": 1, "e1": 2}, None),
        ((Vote("b-1", 0, 6),), {"e0": 1, "e1": 2}, "b-1"),
        ((Vote("b-1", 5, 6),), {"e0": 1, "e1": 2}, "b-0"),
    ],
)
def test_evidence_settles(changes: tuple[Vote | Pin, ...], proven: dict[str, int], loser: str | None) -> None:
    playbook, _ = apply(TWO, changes)
    found = settle_conflicts(
        [CONFLICT], playbook, lambda conflict: judge_by_evidence(conflict, playbook, proven)
    )
    assert found.delta == ((Quarantine(loser),) if loser else ())
    assert found.conflicts == (() if loser else (CONFLICT,))


def test_what_was_settled_is_not_settled_again() -> None:
    three = book("Go to R7.", "Go to R9.", "Go to R8.")
    found = settle_conflicts(
        refine_playbook(three).conflicts, three, lambda conflict: Ruling((conflict.one,), "told")
    )
    assert found.delta == (Quarantine("b-0"), Quarantine("b-1"))
    assert settle_conflicts([CONFLICT], TWO, lambda _: Ruling((), "both are needed")) == refine_playbook(
        Playbook()
    )
