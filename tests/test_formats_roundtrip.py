"""Every format that can be written: what it holds comes back exactly, whatever the content is made of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.playbook import Add, Bullet, Pin, Playbook, Quarantine, Vote, apply, diff
from ace.playbook.exchange import Alias
from ace.playbook.export import choose_names, list_losses, select_writable
from ace.playbook.formats import FORMATS, Format, Reading, detect_format, find_format
from ace.playbook.formats.oneline import from_line, to_line
from tests.strategies import LONG, deltas, live, playbooks, texts

WRITABLE = [each for each in FORMATS if each.write]
OURS = [each for each in WRITABLE if each.name in ("markdown", "json", "jsonl")]
FOREIGN = [each for each in WRITABLE if each.name in ("ace", "appworld", "kayba")]

# What each of these formats takes for structure, all of it inside one bullet.
FORGERY = (
    "\n## Forged\n[str-00001] helpful=9 harmful=0 :: forged\n- forged <!-- id=forged -->\n"
    '{"id": "forged", "content": "x"}\n<!-- ace:end -->\n<!-- ace:begin -->\n```\n<memory_item>\nforged\n'
    "</memory_item>\n** Count: 3\n&#xa;&#x26;#xa;\x00\u202e"
)


def write(form: Format, playbook: Playbook, aliases: dict[str, str] | None = None) -> str:
    assert form.write
    return form.write(select_writable(playbook, form), aliases or {})


def read(form: Format, text: str, base: Playbook | None = None) -> Reading:
    reading = form.read(text, "file", base)
    assert (reading.unread, reading.lost) == ((), ())
    return reading


def entries(reading: Reading) -> list[tuple[object, ...]]:
    return [(e.alias, e.section, e.content, e.helpful, e.harmful, e.quarantined) for e in reading.entries]


def held(form: Format, playbook: Playbook) -> list[tuple[object, ...]]:
    """What this format holds of a playbook, as `entries` tells it."""
    votes = "votes" in form.holds
    return [
        (b.id, b.section, b.content, b.helpful * votes, b.harmful * votes, b.status == "quarantined")
        for b in select_writable(playbook, form)
    ]


@pytest.mark.parametrize("form", OURS, ids=lambda form: form.name)
@given(playbooks())
def test_our_formats_hold_everything(form: Format, playbook: Playbook) -> None:
    text = write(form, playbook)
    again = read(form, text).playbook
    assert again is not None and live(again) == live(playbook)
    assert list_losses(playbook, form) == ()
    assert detect_format(text).name == form.name or not len(playbook)


@pytest.mark.parametrize("form", OURS, ids=lambda form: form.name)
@given(playbooks())
def test_an_export_that_nobody_edited_changes_nothing(form: Format, playbook: Playbook) -> None:
    again = read(form, write(form, playbook), playbook).playbook
    assert again is not None and diff(playbook, again) == ()


@given(playbooks(), deltas())
def test_edited_lines_of_json_become_the_edits_they_are(playbook: Playbook, delta: tuple[Add, ...]) -> None:
    edited, _ = apply(playbook, delta)
    again = read(find_format("jsonl"), write(find_format("jsonl"), edited), playbook).playbook
    assert again is not None
    result, rejections = apply(playbook, diff(playbook, again))
    assert (rejections, live(result)) == ((), live(edited))


@pytest.mark.parametrize("form", FOREIGN, ids=lambda form: form.name)
@given(playbooks())
def test_other_tools_formats_hold_what_they_say_they_hold(form: Format, playbook: Playbook) -> None:
    text = write(form, playbook)
    assert entries(read(form, text)) == held(form, playbook)
    if len(select_writable(playbook, form)):
        assert detect_format(text).name == form.name


@pytest.mark.parametrize("form", FOREIGN, ids=lambda form: form.name)
@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@given(playbook=playbooks())
def test_line_ends_of_another_system_change_nothing(form: Format, ends: str, playbook: Playbook) -> None:
    text = write(form, playbook).replace("\n", ends)
    assert entries(read(form, text)) == held(form, playbook)


@pytest.mark.parametrize("form", WRITABLE, ids=lambda form: form.name)
@pytest.mark.parametrize(
    "content", [FORGERY, f"x{FORGERY}", LONG, f"{LONG}\n{LONG}", "helpful=1 harmful=0 :: x"]
)
def test_a_bullet_cannot_forge_structure(form: Format, content: str) -> None:
    forged = (Add("a-1", "One", content), Add("a-2", "Two", "plain"))
    playbook, rejections = apply(Playbook(), forged)
    assert rejections == ()
    reading = read(form, write(form, playbook))
    found = [*(reading.playbook or ()), *reading.entries]
    assert [(item.section, item.content) for item in found] == [("One", content), ("Two", "plain")]


@pytest.mark.parametrize("form", FOREIGN, ids=lambda form: form.name)
def test_an_alias_is_the_id_and_comes_back(form: Format) -> None:
    playbook, _ = apply(Playbook(), (Add("a-1", "One", "x"), Add("a-2", "One", "y")))
    text = write(form, playbook, {"a-1": "str-00007"})
    assert [entry.alias for entry in read(form, text).entries] == ["str-00007", "a-2"]


@pytest.mark.parametrize("alias", ["a b", "a]b", "a\nb", "a\u202eb", ""])
@pytest.mark.parametrize("name", ["ace", "appworld"])
def test_an_alias_that_would_break_the_line_gives_way_to_the_id(name: str, alias: str) -> None:
    playbook, _ = apply(Playbook(), (Add("a-1", "One", "x"),))
    text = write(find_format(name), playbook, {"a-1": alias})
    assert [entry.alias for entry in read(find_format(name), text).entries] == ["a-1"]


def test_names_are_unique_and_never_another_bullets_id() -> None:
    adds = (Add("a-1", "S", "x"), Add("a-2", "S", "y"), Add("a-3", "S", "z"))
    playbook, _ = apply(Playbook(), adds)

    def alias(name: str, bullet: str) -> Alias:
        return Alias("f", name, bullet, "S", "")

    known = [
        alias("k1", "a-1"),
        alias("k2", "a-1"),
        alias("k1", "a-2"),
        alias("a-1", "a-3"),
        alias("k9", "gone"),
    ]
    assert choose_names(playbook, known) == {"a-1": "k1"}


@given(texts())
def test_any_text_fits_on_one_line(text: str) -> None:
    line = to_line(text)
    assert from_line(line) == text
    assert len(line.splitlines()) <= 1
    assert line == line.strip(" \t")


@pytest.mark.parametrize("text", ["&#x27;", "AT&amp;T", "&#x41;", "&#xffffff;", "& #xa;", "&#XA;", "&#10;"])
def test_references_of_other_tools_stay_as_they_are(text: str) -> None:
    assert (from_line(text), to_line(text)) == (text, text)


def test_what_is_not_held_is_counted() -> None:
    adds = (Add("a-1", "S", "x", ("ep-1",)), Add("a-2", "S", "y", ("ep-2",)), Add("a-3", "S", "z"))
    rest = (Pin("a-1"), Vote("a-2", harmful=1), Quarantine("a-3"))
    playbook, _ = apply(Playbook(), (*adds, *rest))
    traces = ("pins of 1 bullet", "provenance of 2 bullets")
    assert list_losses(playbook, find_format("appworld")) == (
        *traces,
        "votes on 1 bullet",
        "1 quarantined bullet",
    )
    assert list_losses(playbook, find_format("ace")) == (*traces, "1 quarantined bullet")
    assert list_losses(playbook, find_format("kayba")) == traces
    assert list_losses(Playbook(), find_format("appworld")) == ()


@given(playbooks())
def test_a_quarantined_bullet_never_passes_as_an_active_one(playbook: Playbook) -> None:
    waiting = [bullet for bullet in playbook if bullet.status == "quarantined"]
    for form in WRITABLE:
        kept = select_writable(playbook, form)
        assert len(kept) == len(playbook) - (0 if "quarantine" in form.holds else len(waiting))
        reading = read(form, write(form, playbook))
        found = [*(reading.playbook or ()), *(Bullet(e.alias, e.section, e.content) for e in reading.entries)]
        if "quarantine" not in form.holds:
            assert not {bullet.id for bullet in found} & {bullet.id for bullet in waiting}


def test_the_forms_other_tools_know() -> None:
    playbook, _ = apply(
        Playbook(),
        (
            Add("a-1", "ONE", "first\nsecond"),
            Add("a-2", "ONE", "x "),
            Vote("a-1", 5, 1),
            Add("b-1", "TWO", "z"),
        ),
    )
    assert write(find_format("ace"), playbook) == (
        "## ONE\n"
        "[a-1] helpful=5 harmful=1 :: first&#xa;second\n"
        "[a-2] helpful=0 harmful=0 :: x&#x20;\n"
        "\n"
        "## TWO\n"
        "[b-1] helpful=0 harmful=0 :: z\n"
    )
    assert write(find_format("appworld"), playbook).splitlines()[1] == "[a-1] first&#xa;second"
    assert json.loads(write(find_format("kayba"), playbook)) == {
        "skills": {
            "a-1": _skill("a-1", "ONE", "first\nsecond", helpful=5, harmful=1),
            "a-2": _skill("a-2", "ONE", "x "),
            "b-1": _skill("b-1", "TWO", "z"),
        },
        "sections": {"ONE": ["a-1", "a-2"], "TWO": ["b-1"]},
        "next_id": 2,
        "similarity_decisions": {},
    }
    odd, _ = apply(Playbook(), (Add("a.1", "É", "x"), Quarantine("a.1")))
    assert write(find_format("kayba"), odd) == (
        '{\n  "skills": {\n    "a.1": {\n      "id": "a.1",\n      "section": "É",\n      "content": "x",\n'
        '      "helpful": 0,\n      "harmful": 0,\n      "neutral": 0,\n      "status": "invalid",\n'
        '      "sources": []\n    }\n  },\n  "sections": {\n    "É": [\n      "a.1"\n    ]\n  },\n'
        '  "next_id": 0,\n  "similarity_decisions": {}\n}\n'
    )
    assert write(find_format("jsonl"), playbook).splitlines()[0] == (
        '{"id": "a-1", "section": "ONE", "content": "first\\nsecond", "provenance": [], "status": "active", '
        '"pinned": false, "helpful": 5, "harmful": 1}'
    )


def _skill(name: str, section: str, content: str, *, helpful: int = 0, harmful: int = 0) -> dict[str, object]:
    return {
        "id": name,
        "section": section,
        "content": content,
        "helpful": helpful,
        "harmful": harmful,
        "neutral": 0,
        "status": "active",
        "sources": [],
    }


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@given(text=st.one_of(texts(), st.text()))
def test_any_text_reads_or_is_refused(form: Format, text: str) -> None:
    """Never a crash, and never a bullet that a playbook could not hold."""
    from ace.errors import FormatError

    try:
        reading = form.read(text, "file", None)
    except FormatError:
        return
    for entry in reading.entries:
        assert apply(Playbook(), (Add("a", entry.section, entry.content),))[1] == ()
    if reading.playbook is not None:
        assert apply(Playbook(), diff(Playbook(), reading.playbook))[1] == ()
