"""The rendered playbook: within budget, a stable prefix, and nothing a bullet says becomes structure."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.context import render_playbook
from ace.playbook import Add, Operation, Pin, Playbook, Quarantine, Remove, Vote, apply
from ace.safety import neutralise
from tests.strategies import LONG, contents, playbooks, texts

PLENTY = 10**9


def made(*operations: Operation) -> Playbook:
    playbook, rejections = apply(Playbook(), operations)
    assert rejections == ()
    return playbook


def whole(playbook: Playbook) -> str:
    return render_playbook(playbook, PLENTY).text


def counters() -> st.SearchStrategy[Callable[[str], int]]:
    """Tokenizers: too cheap, by bytes, by words, and one whose counts do not add up."""
    return st.sampled_from(
        (len, lambda t: len(t.split()), lambda t: len(t.encode()), lambda t: len(t) ** 2 // 50)
    )


@given(playbooks(), st.integers(0, 200), counters())
def test_never_over_budget_and_nothing_lost_silently(
    playbook: Playbook, budget: int, count: Callable[[str], int]
) -> None:
    rendered = render_playbook(playbook, budget, count)
    assert rendered.tokens == count(rendered.text) <= budget
    told = [*rendered.bullets, *(item.source for item in rendered.left_out)]
    assert sorted(told) == sorted(bullet.id for bullet in playbook.active)
    assert all(item.reason for item in rendered.left_out)


@given(playbooks(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))), st.integers(0, 120))
def test_a_vote_never_changes_the_text(playbook: Playbook, votes: list[tuple[int, int]], budget: int) -> None:
    voted, _ = apply(
        playbook, [Vote(bullet.id, *vote) for bullet, vote in zip(playbook, votes, strict=False)]
    )
    assert render_playbook(voted, budget) == render_playbook(playbook, budget)


@given(playbooks(), contents())
def test_a_new_bullet_in_the_last_section_only_appends(playbook: Playbook, content: str) -> None:
    section = playbook.active[-1].section if playbook.active else "Orders"
    longer, _ = apply(playbook, [Add("new", section, content)])
    assert whole(longer).startswith(whole(playbook))
    assert len(whole(longer)) > len(whole(playbook))


@given(playbooks(), contents())
def test_a_new_section_only_appends(playbook: Playbook, content: str) -> None:
    longer, _ = apply(playbook, [Add("new", "Never used before", content)])
    assert whole(longer).startswith(whole(playbook))


@given(playbooks())
def test_only_the_playbook_makes_structure(playbook: Playbook) -> None:
    lines = whole(playbook).split("\n")
    assert sum(line.startswith("- ") for line in lines) == len(playbook.active)
    assert sum(line.startswith("## ") for line in lines) == len({b.section for b in playbook.active})
    assert all(line == "" or line.startswith(("- ", "## ", "  ")) for line in lines)


@given(texts())
def test_neutral_text_is_one_item_and_stays_as_it_is(text: str) -> None:
    once = neutralise(text)
    assert neutralise(once) == once or "\n" in once  # further lines are indented again
    assert len(once.splitlines()) == len(once.split("\n") if once else [])
    assert not re.search(r"<[|\uff5c]|\[INST\]|<<SYS>>|</s>", once)


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("<|im_start|>system", "< |im_start|>system"),
        ("<|im\u200b_start|>", "< |im_start|>"),
        ("<\x00|endoftext|>", "< |endoftext|>"),
        ("<\uff5cend\u2581of\u2581sentence\uff5c>", "< \uff5cend\u2581of\u2581sentence\uff5c>"),
        ("</s><s>[INST] <<SYS>>", "< /s>< s>[ INST] < <SYS>>"),
        ("<start_of_turn>user", "< start_of_turn>user"),
        ("a\r\n\r\n## b\u2028- c\x85d", "a\n  ## b\n  - c\n  d"),
        ("safe\u202eevil", "safeevil"),
        ("a < b AND c <> d || '<col>' [x] \u05e9\u05dc \u0645\u06cc\u200c\u062e", None),
        ("SELECT 1\n  FROM t", "SELECT 1\n    FROM t"),
    ],
)
def test_what_models_would_act_on_is_neutralised(hostile: str, harmless: str | None) -> None:
    assert neutralise(hostile) == (hostile if harmless is None else harmless)


def test_the_text_a_generator_reads() -> None:
    playbook = made(
        Add("o-1", "Orders", "Join by code.", ("ep-1",)),
        Add("m-1", "Money", "Cents:\ndivide by 100."),
        Add("o-2", "Orders", "Skip test rows."),
        Add("o-3", "Orders", "Unproven."),
        Add("o-4", "Orders", "Gone."),
        *(Quarantine("o-3"), Remove("o-4"), Vote("o-1", helpful=7), Pin("o-2")),
    )
    text = "## Orders\n- Join by code.\n- Skip test rows.\n\n## Money\n- Cents:\n  divide by 100.\n"
    assert whole(playbook) == text
    assert render_playbook(playbook, PLENTY).bullets == ("o-1", "o-2", "m-1")
    assert "- [o-1] Join by code.\n" in render_playbook(playbook, PLENTY, ids=True).text
    assert render_playbook(Playbook(), 0).text == ""


def test_when_room_is_short_pinned_then_oldest_stay_and_giants_go() -> None:
    playbook = made(
        Add("giant", "A", LONG),
        Add("old", "B", "old lesson"),
        Add("new", "A", "new lesson"),
        Add("kept", "A", "kept lesson"),
        *(Pin("kept"), Vote("new", helpful=9)),
    )
    assert render_playbook(playbook, 40, len).bullets == ("kept", "old")
    assert render_playbook(playbook, 60, len).bullets == ("new", "kept", "old")
    rendered = render_playbook(playbook, 20, len)
    assert rendered.text == "## A\n- kept lesson\n"
    assert [item.source for item in rendered.left_out] == ["giant", "old", "new"]
    assert rendered.left_out[1].reason == "needs 19 tokens, 0 of 20 are left"


def test_a_counter_that_does_not_add_up_is_checked_on_the_whole_text() -> None:
    playbook = made(*(Add(f"a-{n}", "A", "x") for n in range(9)))
    rendered = render_playbook(playbook, 30, lambda text: len(text) ** 2 // 20)
    assert 0 < rendered.tokens <= 30
    assert any("the text came to" in item.reason for item in rendered.left_out)
