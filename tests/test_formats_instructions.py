"""The block in a file of instructions: updated in place, and nothing else is touched, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import FormatError
from ace.playbook import Add, Move, Pin, Playbook, Quarantine, Revise, Vote, apply, diff
from ace.playbook.formats import find_format
from ace.playbook.formats.instructions import BEGIN, END, new_file, read, update, write
from tests.strategies import live, playbooks

BLOCK = f"{BEGIN}\n## Lessons\n\n### S\n\n- x <!-- id=a-1 -->\n{END}\n"
OTHER = BLOCK.replace("- x", "- y\n- z")
FENCED = f"\n```\n{BEGIN}\n- an example\n{END}\n```\n"


def block(*operations: object) -> str:
    playbook, rejections = apply(Playbook(), operations)  # type: ignore[arg-type]
    assert rejections == ()
    return write(playbook, {})


def test_the_block_an_agent_reads() -> None:
    text = block(
        Add("a-1", "Orders", "Status 7 is cancelled.", ("ep-1",)),
        Add("a-2", "Orders", "two\nlines"),
        Add("q-1", "Orders", "unproven"),
        *(Vote("a-1", 3), Pin("a-2"), Quarantine("q-1")),
    )
    assert text == (
        "<!-- ace:begin -->\n"
        "## Lessons\n"
        "\n"
        "### Orders\n"
        "\n"
        "- Status 7 is cancelled. <!-- id=a-1 -->\n"
        "- two\n"
        "  lines\n"
        "  <!-- id=a-2 -->\n"
        "<!-- ace:end -->\n"
    )


@given(playbooks())
def test_what_the_block_holds_comes_back(playbook: Playbook) -> None:
    again = read(write(playbook, {}), "f", None).playbook
    assert again is not None
    told = [(bullet.id, bullet.section, bullet.content) for bullet in again]
    assert told == [(bullet.id, bullet.section, bullet.content) for bullet in playbook.active]


@given(playbooks())
def test_reading_a_block_back_changes_nothing(playbook: Playbook) -> None:
    """What the block does not hold, such as votes, stays; bullets it lacks are removed only when asked."""
    again = read(write(playbook, {}), "f", playbook).playbook
    assert again is not None
    kept = tuple(each for each in diff(playbook, again) if each.op != "remove")
    assert live(apply(playbook, kept)[0]) == live(playbook)


def test_an_edited_block_is_the_edit() -> None:
    made = (Add("a-1", "S", "x", ("ep-1",)), Vote("a-1", 3), Pin("a-1"))
    playbook, _ = apply(Playbook(), made)
    text = write(playbook, {}).replace("- x", "- y").replace("### S", "### T")
    again = read(f"Mine.\n\n{text}\nMine too.\n- not a bullet\n", "f", playbook)
    assert again.playbook is not None
    assert diff(playbook, again.playbook) == (Revise("a-1", "y"), Move("a-1", "T"))
    assert [(note.line, note.text) for note in again.notes] == [
        (3, "only the block between the markers was read")
    ]


def test_what_is_wrong_in_the_block_is_named_with_the_line_of_the_file() -> None:
    reading = read(f"Mine.\n{BEGIN}\n## S\n- x\nloose\n{END}\n", "AGENTS.md", None)
    ((line, text),) = [(finding.line, finding.text) for finding in reading.unread]
    assert line == 5 and text.startswith("This text belongs to no bullet")
    assert reading.playbook is not None and [bullet.content for bullet in reading.playbook] == ["x"]


MEND = f"Put each of {BEGIN} and {END} on a line of its own, once and in this order, or remove both."
USERS = st.lists(
    st.sampled_from(
        (
            "# Mine\n",
            "text",
            "\n",
            "\r\n",
            "  ",
            "\u2028",
            "\x0c",
            "é",
            FENCED,
            "`<!-- ace:begin -->`",
            "<!-- x -->\n",
            "- y\n",
        )
    ),
    max_size=6,
).map("".join)


@given(before=USERS, after=USERS, playbook=playbooks())
def test_everything_outside_the_markers_is_untouched(before: str, after: str, playbook: Playbook) -> None:
    before, after = f"{before}\n", f"\n{after}"
    text = f"{before}{BLOCK}{after}"
    updated = update(text, write(playbook, {}))
    assert updated.startswith(before)
    assert updated.endswith(after)
    assert update(updated, write(playbook, {})) == updated
    assert update(updated, BLOCK).replace("\r\n", "\n") == text.replace("\r\n", "\n")
    again = read(updated, "f", None).playbook
    assert again is not None and len(again) == len(playbook.active)


@given(USERS)
def test_a_block_is_appended_to_any_text(text: str) -> None:
    updated = update(text, BLOCK)
    assert updated.startswith(text)
    assert update(updated, BLOCK) == updated
    assert update(updated, OTHER).startswith(text)
    assert len(read(updated, "f", None).playbook or ()) == 1


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", BLOCK),
        ("Mine.\n", f"Mine.\n\n{BLOCK}"),
        ("Mine.", f"Mine.\n\n{BLOCK}"),
        ("Mine.\r\n", "Mine.\r\n\r\n" + BLOCK.replace("\n", "\r\n")),
        (f"a\n{OTHER}b", f"a\n{BLOCK}b"),
        (f"a\n{OTHER}".rstrip("\n"), f"a\n{BLOCK}".rstrip("\n")),
        (f"a\r\n{BEGIN}\r\n{END}\r\nb", "a\r\n" + BLOCK.replace("\n", "\r\n") + "b"),
        (f"{BEGIN}  \n{END}\t\n", BLOCK),
        (f"{FENCED}{OTHER}{FENCED}", f"{FENCED}{BLOCK}{FENCED}"),
        (f"~~~~md\n```\n{BEGIN}\n~~~\n~~~~\n", f"~~~~md\n```\n{BEGIN}\n~~~\n~~~~\n\n{BLOCK}"),
        (f"Ours is `{BEGIN}`, not ``{END}``.\n", f"Ours is `{BEGIN}`, not ``{END}``.\n\n{BLOCK}"),
        ("```` a`b\nno fence\n", f"```` a`b\nno fence\n\n{BLOCK}"),
    ],
)
def test_where_the_block_goes(text: str, result: str) -> None:
    assert update(text, BLOCK) == result


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"a\n{BEGIN}\n- x\n", 2, "The block that begins here never ends."),
        (f"a\n{END}\n", 2, "This marker is damaged, doubled or alone."),
        (f"{END}\n{BEGIN}\n", 1, "This marker is damaged, doubled or alone."),
        (f"{BLOCK}{BLOCK}", 8, "This marker is damaged, doubled or alone."),
        (f"{BEGIN}\n{BLOCK}", 2, "This marker is damaged, doubled or alone."),
        (f"{BLOCK}{END}\n", 8, "This marker is damaged, doubled or alone."),
        (f"a {BEGIN}\n{END}\n", 1, "This marker is damaged, doubled or alone."),
        (f"   {BEGIN}\n", 1, "This marker is damaged, doubled or alone."),
        ("<!-- ace:begin\n", 1, "This marker is damaged, doubled or alone."),
        ("ace:end -->\n", 1, "This marker is damaged, doubled or alone."),
        ("<!--ace:begin-->\n", 1, "This marker is damaged, doubled or alone."),
        (f"{BEGIN}\n```\n{FENCED}", 5, "This marker is damaged, doubled or alone."),
        (f"{BEGIN}\n- x {END}\n", 2, "This marker is damaged, doubled or alone."),
        (f"a\n```py\n{BEGIN}\n{END}\n", 2, "This code fence is never closed. Close it"),
        ("a\n~~~\n```\n", 2, "add a line ~~~."),
    ],
)
def test_what_would_take_a_guess_is_refused(text: str, line: int, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        update(text, BLOCK, file="AGENTS.md")
    assert str(caught.value).startswith(f"AGENTS.md:{line}: ")
    assert says in str(caught.value)
    if "fence" not in says and "~" not in says:
        assert str(caught.value) == f"AGENTS.md:{line}: {says} {MEND}"


@pytest.mark.parametrize(
    ("text", "damaged"),
    [
        (f"a {BEGIN}\n{BLOCK}", {1}),
        (f"{BLOCK}{END}\n", {BLOCK.count("\n") + 1}),
        (f"{BEGIN}\n{BLOCK}", {2}),
        (f"<!--ace:begin-->\nMine.\n{BLOCK}Mine.\nace:end -->\n", {1, BLOCK.count("\n") + 4}),
        (BLOCK.replace(f"{END}\n", f"- x {END}\n{END}\n"), {BLOCK.count("\n")}),
    ],
)
def test_a_damaged_marker_beside_a_whole_block_costs_itself_alone(text: str, damaged: set[int]) -> None:
    whole, reading = read(BLOCK, "AGENTS.md", None), read(text, "AGENTS.md", None)
    assert reading.playbook == whole.playbook and whole.playbook
    found = {finding.line: finding for finding in reading.unread}
    assert set(found) == damaged
    assert all("This marker is damaged" in finding.text and not finding.kind for finding in found.values())


def test_a_fence_inside_a_bullet_stays_inside() -> None:
    text = block(Add("a-1", "S", "```\ncode without an end"), Add("a-2", "S", f"{END}\n```"))
    assert update(f"Mine.\n\n{text}End.\n", BLOCK) == f"Mine.\n\n{BLOCK}End.\n"


def test_a_file_without_a_block_has_nothing_to_read() -> None:
    with pytest.raises(FormatError, match=f"^AGENTS.md: There is no block between {BEGIN} and {END}.$"):
        read(FENCED, "AGENTS.md", None)
    with pytest.raises(FormatError, match=r"^AGENTS.md:2: The block that begins here never ends"):
        read(f"\n{BEGIN}\n", "AGENTS.md", None)
    assert not find_format("instructions").detects(f"x {BEGIN}\n")


def test_a_new_skill_has_the_front_matter_it_is_found_by() -> None:
    assert new_file("x/SKILL.md", "Shop SQL!") == (
        "---\nname: shop-sql\ndescription: Lessons learned about shop-sql.\n---\n"
    )
    assert "name: lessons\n" in new_file("SKILL.md", "!")
    assert new_file("AGENTS.md", "shop") == ""
