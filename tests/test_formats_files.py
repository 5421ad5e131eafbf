"""Files as other tools leave them: real ones, and broken ones of which every bad line is named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ace.errors import FormatError, InputError
from ace.playbook import (
    Add,
    Move,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Vote,
    apply,
    diff,
)
from ace.playbook.exchange import Plan, plan_import
from ace.playbook.export import choose_names
from ace.playbook.formats import Reading, detect_format, find_format, find_format_by_file

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "playbook-fixtures"
real = pytest.mark.skipif(not DATA.is_dir(), reason="playbooks of other tools are not on this machine")
APPWORLD = {"initial": 8, "offline_trained_no_gt": 318, "online_trained": 359, "offline_trained_with_gt": 0}


def read(name: str, text: str, *, form: str = "") -> Reading:
    chosen = find_format(form) if form else detect_format(text, file=name)
    return chosen.read(text, name, None)


def real_text(name: str) -> str:
    return (DATA / name).read_bytes().decode()


def imported(reading: Reading) -> tuple[Playbook, Plan]:
    made = plan_import(reading, Playbook(), source="f")
    playbook, rejections = apply(Playbook(), made.delta)
    assert rejections == ()
    return playbook, made


@real
@pytest.mark.parametrize(("name", "bullets"), APPWORLD.items())
def test_every_line_of_the_appworld_playbooks(name: str, bullets: int) -> None:
    text = real_text(f"ace-appworld/appworld_{name}_playbook.txt")
    reading = read("f", text)
    assert len(reading.entries) == bullets == sum(line.startswith("[") for line in text.split("\n"))
    assert reading.unread == ()
    said = [line.partition(" ")[2] for line in text.split("\n") if line.startswith("[")]
    assert [entry.content for entry in reading.entries] == said
    copies = sum(count - 1 for count in Counter(said).values())
    playbook, made = imported(reading)
    assert (len(playbook), len(made.duplicates)) == (bullets - copies, copies)


@real
def test_the_22_duplicates_and_the_ids_of_the_others_come_back() -> None:
    text = real_text("ace-appworld/appworld_online_trained_playbook.txt")
    assert detect_format(text).name == "appworld"
    playbook, made = imported(read("f", text))
    assert len(made.duplicates) == 22
    assert len(made.aliases) == 359
    write = find_format("appworld").write
    assert write
    again = write(playbook, choose_names(playbook, made.aliases)).split("\n")
    twins = {duplicate.alias for duplicate in made.duplicates}
    kept = [line for line in text.split("\n") if line.startswith("[") and line[1:].split("]")[0] not in twins]
    assert [line for line in again if line.startswith("[")] == kept


@real
def test_the_sample_with_counts_comes_back_whole() -> None:
    text = real_text("ace-finer-format/readme_sample.txt")
    assert detect_format(text).name == "ace"
    playbook, made = imported(read("f", text))
    write = find_format("ace").write
    assert write and write(playbook, choose_names(playbook, made.aliases)).split() == text.split()
    assert [(bullet.helpful, bullet.harmful) for bullet in playbook] == [(5, 0), (3, 1), (8, 0), (6, 0)]


@real
def test_an_empty_playbook_of_the_reference_is_seven_headings() -> None:
    reading = read("f", real_text("ace-finer-format/empty_initial.txt"))
    assert (reading.entries, reading.unread, reading.lost) == ((), (), ("7 empty sections",))


@real
def test_a_skillbook_comes_back_with_its_ids_and_votes() -> None:
    text = real_text("kayba/skillbook_20260318_150822.json")
    reading = read("f", text)
    assert reading.lost == ("justification of 6", "evidence of 6")
    assert text.split("\n")[reading.entries[3].line - 1].strip() == f'"{reading.entries[3].alias}": {{'
    playbook, made = imported(reading)
    write = find_format("kayba").write
    assert write
    before, after = json.loads(text), json.loads(write(playbook, choose_names(playbook, made.aliases)))
    assert (after["sections"], after["next_id"]) == (before["sections"], 6)
    for key, skill in after["skills"].items():
        told = ("id", "section", "content", "helpful", "harmful", "neutral", "status")
        assert [skill[name] for name in told] == [before["skills"][key][name] for name in told]
    assert read("f", real_text("kayba/skillbook_20260318_144601.json")).entries == ()


@real
def test_the_prompt_of_a_skillbook_is_told_from_the_skillbook() -> None:
    with pytest.raises(FormatError, match=r"Import the skillbook's JSON"):
        detect_format(real_text("kayba/external_agent_injection_20260318_150822.txt"))


@real
@pytest.mark.parametrize("path", ["aime2020_2024_claude35_cumulative", "aime2024_gpt4o_cumulative"])
def test_every_item_of_every_snapshot_is_read(path: str) -> None:
    for line in real_text(f"dynamic-cheatsheet/{path}.jsonl").splitlines():
        sheet = json.loads(line)["cheatsheet"]
        reading = read("f", sheet)
        assert len(reading.entries) >= sheet.count("\n<memory_item>") > 0
        assert not [entry for entry in reading.entries if "memory_item>" in entry.content]


@real
def test_of_several_snapshots_the_last_is_read() -> None:
    reading = read("f", real_text("dynamic-cheatsheet/aime2024_gpt4o_cumulative.jsonl"))
    assert [entry.section for entry in reading.entries] == [
        *["SOLUTIONS, IMPLEMENTATION PATTERNS, AND CODE SNIPPETS"] * 4,
        *["GENERAL META-REASONING STRATEGIES"] * 2,
    ]
    assert reading.entries[2].content.startswith("Efficient Modulo Exponentiation:\nTo compute")
    assert [note.text for note in reading.notes] == [
        "the last of 30 snapshots; the earlier ones were not read"
    ]
    assert reading.lost == ("use counts of 6",)


@real
def test_an_optimised_prompt_is_text_and_only_when_asked() -> None:
    text = real_text("gepa/optimized_prompt.txt")
    with pytest.raises(FormatError, match="--format text takes every paragraph as one"):
        detect_format(text)
    assert len(read("f", text, form="text").entries) == 6
    with pytest.raises(FormatError, match="This is JSON, but no playbook"):
        detect_format(real_text("gepa/llm_cache.json"))


def findings(reading: Reading) -> list[tuple[int, str]]:
    return [(finding.line, finding.text) for finding in reading.unread]


def test_broken_lines_of_ace_text_are_all_named() -> None:
    text = (
        "Some chatter.\n## S\n[a-1] helpful=1 harmful=0 :: fine\n[a-2 helpful=1 harmful=0 :: no bracket\n"
        "\nafter a blank line\n[a-3] helpful=0 harmful=0 ::\n[a-4] helpful=99999999999999999 harmful=0 :: x\n"
        "[a-1] helpful=2 harmful=0 :: again\n   and goes on\n## \n[a-5] z\n"
    )
    reading = read("f", text)
    assert findings(reading) == [
        (1, "this line is no bullet: 'Some chatter.'"),
        (4, "this line is no bullet: '[a-2 helpful=1 harmful=0 :: no bracket'"),
        (6, "this line is no bullet: 'after a blank line'"),
        (7, "a-3: empty content"),
        (8, "a-4: the helpful count is out of range"),
    ]
    assert [(note.line, note.text) for note in reading.notes] == [
        (9, "the id a-1 is there twice: taken without it"),
        (10, "taken as a further line of the bullet above"),
        (12, "its section is not one line: taken as 'General'"),
    ]
    assert [(e.alias, e.section, e.content, e.helpful) for e in reading.entries] == [
        ("a-1", "S", "fine", 1),
        ("", "S", "again\nand goes on", 2),
        ("a-5", "General", "z", 0),
    ]


def test_nothing_is_taken_for_a_further_line_of_a_bullet_that_was_refused() -> None:
    reading = read("f", "## S\n[a-1] fine\n[a-2] \ngoes on\n[a-3]\n")
    assert [line for line, _ in findings(reading)] == [3, 4, 5]
    assert [entry.content for entry in reading.entries] == ["fine"]


def test_a_file_without_headings_is_general() -> None:
    assert [entry.section for entry in read("f", "[a-1] x\n").entries] == ["General"]
    assert read("f", "[a-1] x\n").lost == ()
    assert read("f", "[a-1] x\n## EMPTY\n").lost == ("1 empty section",)


def test_broken_skills_are_all_named() -> None:
    skills = {
        "a-1": {"content": "fine", "section": "two\nlines", "status": "invalid", "tags": ["x"]},
        "a-2": {"issue": "x", "insight": "y"},
        "a-3": {"content": "x", "helpful": 1.5},
        "a-4": {"content": 5},
        "a-5": "text",
        "a-6": {"content": " "},
        "a-7": {"content": "\ud800"},
        "\ud800": {"content": "x"},
        "a-9": {"content": "votes", "helpful": -1},
        "a-10": {"content": "last", "section": 5},
        "a-11": {"content": "x", "status": 1},
        "a-12": {"content": "x", "harmful": "1"},
        "é": {"content": "x", "helpful": []},
    }
    text = json.dumps({"skills": skills}, indent=1)
    reading = read("f", text)
    lines = dict(findings(reading))
    assert list(lines.values()) == [
        "a-2: it has no content",
        "a-3: helpful is not a whole number",
        "a-4: content is not text",
        "a-5: a skill is an object",
        "a-6: empty content",
        "a-7: invalid Unicode: a lone surrogate",
        "\ud800: invalid Unicode in its id",
        "a-9: the helpful count is out of range",
        "a-10: section is not text",
        "a-11: status is not text",
        "a-12: harmful is not a whole number",
        "é: helpful is not a whole number",
    ]
    rows = text.split("\n")
    assert [rows[line - 1].strip().split('"')[1] for line in lines] == [
        json.dumps(key).strip('"') for key in skills if key != "a-1"
    ]
    (entry,) = reading.entries
    assert (entry.alias, entry.section, entry.quarantined, entry.line) == ("a-1", "two lines", True, 3)
    assert [note.text for note in reading.notes] == [
        "a-1 is invalid there: quarantined here",
        "its section is not one line: taken as 'two lines'",
    ]
    assert reading.lost == ("tags of 1",)


def test_what_is_null_in_a_skill_is_none() -> None:
    skills = {"a-1": {"content": "x", "section": None, "helpful": None, "harmful": 2.0, "status": None}}
    (entry,) = read("f", json.dumps({"skills": skills})).entries
    assert (entry.section, entry.helpful, entry.harmful, entry.quarantined) == ("General", 0, 2, False)


def test_a_skill_is_found_by_its_line_however_its_id_is_spelled() -> None:
    text = '{"skills":\n{"é": {"content": "x"},\n\n"b": {"content": "é: b"},"c" : {"content": "y"}}}'
    assert [(entry.alias, entry.line) for entry in read("f", text).entries] == [("é", 2), ("b", 4), ("c", 4)]


def test_a_skill_that_is_there_twice_is_named() -> None:
    reading = read("f", '{"skills": {"a-1": {"content": "x"}, "a-1": {"content": "y"}}}')
    assert findings(reading) == [(1, "a-1 is there twice: the last one was taken")]
    assert [entry.content for entry in reading.entries] == ["y"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"skills": []}', "{", "", "[" * 100_000])
def test_what_is_no_skillbook_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="not a skillbook"):
        read("f", text, form="kayba")


def test_bullets_of_json_in_other_types_and_in_a_list() -> None:
    rows = [{"id": 7, "content": "x", "helpful": 3.0, "harmful": "2"}, {"content": "y"}]
    for text in (json.dumps(rows, indent=1), "\n".join(map(json.dumps, rows))):
        first, second = read("f", text).playbook or ()
        assert (first.id, first.helpful, first.harmful, second.content) == ("7", 3, 2, "y")
    with pytest.raises(FormatError, match='A bullet of jsonl has a "content"'):
        detect_format('{"text": "a"}\n{"text": "b"}\n')


@pytest.mark.parametrize("lead", ["- ", "* ", "  ", "  - "])
def test_counted_bullets_that_a_model_made_a_list_of(lead: str) -> None:
    text = f"## S\n{lead}[a-1] helpful=5 harmful=0 :: x\n{lead}[a-2] helpful=1 harmful=0 :: y\n"
    assert [(entry.alias, entry.helpful, entry.content) for entry in read("f", text).entries] == [
        ("a-1", 5, "x"), ("a-2", 1, "y")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "counts", ["helpful=-5 harmful=0 ::", "helpful=5.0 harmful=0 ::", "helpful=5 harmful=x \uff1a"]
)
def test_odd_counts_are_no_content(counts: str) -> None:
    reading = read("f", f"[a-1] {counts} x\n[a-2] helpful=1 harmful=0 :: y\n")
    assert [entry.content for entry in reading.entries] == ["y"]
    assert findings(reading)[0][1].startswith("its counts are no whole numbers")


def test_a_field_that_is_null_is_left_out() -> None:
    reading = read("f", '{"id": null, "content": "x", "section": null, "helpful": null}\n{"content": null}\n')
    assert [(b.section, b.content) for b in reading.playbook or ()] == [("General", "x")]
    assert [line for line, _ in findings(reading)] == [2]


def test_broken_lines_of_json_are_all_named() -> None:
    text = (
        '{"content": "fine"}\n\n{"content": \n[]\n{"content": 5}\n{"content": "x", "votes": 1}\n'
        '{"id": "a-1"}\n'
        '{"id": "a-2", "content": "one"}\n{"id": "a-2", "content": "two"}\n{"content": "\\ud800"}\n'
        '{"content": "x", "helpful": true}\n{"content": "fine"}\n'
        + "[" * 100_000
        + '\n{"content": "x", "status": "removed"}'
    )
    reading = read("f", text)
    assert [line for line, _ in findings(reading)] == [3, 4, 5, 6, 7, 9, 10, 11, 13, 14]
    assert "this id is there twice" in dict(findings(reading))[9]
    assert "empty content" in dict(findings(reading))[7]
    assert [(b.section, b.content) for b in reading.playbook or ()] == [
        ("General", "fine"),
        ("General", "one"),
        ("General", "fine"),
    ]


def test_what_a_line_of_json_does_not_say_stays() -> None:
    added = (Add("a-1", "S", "x", ("ep-1",)), Add("a-2", "S", "y"), Add("a-3", "S", "z"))
    base, _ = apply(Playbook(), (*added, Vote("a-1", 3, 1), Pin("a-1"), Quarantine("a-1"), Remove("a-3")))
    text = (
        '{"id": "a-2", "section": "T", "position": 9}\n'
        '{"id": "a-1", "harmful": 2}\n'
        '{"id": "a-3", "content": "back"}'
    )
    reading = find_format("jsonl").read(text, "f", base)
    assert reading.unread == () and reading.playbook is not None
    assert set(diff(base, reading.playbook)) == {
        Vote("a-1", 0, 1),
        Move("a-2", "T"),
        Promote("a-3"),
        Revise("a-3", "back"),
        Move("a-3", "General"),
    }
    assert [(f.line, f.text) for f in find_format("jsonl").read(text, "f", None).unread] == [
        (1, "the bullet 'a-2' cannot be used: empty content"),
        (2, "the bullet 'a-1' cannot be used: empty content"),
    ]


def test_a_line_too_deep_to_read_is_no_reason_to_stop() -> None:
    assert detect_format('{"a":' + "[" * 100_000 + '\n{"content": "x"}').name == "jsonl"


def test_a_cheatsheet_with_tags_missing() -> None:
    text = (
        "Version: 3\n<cheatsheet>\n## Tricks\n<memory_item>\n<description>\nOne\n</description>\n"
        "<example>\nmore\n</example>\n** Count: 2\n<memory_item>\nTwo\n\n\n\ngoes on\n<memory_item>\nThree\n"
        "</memory_item>\n** Count: 1 **\nloose\n<memory_item>\n</memory_item>\n"
        "LAST PART:\n<memory_item>\nFour"
    )
    reading = read("f", text)
    assert [(e.line, e.section, e.content) for e in reading.entries] == [
        (4, "Tricks", "One\n\nmore"),
        (12, "Tricks", "Two\n\ngoes on"),
        (18, "Tricks", "Three"),
        (26, "LAST PART", "Four"),
    ]
    assert findings(reading) == [
        (22, "this belongs to no item: 'loose'"),
        (23, "a bullet: empty content"),
    ]
    assert reading.lost == ("use counts of 2",)
    assert not reading.votes
    assert read("f", "<memory_item>\nx").lost == ()
    assert read("f", "## A: **b**\n<memory_item>\nx").entries[0].section == "A: **b**"


def test_a_snapshot_without_a_cheatsheet_is_refused() -> None:
    with pytest.raises(FormatError, match=r"f:3: The last snapshot has no cheatsheet"):
        read("f", '{"cheatsheet": "<memory_item>\\nx"}\n\n{"cheatsheet": null}\n')


def test_findings_of_a_snapshot_stand_at_its_line() -> None:
    sheets = ({"cheatsheet": "x"}, {"cheatsheet": "loose\n<memory_item>\ny"})
    reading = read("f", "\n".join(map(json.dumps, sheets)) + "\n")
    assert [entry.line for entry in reading.entries] == [2]
    assert findings(reading) == [(2, "this belongs to no item: 'loose'")]
    assert [(n.line, n.text[:24]) for n in reading.notes] == [(2, "the last of 2 snapshots;")]


def test_any_text_is_markdown_when_it_is_called_that() -> None:
    (entry,) = read("f", "Dear diary,\ntoday", form="markdown").entries
    assert entry.content == "Dear diary,\ntoday"
    (entry,) = read("f", "- x\nlazy", form="markdown").entries
    assert entry.content == "x\nlazy"
    assert [(n.line, n.text) for n in read("f", " \n", form="markdown").notes] == [(1, "the file is empty")]
    assert read("f", "# Playbook\n").notes == ()


def test_a_long_line_is_quoted_in_part() -> None:
    (finding,) = read("f", f"[a-1] fine\n\n{'x' * 100}").unread
    assert finding.text == f"this line is no bullet: '{'x' * 57}...'"
    (finding,) = read("f", f"[a-1] fine\n\n{'x' * 60}").unread
    assert finding.text == f"this line is no bullet: '{'x' * 60}'"


def test_paragraphs_of_text() -> None:
    text = "One\ngoes on\r\n\n\n## Two\n```\ncode\n\nmore\n```\nend\n\n~~~\nnever\n\nclosed"
    assert [(e.line, e.content) for e in read("f", text, form="text").entries] == [
        (1, "One\ngoes on"),
        (5, "## Two\n```\ncode\n\nmore\n```\nend"),
        (13, "~~~\nnever\n\nclosed"),
    ]
    reading = read("f", "one\n\n``\n\ntwo\n", form="text")
    assert [(e.section, e.content) for e in reading.entries] == [
        ("General", text) for text in ("one", "``", "two")
    ]
    assert not reading.votes


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("out.md", "markdown"),
        ("out.json", "json"),
        ("out.jsonl", "jsonl"),
        ("out.txt", "ace"),
        ("a/AGENTS.md", "instructions"),
        ("SKILL.md", "instructions"),
    ],
)
def test_a_files_name_stands_for_a_format(name: str, form: str) -> None:
    assert find_format_by_file(name).name == form


@pytest.mark.parametrize("name", ["out", "out.xml", "out.MD5"])
def test_a_name_that_stands_for_none(name: str) -> None:
    with pytest.raises(InputError, match=r"stands for no format. Give --format: instructions, json, kayba"):
        find_format_by_file(name)


def test_a_format_nobody_knows() -> None:
    with pytest.raises(InputError, match=r"no format 'xml'. Known: instructions, json"):
        find_format("xml")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "markdown"),
        ("# Playbook\n", "markdown"),
        ("## A\n\n## B\n", "ace"),
        ("- x\n- y\n[a-1] z\n", "markdown"),
        ("- x\n[a-1] z\n[a-2] z\n", "appworld"),
        ("[a-1] z\n[a-2] helpful=1 harmful=2 :: z\n", "ace"),
        ('\n{"id": "a-1", "content": "x"}\n', "jsonl"),
        ('broken\n{"content": "x"}\n', "jsonl"),
        ("<memory_item>\nx", "cheatsheet"),
        ("x\n<memory_item>\nx", "cheatsheet"),
        ('{"skills": {}}', "kayba"),
        ('{"bullets": []}', "json"),
        ("text\n<!-- ace:begin -->\n<!-- ace:end -->", "instructions"),
    ],
)
def test_a_text_shows_what_it_is(text: str, form: str) -> None:
    assert detect_format(text).name == form


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Dear diary,\ntoday", "f: It holds no bullets that any format knows. A bullet is a line"),
        ("[1, 2]", "f: This is JSON, but no playbook. Known: json, jsonl, kayba, cheatsheet."),
        ('{\n"skills": {', "f:2: This is not JSON: "),
    ],
)
def test_a_text_that_is_nothing_we_know(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        detect_format(text, file="f")
    assert str(caught.value).startswith(says)
