"""Text of the reference implementation of ACE, in both dialects: one bullet a line.

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

from ace.playbook.formats.format import VOTES, Collector, Entry, Finding, Format, Reading, quote_line
from ace.playbook.formats.oneline import from_line, to_line, write_reference
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Playbook
from ace.text.unicode import HIDDEN

_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_COUNTS = r"helpful=(\d{1,18})[ \t]+harmful=(\d{1,18})[ \t]*::"
_BULLET = re.compile(rf"\[([^\[\]\s]+)\](?:[ \t]*{_COUNTS}|[ \t]+(?!{_COUNTS})|$)(.*)")
_LEAD = re.compile(rf"\A[ \t]{{0,12}}(?:[-*+][ \t]{{1,4}})?(?=\[[^\[\]\s]+\][ \t]*{_COUNTS})")
_ODD_COUNTS = re.compile(r"helpful=\S{1,40}[ \t]+harmful=\S{1,40}[ \t]*(?:::|\uff1a)")
_ID = re.compile(r"[^\[\]\s]+")
_LIST_ITEM = re.compile(r"[-*+][ \t]|\d+[.)][ \t]")


def detects(text: str) -> bool:
    """Detect the dialect with counts; also headings and nothing else, as the reference begins."""
    lines = [_LEAD.sub("", line, count=1) for line in text.split("\n") if line.strip()]
    if bullets := _find_bullets(lines):
        return any(bullet[2] for bullet in bullets)
    return bool(lines) and all(line.startswith("## ") for line in lines)


def detects_plain(text: str) -> bool:
    """Detect the dialect without counts: hardly any line is neither a heading nor a bullet."""
    lines = [line for line in text.split("\n") if line.strip() and not _HEADING.match(line)]
    bullets = _find_bullets(lines)
    return 0 < len(lines) <= 2 * len(bullets) and not any(bullet[2] for bullet in bullets)


def _find_bullets(lines: list[str]) -> list[re.Match[str]]:
    """Return the lines with an id in brackets, if there are more of them than list items."""
    bullets, list_items = [], 0
    for line in lines:
        if bullet := _BULLET.match(line):
            bullets.append(bullet)
        list_items += bool(_LIST_ITEM.match(line))
    return bullets if len(bullets) > list_items else []


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read either dialect."""
    collector = Collector()
    section = GENERAL
    counted = False
    empty_sections = set[str]()
    last: Entry | None = None  # what the next line may continue
    for number, raw in enumerate(text.split("\n"), 1):
        line = _LEAD.sub("", raw.removesuffix("\r"), count=1)  # models make a list of it
        if heading := _HEADING.match(line):
            section = from_line(heading[1].strip(" \t"))
            last = None
            empty_sections.add(section)
        elif bullet := _BULLET.match(line):
            empty_sections.discard(section)
            if bullet[2] is None and _ODD_COUNTS.match(bullet[bullet.re.groups].strip()):
                problem = f"its counts are no whole numbers from 0 up: {quote_line(line)}"
                collector.unread.append(Finding(number, problem))
                last = None
                continue
            counted = counted or bullet[2] is not None
            last = Entry(
                content=from_line(bullet[bullet.re.groups].strip(" \t")),
                section=section,
                alias=bullet[1],
                helpful=int(bullet[2] or 0),
                harmful=int(bullet[3] or 0),
                line=number,
            )
            collector.add(last)
        elif not line.strip():
            last = None
        elif (
            last
            and not line.startswith("[")
            and collector.entries
            and collector.entries[-1].line == last.line
        ):
            entry = collector.entries[-1]
            collector.entries[-1] = replace(entry, content=f"{entry.content}\n{from_line(line.strip())}")
            note = f"taken as a further line of {entry.alias or 'the bullet above'}"
            collector.notes.append(Finding(number, note))
        else:
            collector.unread.append(Finding(number, f"this line is no bullet: {quote_line(line)}"))
    lost = []
    if empty_sections:
        lost.append(f"{len(empty_sections)} empty section{'s' * (len(empty_sections) > 1)}")
    return collector.to_reading(votes=counted, lost=tuple(lost))


def _write(playbook: Playbook, names: Mapping[str, str], *, counts: bool) -> str:
    """Write one dialect; a bullet has the name it has elsewhere, where that can stand in brackets."""
    parts = []
    for section in playbook.sections:
        lines = [f"## {to_line(section.name)}\n"]
        for bullet in section.bullets:
            name = names.get(bullet.id, "")
            if not _ID.fullmatch(name) or HIDDEN.search(name):
                name = bullet.id
            content = to_line(bullet.content)
            if counts:
                content = f"helpful={bullet.helpful} harmful={bullet.harmful} :: {content}"
            elif content.startswith("helpful="):  # it would read as counts
                content = write_reference("h") + content[1:]
            lines.append(f"[{name}] {content}\n")
        parts.append("".join(lines))
    return "\n".join(parts)


ACE = Format(
    name="ace",
    about="text of the reference ACE, with counts",
    holds=frozenset({VOTES}),
    detects=detects,
    read=read,
    write=lambda playbook, names: _write(playbook, names, counts=True),
    files=(".txt",),
)
APPWORLD = Format(
    name="appworld",
    about="text of the reference ACE, without counts",
    holds=frozenset(),
    detects=detects_plain,
    read=read,
    write=lambda playbook, names: _write(playbook, names, counts=False),
)
