"""Markdown: any playbook survives it, people's files read, edits come back as the edits they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import FormatError
from ace.playbook import (
    Add,
    Delta,
    Move,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Vote,
    apply,
    bullet_id,
    diff,
    from_markdown,
    to_markdown,
)
from tests.strategies import LONG, by_section, deltas, live, playbooks, texts


def made(*operations: object) -> Playbook:
    playbook, rejections = apply(Playbook(), operations)  # type: ignore[arg-type]
    assert rejections == ()
    return playbook


THREE = made(*(Add(f"a-{n}", "Orders", f"lesson {n}") for n in range(3)), Add("m-1", "Money", "cents"))


@given(playbooks())
def test_any_playbook_survives_markdown(playbook: Playbook) -> None:
    text = to_markdown(playbook)
    assert live(from_markdown(text)) == live(playbook)
    assert to_markdown(from_markdown(text)) == text


@given(playbooks())
def test_an_export_that_nobody_edited_changes_nothing(playbook: Playbook) -> None:
    assert diff(playbook, from_markdown(to_markdown(playbook), base=playbook)) == ()


@given(playbooks(), deltas())
def test_an_edited_export_leads_to_what_was_meant(playbook: Playbook, delta: Delta) -> None:
    edited, _ = apply(playbook, delta)
    result, rejections = apply(playbook, diff(playbook, from_markdown(to_markdown(edited), base=playbook)))
    assert rejections == ()
    assert live(result) == live(edited)


@given(playbooks(), playbooks())
def test_any_file_can_be_read_against_any_playbook(base: Playbook, other: Playbook) -> None:
    read = from_markdown(to_markdown(other), base=base)
    assert by_section(read) == by_section(other)
    assert by_section(apply(base, diff(base, read))[0]) == by_section(other)


@given(playbooks())
def test_files_keep_it_whatever_they_do_to_line_ends(playbook: Playbook) -> None:
    text = to_markdown(playbook)
    assert not set(text) & {"\r", "\x00", "\u2028", "\u202e", "\ufeff"}
    assert live(from_markdown("\ufeff" + text.replace("\n", "\r\n"))) == live(playbook)


@given(st.one_of(texts(), st.text()))
def test_any_text_reads_or_is_refused_with_a_line(text: str) -> None:
    try:
        playbook = from_markdown(text)
    except FormatError as error:
        assert error.details["line"] >= 1
    else:
        assert live(from_markdown(to_markdown(playbook))) == live(playbook)


def test_the_form_people_review() -> None:
    playbook = made(
        Add(
            "orders-1",
            "Orders",
            "Join orders.cust_ref to customers.code; a < b & c.",
            ("ep-7", "run 2, first"),
        ),
        Add("orders-2", "Orders", "Amounts are in cents:\n\n    SELECT cents / 100.0\n\ndivide once."),
        Add("hidden-1", "Hidden", "<!-- note --> tail\u202e"),
        Vote("orders-1", helpful=3),
        Pin("orders-2"),
        Quarantine("hidden-1"),
    )
    assert to_markdown(playbook) == (
        "# Playbook\n"
        "\n"
        "## Orders\n"
        "\n"
        "- Join orders.cust_ref to customers.code; a < b & c."
        " <!-- id=orders-1 helpful=3 from=ep-7,run%202%2C%20first -->\n"
        "- Amounts are in cents:\n"
        "\n"
        "      SELECT cents / 100.0\n"
        "\n"
        "  divide once.\n"
        "  <!-- id=orders-2 pinned -->\n"
        "\n"
        "## Hidden\n"
        "\n"
        "- &lt;!-- note --> tail&#x202e; <!-- id=hidden-1 quarantined -->\n"
    )


def test_an_empty_playbook_is_a_title() -> None:
    assert to_markdown(Playbook()) == "# Playbook\n"
    assert from_markdown("") == from_markdown(to_markdown(Playbook())) == Playbook()


def test_a_hand_written_file_reads() -> None:
    text = (
        "What we know about the shop.\n\n"
        "- Before any heading.\n\n"
        "<!-- a note\tto colleagues -->\n"
        "### Orders\nWhere they are.\n\n"
        "* First  \n  goes on\n\n  - and nests\n"
        "1. Numbered\n   and indented\n"
        "+   Twice &amp; once <!-- pinned -->\n"
        "-\n  Starts below\n"
        "- Twice &amp; once\n"
    )
    assert [(b.section, b.content) for b in from_markdown(text)] == [
        ("General", "Before any heading."),
        ("Orders", "First  \ngoes on\n\n- and nests"),
        ("Orders", "Numbered\nand indented"),
        ("Orders", "Twice & once"),
        ("Orders", "Starts below"),
        ("Orders", "Twice & once"),
    ]
    assert [b.pinned for b in from_markdown(text)] == [False, False, False, True, False, False]


def test_ids_are_derived_and_never_taken_from_another_bullet() -> None:
    derived = bullet_id("S", "same")
    playbook = from_markdown(f"## S\n- same\n- same\n- other <!-- id={derived} -->\n")
    ids = [bullet.id for bullet in playbook]
    assert len(set(ids)) == 3
    assert ids[2] == derived
    assert next(iter(from_markdown("## S\n- same"))).id == derived


@pytest.mark.parametrize(
    ("before", "after", "delta"),
    [
        ("- lesson 1 ", "- better 1 ", (Revise("a-1", "better 1"),)),
        ("- lesson 1 <!-- id=a-1 -->\n", "", (Remove("a-1"),)),
        ("id=a-1", "id=a-1 pinned helpful=2", (Vote("a-1", 2), Pin("a-1"))),
        ("id=a-1", "id=a-1 quarantined", (Quarantine("a-1"),)),
        ("- lesson 2", "- new\n- lesson 2", None),
        ("## Money", "## Cents", (Move("m-1", "Cents"),)),
        ("- cents", "- new <!-- id=n-1 -->\n- cents", (Add("n-1", "Money", "new", (), 0),)),
        ("<!-- id=m-1 -->\n", "<!-- id=m-1 -->\n- new <!-- id=n-1 -->\n", (Add("n-1", "Money", "new"),)),
    ],
)
def test_an_edit_by_hand_becomes_the_operations_it_means(
    before: str, after: str, delta: Delta | None
) -> None:
    text = to_markdown(THREE)
    assert before in text
    edited = from_markdown(text.replace(before, after, 1), base=THREE)
    changes = diff(THREE, edited)
    assert delta is None or changes == delta
    assert [b.content for b in edited] == [b.content for b in from_markdown(text.replace(before, after, 1))]
    assert live(apply(THREE, changes)[0]) == live(edited)


def test_a_bullet_moved_up_by_hand_is_one_move() -> None:
    spread = made(Add("a", "S", "1"), Add("x", "T", "x"), Add("b", "S", "2"), Add("c", "S", "3"))
    lines = to_markdown(spread).splitlines(keepends=True)
    last = next(line for line in lines if "id=c" in line)
    lines.remove(last)
    lines.insert(next(n for n, line in enumerate(lines) if "id=b" in line), last)
    assert diff(spread, from_markdown("".join(lines), base=spread)) == (Move("c", "S", 1),)


def test_a_removed_bullet_written_again_comes_back() -> None:
    gone = made(Add("a-1", "S", "x"), Add("a-2", "S", "y"), Remove("a-1"))
    edited = from_markdown("## S\n- y <!-- id=a-2 -->\n- x <!-- id=a-1 -->\n", base=gone)
    assert diff(gone, edited)[0] == Promote("a-1")


def test_a_bullet_of_100_kilobytes_survives() -> None:
    playbook = made(Add("a", "S", LONG), Add("b", "S", "\n".join(["- x"] * 25_000) + LONG))
    assert live(from_markdown(to_markdown(playbook))) == live(playbook)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("## S\n- a\n\nloose text\n", 4, "belongs to no bullet. Indent it by two spaces"),
        ("## S\n- a <!-- id=a\n", 2, "does not end with '-->'"),
        ("## S\n- a <!-- todo -->\n", 2, "what is 'todo'? Known: id="),
        ("## S\n- a <!-- id= -->\n", 2, "what is 'id='?"),
        ("## S\n- a <!-- id=a helpful=many -->\n", 2, "invalid literal"),
        ("## S\n- a <!-- id=a helpful=-1 -->\n", 2, "helpful count is out of range"),
        ("## S\n- a <!-- id=a from= -->\n", 2, "blank episode id"),
        ("## S\n- a <!-- id=a -->\n- b <!-- id=a -->\n", 3, "'a' cannot be used: this id is there twice"),
        ("## S\n- a <!-- id=a;b -->\n", 2, "an id is letters"),
        ("## S\n- a\n-\n", 3, "empty content"),
        ("## S\n- &#xd800;\n", 2, "invalid Unicode"),
    ],
)
def test_what_does_not_read_names_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_markdown(text, file="shop.md")
    assert str(caught.value).startswith(f"shop.md:{line}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "- a\n\nloose text\n",
            "line 3: This text belongs to no bullet. "
            "Indent it by two spaces to continue the bullet, or start it with '- '.",
        ),
        ("- a <!-- id=a\n", "line 1: This bullet's comment does not end with '-->'."),
        (
            "- a <!-- todo -->\n",
            "line 1: This bullet's comment does not read: what is 'todo'? Known: id=, quarantined, pinned, "
            "helpful=, harmful=, from=. Put notes on a line of their own.",
        ),
        ("-\n", "line 1: The bullet 'general-ID' cannot be used: empty content."),
    ],
)
def test_a_text_from_nowhere_is_refused_in_these_words(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_markdown(text)
    assert str(caught.value) == says.replace("general-ID", bullet_id("General", ""))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("\ufeff- as some editors begin a file", "as some editors begin a file"),
        ("- one\n\ttwo\t", "one\ntwo"),
        ("- one\n  \ttwo <!-- id=a -->", "one\n\ttwo"),
        ("- x<!-- id=a -->", "x"),
        ("- x <!-- id=a --> y  ", "x y"),
        ("- x <!-- id=a --> and --> more", "x and --> more"),
        ("- x  <!-- id=a -->", "x "),
    ],
)
def test_what_people_type_means_this(text: str, content: str) -> None:
    (bullet,) = from_markdown(text)
    assert (bullet.section, bullet.content) == ("General", content)


def test_episode_ids_are_written_so_that_people_can_read_them() -> None:
    playbook = made(Add("a", "S", "x", ("run 1/s-2@x+(3):0", "a,b")))
    assert "from=run%201/s-2@x+(3):0,a%2Cb -->" in to_markdown(playbook)
