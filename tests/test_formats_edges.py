"""Formats at their edges: what is told from what, which line a finding names, and errors to the letter."""

from __future__ import annotations

import pytest

from ace.errors import FormatError
from ace.playbook import Add, Playbook, Quarantine, apply, bullet_id
from ace.playbook.export import select_writable
from ace.playbook.formats import Reading, detect_format, find_format
from ace.playbook.formats.instructions import BEGIN, END, update, write
from ace.playbook.formats.instructions import read as read_block


def read(form: str, text: str, file: str = "f") -> Reading:
    return find_format(form).read(text, file, None)


def contents(reading: Reading) -> list[str]:
    return [entry.content for entry in reading.entries]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("- x\n[a-1] z\n", "markdown"),
        ("# Playbook\n\n## A\n\n<!-- nothing yet -->\n", "markdown"),
        ('{"format": "ace-playbook-1"}', "json"),
        ("1. x\n", "markdown"),
    ],
)
def test_a_text_shows_what_it_is(text: str, form: str) -> None:
    assert detect_format(text).name == form


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "skills[2]{id,section}:\n",
            "This is the prompt that Kayba makes of a skillbook. Import the skillbook's JSON.",
        ),
        ("\n [1, 2]", "This is JSON, but no playbook. Known: json, jsonl, kayba, cheatsheet."),
        (
            "Dear diary,\ntoday",
            "It holds no bullets that any format knows. A bullet is a line that begins with '- '. "
            "--format text takes every paragraph as one.",
        ),
        (
            '{"skills": {',
            "line 1: This is not JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 13 (char 12). Known: json, jsonl, kayba, cheatsheet.",
        ),
    ],
)
def test_a_text_that_is_nothing_we_know_is_refused_in_these_words(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        detect_format(text)
    assert str(caught.value) == says
    with pytest.raises(FormatError) as caught:
        detect_format(text, file="f")
    assert caught.value.details["file"] == "f"


def test_a_text_nested_too_deep_is_not_json() -> None:
    with pytest.raises(FormatError, match=r"^f: This is not JSON: "):
        detect_format("[" * 100_000, file="f")


# Our own


def test_broken_json_names_its_file() -> None:
    with pytest.raises(FormatError, match=r"^f: This is not a playbook"):
        read("json", '{"bullets": 3}')


def test_an_empty_file_is_an_empty_playbook() -> None:
    assert read("markdown", " \n").playbook == Playbook()


# A block in a file of instructions


def test_only_the_title_of_a_block_is_called_otherwise() -> None:
    playbook, _ = apply(Playbook(), [Add("a", "# Playbook", "# Playbook\n# Playbook")])
    text = write(playbook, {})
    again = read_block(text, "f", None).playbook
    assert again is not None
    assert [(b.section, b.content) for b in again] == [("# Playbook", "# Playbook\n# Playbook")]
    assert text.splitlines()[1] == "## Lessons"


def test_a_block_that_begins_with_a_bullet_and_a_file_that_begins_with_a_blank_line() -> None:
    reading = read_block(f"\n\n{BEGIN}\n- x\n{END}\n", "f", None)
    assert reading.playbook is not None and [b.content for b in reading.playbook] == ["x"]
    assert [note.line for note in reading.notes] == [3]
    assert [finding.line for finding in read_block(f"\n{BEGIN}\n- x\nloose\n{END}\n", "f", None).unread] == [
        4
    ]


def test_a_text_that_is_no_file_is_refused_by_line() -> None:
    with pytest.raises(FormatError, match=r"^line 2: The block that begins here never ends\. Put each"):
        update(f"a\n{BEGIN}\n", "")


# A cheatsheet


def test_of_many_snapshots_the_last_is_read_and_named() -> None:
    sheet = '{"cheatsheet": "<memory_item>\\nNUMBER"}\n'
    text = "".join(sheet.replace("NUMBER", number) for number in ("one", "two", "\\n", "four")) + "\n\n"
    reading = read("cheatsheet", text)
    assert [(e.line, e.content) for e in reading.entries] == [(4, "four")]
    assert [(n.line, n.text) for n in reading.notes] == [
        (4, "the last of 4 snapshots; the earlier ones were not read")
    ]
    with pytest.raises(FormatError, match=r"^f:5: The last snapshot has no cheatsheet\.$"):
        read("cheatsheet", text.strip() + '\n{"cheatsheet": 5}\n')


def test_lines_of_an_item_keep_their_indent_and_nothing_behind_them() -> None:
    reading = read(
        "cheatsheet", "## XML tricks X:\n<memory_item>\nfirst:  \n    - second\t\n</memory_item>\n"
    )
    assert [(e.section, e.content) for e in reading.entries] == [("XML tricks X", "first:\n    - second")]


# Plain text


def test_line_ends_of_another_system_and_code_in_a_language() -> None:
    text = "One\r\ngoes on\r\n\r\n```python\nx = 1\n\ny = 2\n```\r\n\r\nlast"
    assert contents(read("text", text)) == ["One\ngoes on", "```python\nx = 1\n\ny = 2\n```", "last"]


# Kayba's skillbook


def test_a_skill_says_no_more_than_it_says() -> None:
    text = (
        '{"skills": {"a-1": {"content": "x"},\n'
        '"a-2": {"content": "y", "helpful": 2, "harmful": 3, "section": "S", "status": "invalid"}}}'
    )
    reading = read("kayba", text)
    assert [(e.section, e.helpful, e.harmful, e.quarantined, e.line) for e in reading.entries] == [
        ("General", 0, 0, False, 1),
        ("S", 2, 3, True, 2),
    ]
    assert [(n.line, n.text) for n in reading.notes] == [(2, "a-2 is invalid there: quarantined here")]


def test_a_skill_is_found_among_what_looks_like_it() -> None:
    text = (
        '{"b": 1,\n"skills": {\n"a": {"content": "x"},\n"b": {"content": "y"},\n'
        '"c" :\n {"content": "z"},\n"d": {"content": "u"}},\n"a": 2, "d": 3}'
    )
    assert [(e.alias, e.line) for e in read("kayba", text).entries] == [
        ("a", 3),
        ("b", 4),
        ("c", 4),
        ("d", 7),
    ]


def test_no_skillbook_is_refused_in_these_words() -> None:
    with pytest.raises(FormatError) as caught:
        read("kayba", "[]")
    assert str(caught.value) == 'f: This is not a skillbook: it is no JSON object with "skills".'


# The reference's text


def test_a_further_line_belongs_to_the_bullet_right_above() -> None:
    reading = read("ace", "[a-1] one\n[a-2] two\n[a-3] three\n goes on \n[a-4] four\nand on\n")
    assert contents(reading) == ["one", "two", "three\ngoes on", "four\nand on"]
    assert [(n.line, n.text) for n in reading.notes] == [
        (4, "taken as a further line of a-3"),
        (6, "taken as a further line of a-4"),
    ]


# JSON Lines


def test_lines_that_are_no_bullets_say_why() -> None:
    text = (
        '{"content": 5}\n{"id": "a", "content": "x"}\n{"id": "a", "content": "y"}\n'
        '{"content": "x", "status": "removed"}\n{"content": "z", "position": -5}\n'
    )
    reading = read("jsonl", text)
    removed = bullet_id("General", "x")
    assert [(finding.line, finding.text) for finding in reading.unread] == [
        (1, "a bullet: content: 5 is not str."),
        (3, "the bullet 'a' cannot be used: this id is there twice"),
        (4, f"the bullet '{removed}' cannot be used: a removed bullet is not written, but left out"),
    ]
    assert reading.playbook is not None and [b.content for b in reading.playbook] == ["x", "z"]


def test_a_derived_id_is_none_that_the_file_has_further_down() -> None:
    key = bullet_id("General", "x")
    playbook = read("jsonl", f'{{"content": "x"}}\n{{"id": "{key}", "content": "y"}}\n').playbook
    assert playbook is not None
    assert [(b.id, b.content) for b in playbook] == [(bullet_id("General", "x", "2"), "x"), (key, "y")]
    alone = read("jsonl", '{"content": "x"}').playbook
    assert alone is not None and set(alone.bullets) == {key}


def test_json_is_written_for_people_to_read() -> None:
    playbook, _ = apply(Playbook(), [Add("a", "S", "größe")])
    for form in ("jsonl", "kayba", "json"):
        written = find_format(form).write
        assert written is not None and "größe" in written(playbook, {})


def test_a_line_is_quoted_whole_up_to_sixty_characters() -> None:
    for length, quoted in ((60, "x" * 60), (61, "x" * 57 + "...")):
        (finding,) = read("ace", f"[a-1] fine\n\n{'x' * length}").unread
        assert finding.text == f"this line is no bullet: '{quoted}'"


def test_votes_count_when_any_line_of_the_file_has_them() -> None:
    counted = read("ace", "[a-1] helpful=1 harmful=2 :: x\n[a-2] y\n")
    assert counted.votes is True
    assert [(e.helpful, e.harmful) for e in counted.entries] == [(1, 2), (0, 0)]
    assert read("ace", "[a-1] x\n").votes is False
    assert read("kayba", '{"skills": {}}').votes is True


def test_a_count_that_no_playbook_could_hold_is_named() -> None:
    reading = read("ace", "[a-1] helpful=0 harmful=99999999999999999 :: x\n")
    assert [finding.text for finding in reading.unread] == ["a-1: the harmful count is out of range"]


def test_a_content_keeps_what_only_looks_like_space_around_it() -> None:
    assert contents(read("ace", "[a-1] \t\u00a0x \n[a-2] X marks X\n")) == ["\u00a0x", "X marks X"]


def test_empty_sections_are_counted() -> None:
    assert read("ace", "## A\n## B\n[a-1] x\n## C\n").lost == ("2 empty sections",)


def test_a_heading_keeps_its_letters_and_loses_the_space_around_it() -> None:
    reading = read("ace", "## X marks X \t\n[a-1] x\n## \u00a0A\n[a-2] y\n")
    assert [entry.section for entry in reading.entries] == ["X marks X", "A"]
    assert [(n.line, n.text) for n in reading.notes] == [(4, "its section is not one line: taken as 'A'")]


def test_a_marker_may_have_space_behind_it_and_none_before() -> None:
    detects = find_format("instructions").detects
    assert detects(f"Mine.\n{BEGIN} \t\n{END}\n") and not detects(f"Mine.\n {BEGIN}\n")


def test_what_fits_a_format_is_the_playbook_without_what_does_not() -> None:
    playbook, _ = apply(Playbook(), [Add("a", "S", "x"), Add("b", "T", "y"), Quarantine("b")])
    active = select_writable(playbook, find_format("ace"))
    assert [bullet.id for bullet in active] == ["a"]
    assert (active.section_names, active.next_position) == (("S", "T"), 2)
    assert select_writable(playbook, find_format("json")) is playbook
