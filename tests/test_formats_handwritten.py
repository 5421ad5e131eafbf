"""Markdown that people write for agents: every line is a bullet, or named with its place and its kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.playbook import Add, Playbook, apply, diff, to_markdown
from ace.playbook.exchange import plan_import
from ace.playbook.formats import Reading, detect_format, find_format
from ace.playbook.formats.handwritten import read_handwritten
from tests.cli import Ace
from tests.instruction_files import FILES
from tests.strategies import live, playbooks


def contents(reading: Reading) -> list[str]:
    return [entry.content for entry in reading.entries]


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def list_lost_lines(text: str, reading: Reading) -> list[str]:
    """Return the lines of a text that stand neither in a bullet or its section nor in what is named."""
    named: set[int] = set()
    for finding in (*reading.unread, *reading.notes):
        if "there is no list" not in finding.text:
            named.update(range(finding.line, max(finding.line, finding.last) + 1))
    read = letters("".join(entry.section + entry.content for entry in reading.entries))
    lost = []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        rest = letters(line.lstrip(" \t0123456789.)-*+").removeprefix("[x] ").removeprefix("[X] "))
        if number not in named and rest not in read:
            lost.append(line)
    return lost


@pytest.mark.parametrize("name", FILES)
def test_files_for_agents_are_read(name: str) -> None:
    text, bullets = FILES[name]
    form = detect_format(text, file=name.partition(":")[0])
    assert form.name == "markdown"
    reading = form.read(text, name, None)
    assert contents(reading) == bullets
    assert list_lost_lines(text, reading) == []


@pytest.mark.parametrize("name", FILES)
def test_what_was_imported_goes_out_and_in_unchanged(name: str) -> None:
    form = find_format("markdown")
    plan = plan_import(form.read(FILES[name][0], "f", None), Playbook())
    playbook, rejections = apply(Playbook(), plan.delta)
    assert rejections == ()
    again = form.read(to_markdown(playbook), "f", playbook).playbook
    assert again is not None and live(again) == live(playbook)
    assert plan_import(form.read(FILES[name][0], "f", playbook), playbook).delta == ()


PARTS = st.sampled_from(
    [part for text, _ in FILES.values() for part in text.removeprefix("\ufeff").split("\n")]
    + ["", "", "- a1", "  b2", "    c3", "```", "~~~", "<x>", "</x>"]
    + ["<!-- d4", "e5 -->", "> f6", "# g7", "---"]
)


@given(st.lists(PARTS, max_size=14).map("\n".join))
def test_no_line_of_any_mixture_is_lost(text: str) -> None:
    reading = find_format("markdown").read(text, "f", None)
    if reading.playbook is None:
        assert list_lost_lines(text, reading) == []
    elif "<!-- id=" not in text:  # an export of ours has another reader
        assert len(reading.playbook) == 0 and list_lost_lines(text, reading) == []


def test_what_is_no_bullet_is_named_by_kind() -> None:
    text = (
        "# T\n\nText\nof two lines.\n\n```\ncode\n```\n\na | b\n--|--\n1 | 2\n\n> quoted\n\n"
        "<div>\nhtml\n</div>\n\n<!-- note -->\n\n<rules>\n\n[a]: b.md\n\n---\n\n- x\n"
    )
    reading = find_format("markdown").read(text, "f", None)
    assert [(finding.line, finding.last, finding.kind) for finding in reading.unread] == [
        (3, 4, "text"),
        (6, 8, "code"),
        (10, 12, "table"),
        (14, 14, "quotation"),
        (16, 18, "HTML"),
        (20, 20, "comment"),
        (22, 22, "tag"),
        (24, 24, "definition"),
    ]
    assert reading.unread[0].text == "no bullet, but text: 'Text'"
    assert contents(reading) == ["x"]


def test_sections_are_the_nearest_headings() -> None:
    reading = find_format("markdown").read("- a\n\nOne\ntwo\n===\n- b\n#\n- c\n### D ##\n- d\n", "f", None)
    assert [(entry.section, entry.content) for entry in reading.entries] == [
        ("General", "a"), ("One two", "b"), ("General", "c"), ("D", "d")
    ]  # fmt: skip


def test_headings_and_boxes_that_say_nothing_more_are_reported() -> None:
    reading = find_format("markdown").read("# A\n\n## B\n\n- [x] b\n- [ ] c\n\n## D\n", "f", None)
    assert [(note.line, note.text) for note in reading.notes] == [
        (1, "a heading without bullets: 'A'"), (8, "a heading without bullets: 'D'")
    ]  # fmt: skip
    assert reading.lost == ("boxes of 2 tasks",)


def test_one_bad_bullet_of_an_export_costs_itself_alone() -> None:
    playbook, _ = apply(Playbook(), [Add("a-1", "S", "x"), Add("a-2", "S", "y"), Add("a-3", "S", "z")])
    text = to_markdown(playbook).replace("id=a-2", "id=a-2 helpful=many").replace("## S\n", "## S\nIntro.\n")
    reading = find_format("markdown").read(f"{text}loose\n", "f", playbook)
    assert reading.playbook is not None
    assert [bullet.id for bullet in reading.playbook] == ["a-1", "a-3"]
    assert [(finding.line, finding.kind) for finding in reading.unread] == [(4, "text"), (7, ""), (9, "")]
    plan = plan_import(reading, playbook)
    assert plan.delta == ()


@given(playbooks())
def test_an_export_is_known_as_one_whatever_its_bullets_look_like(playbook: Playbook) -> None:
    again = find_format("markdown").read(to_markdown(playbook), "f", playbook).playbook
    assert again is not None and diff(playbook, again) == ()


def test_the_command_names_lines_and_counts_kinds(ace: Ace) -> None:
    Path("AGENTS.md").write_text("# A\n\nNever push.\n\n```\nx\ny\n```\n\n- Test.\n", encoding="utf-8")
    done = ace("playbook", "import", "AGENTS.md", "--playbook", "x.db")
    assert done.code == 0
    assert "2 parts of the file not read: 1 text, 1 code" in done.out
    assert "not read: AGENTS.md:3: no bullet, but text: 'Never push.'" in done.out
    assert "not read: AGENTS.md:5-8: no bullet, but code: '```'" in done.out


def test_text_that_is_no_bullet_stops_strict_and_not_replace(ace: Ace) -> None:
    Path("rules.md").write_text("Ours.\n\n- One.\n", encoding="utf-8")
    assert ace("playbook", "import", "rules.md", "--playbook", "x.db", "--strict").code == 2
    assert ace("playbook", "import", "rules.md", "--playbook", "x.db").code == 0
    Path("rules.md").write_text("Ours.\n\n- Two.\n", encoding="utf-8")
    assert ace("playbook", "import", "rules.md", "--playbook", "x.db", "--replace").code == 0
    out = ace("playbook", "export", "--playbook", "x.db").out
    assert "Two." in out and "One." not in out


@pytest.mark.parametrize(
    "sign", ["•", "‣", "▪", "◦", "●", "·", "\u2013", "\u2014", "-\u00a0", "\u200b-", "*"]
)
def test_signs_that_people_write_begin_items(sign: str) -> None:
    reading = read_handwritten(f"# Rules\n\n{sign} Use tabs.\n{sign} Keep it short,\n  and plain.\n")
    assert [(entry.section, entry.content) for entry in reading.entries] == [
        ("Rules", "Use tabs."), ("Rules", "Keep it short,\nand plain.")
    ]  # fmt: skip


@pytest.mark.parametrize("sign", ["・", "1、", "\uff12\uff0e", "(3)", "\uff083\uff09", "④"])
def test_signs_of_other_scripts_begin_items(sign: str) -> None:
    reading = read_handwritten(f"## 规则\n\n{sign}使用制表符\n{sign} 保持简短\n")
    assert [(entry.section, entry.content) for entry in reading.entries] == [
        ("规则", "使用制表符"), ("规则", "保持简短")
    ]  # fmt: skip


def test_a_bold_heading_is_its_text() -> None:
    assert read_handwritten("## **Style**\n- a\n").entries[0].section == "Style"
    assert read_handwritten("## **A** and **B**\n- a\n").entries[0].section == "**A** and **B**"


def test_a_sign_in_code_or_within_a_line_is_text() -> None:
    reading = read_handwritten("- Write a • sign.\n\n```\n• no\n• no\n```\n")
    assert [entry.content for entry in reading.entries] == ["Write a • sign."]
    assert [(finding.line, finding.kind) for finding in reading.unread] == [(3, "code")]


@pytest.mark.parametrize("label", ["Tests:", "**Tests**", "**Tests:**", "__Tests__:"])
def test_a_label_above_a_list_is_a_section_where_no_heading_is(label: str) -> None:
    text = f"Style:\n- Use tabs.\n{label}\n- Each fix has one.\n"
    assert [(entry.section, entry.content) for entry in read_handwritten(text).entries] == [
        ("Style", "Use tabs."), ("Tests", "Each fix has one.")
    ]  # fmt: skip
    reading = read_handwritten(f"# Rules\n\n{text}")
    assert [(entry.section, entry.content) for entry in reading.entries] == [
        ("Rules", "Use tabs."), ("Rules", "Each fix has one.")
    ]  # fmt: skip
    assert [(finding.line, finding.kind) for finding in reading.unread] == [(3, "text"), (5, "text")]


@pytest.mark.parametrize("before", ["", "\n", "\n\n", "<!-- written by a tool -->\n"])
@pytest.mark.parametrize("end", ["---\n", "...\n", "\n"])
def test_front_matter_wherever_a_file_begins(before: str, end: str) -> None:
    text = f"{before}---\n# of a tool\nname: x\ntools:\n- Read\n{end}- Start here.\n"
    assert [entry.content for entry in read_handwritten(text).entries] == ["Start here."]


def test_rules_around_a_list_are_no_front_matter() -> None:
    reading = read_handwritten("---\n\n- One.\n\n---\n\n- Two.\n")
    assert [entry.content for entry in reading.entries] == ["One.", "Two."]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_a_file_in_another_encoding_is_imported(encoding: str, ace: Ace) -> None:
    Path("AGENTS.md").write_bytes("# Rules\n\n- Use tabs in größeren Dateien.\n".encode(encoding))
    done = ace("playbook", "import", "AGENTS.md", "--playbook", "x.db")
    assert done.code == 0 and "1 bullet" in done.out
    assert "größeren" in ace("playbook", "export", "--playbook", "x.db").out


def test_a_file_in_another_encoding_is_not_written_over(ace: Ace) -> None:
    Path("rules.md").write_text("- Use tabs.\n", encoding="utf-8")
    ace("playbook", "import", "rules.md", "--playbook", "x.db")
    data = "Mine.\n".encode("utf-16")
    Path("AGENTS.md").write_bytes(data)
    done = ace("playbook", "export", "AGENTS.md", "--playbook", "x.db")
    assert done.code != 0 and "Save it as UTF-8" in done.err and Path("AGENTS.md").read_bytes() == data
