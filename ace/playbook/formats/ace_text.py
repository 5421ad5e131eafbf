"""The text of the reference implementation of ACE, in both dialects: one bullet a line.

    ## STRATEGIES & INSIGHTS
    [str-00001] helpful=5 harmful=0 :: Always verify data types before processing

and, as its AppWorld version writes it, without counts:

    [shr-00005] Always look at API specifications before calling an API.

A reader takes either. A line that is no bullet continues the one right above it, as where a lesson
broke the format with a line break of its own; the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ace.playbook.formats.format import VOTES, Collector, Entry, Finding, Format, Reading, shown
from ace.playbook.formats.oneline import from_line, reference, to_line
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Bullet, Playbook
from ace.text.unicode import HIDDEN

_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_COUNTS = r"helpful=(\d{1,18})[ \t]+harmful=(\d{1,18})[ \t]*::"
_BULLET = re.compile(rf"\[([^\[\]\s]+)\](?:[ \t]*{_COUNTS}|[ \t]+(?!{_COUNTS})|$)(.*)")
_ID = re.compile(r"[^\[\]\s]+")
_LIST_ITEM = re.compile(r"[-*+][ \t]|\d+[.)][ \t]")


def detects(text: str) -> bool:
    """With counts; and headings and nothing else, as the reference begins."""
    lines = [line for line in text.split("\n") if line.strip()]
    if bullets := _bullets(lines):
        return any(bullet[2] for bullet in bullets)
    return bool(lines) and all(line.startswith("## ") for line in lines)


def detects_plain(text: str) -> bool:
    """Without counts."""
    bullets = _bullets(text.split("\n"))
    return bool(bullets) and not any(bullet[2] for bullet in bullets)


def _bullets(lines: list[str]) -> list[re.Match[str]]:
    """The lines with an id in brackets, if there are more of them than list items."""
    found = [bullet for line in lines if (bullet := _BULLET.match(line))]
    return found if len(found) > sum(bool(_LIST_ITEM.match(line)) for line in lines) else []


def read(text: str, file: str, base: Playbook | None) -> Reading:
    found = Collector()
    section, open_, counted, empty = GENERAL, None, False, set[str]()
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if heading := _HEADING.match(line):
            section, open_ = from_line(heading[1].strip(" \t")), None
            empty.add(section)
        elif bullet := _BULLET.match(line):
            empty.discard(section)
            counted = counted or bullet[2] is not None
            open_ = _entry(bullet, section, number)
            found.add(open_)
        elif not line.strip():
            open_ = None
        elif open_ and not line.startswith("[") and found.entries and found.entries[-1].line == open_.line:
            _continue(found, line, number)
        else:
            found.unread.append(Finding(number, f"this line is no bullet: {shown(line)}"))
    sections = f"{len(empty)} empty section{'s' * (len(empty) > 1)}"
    return found.reading(votes=counted, lost=(sections,) if empty else ())


def _entry(bullet: re.Match[str], section: str, number: int) -> Entry:
    alias, helpful, harmful, content = bullet[1], bullet[2], bullet[3], bullet[bullet.re.groups]
    return Entry(
        content=from_line(content.strip(" \t")),
        section=section,
        alias=alias,
        helpful=int(helpful or 0),
        harmful=int(harmful or 0),
        line=number,
    )


def _continue(found: Collector, line: str, number: int) -> None:
    last = found.entries[-1]
    found.entries[-1] = replace(last, content=f"{last.content}\n{from_line(line.strip())}")
    found.notes.append(Finding(number, f"taken as a further line of {last.alias or 'the bullet above'}"))


def write(playbook: Playbook, names: Mapping[str, str]) -> str:
    return _text(playbook, names, counts=True)


def write_plain(playbook: Playbook, names: Mapping[str, str]) -> str:
    return _text(playbook, names, counts=False)


def _text(playbook: Playbook, names: Mapping[str, str], *, counts: bool) -> str:
    parts = []
    for section in playbook.sections:
        lines = [_written(bullet, names, counts) for bullet in section.bullets]
        parts.append("\n".join([f"## {to_line(section.name)}", *lines]) + "\n")
    return "\n".join(parts)


def _written(bullet: Bullet, names: Mapping[str, str], counts: bool) -> str:
    alias = names.get(bullet.id, "")
    name = alias if _ID.fullmatch(alias) and not HIDDEN.search(alias) else bullet.id
    content = to_line(bullet.content)
    if counts:
        return f"[{name}] helpful={bullet.helpful} harmful={bullet.harmful} :: {content}"
    if content.startswith("helpful="):  # it would read as counts
        content = reference("h") + content[1:]
    return f"[{name}] {content}"


ACE = Format(
    name="ace",
    about="text of the reference ACE, with counts",
    holds=frozenset({VOTES}),
    detects=detects,
    read=read,
    write=write,
    files=(".txt",),
)
APPWORLD = Format(
    name="appworld",
    about="text of the reference ACE, without counts",
    holds=frozenset(),
    detects=detects_plain,
    read=read,
    write=write_plain,
)
