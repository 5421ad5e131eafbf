"""Dynamic Cheatsheet: snapshots as JSON Lines, or one cheatsheet as text. Import only.

    <memory_item>
    <description>
    ...
    </description>
    <example>
    ...
    </example>
    </memory_item>
    ** Count: 3

Of several snapshots the last is read. Models wrote these texts, so closing tags may be missing and
the count may come before or after them. How often an item was used is not a vote, and is not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ace.errors import FormatError
from ace.playbook.formats.format import Collector, Entry, Finding, Format, Reading, quote_line
from ace.playbook.formats.jsonl import first_object
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Playbook

_OPENS = "<memory_item>"
_TAG = re.compile(r"</?(?:description|example)>")
_COUNT = re.compile(r"\*{0,2}[ \t]*Count:[ \t]*\**[ \t]*\d+[ \t]*\**")
_HEADING = re.compile(r"#{1,6}[ \t]+(.+)|([A-Z][A-Z0-9 ,&/()-]+):?")
_NOISE = re.compile(r"\s*|Version:.*|</?cheatsheet>|[-*=_]{3,}|```\w*")


def detects(text: str) -> bool:
    """Detect a cheatsheet as text, or a file of snapshots."""
    return any(line.rstrip() == _OPENS for line in text.split("\n")) or "cheatsheet" in first_object(text)


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read a cheatsheet, or the last of several snapshots. Raises FormatError where that one has none."""
    if "cheatsheet" not in first_object(text):
        return _Scan().run(text)
    snapshots = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    number, last_line = snapshots[-1]
    last = first_object(last_line)
    sheet: Any = last.get("cheatsheet")
    if type(sheet) is not str:
        raise FormatError("The last snapshot has no cheatsheet.", file=file, line=number)
    note = Finding(number, f"the last of {len(snapshots)} snapshots; the earlier ones were not read")
    return _Scan(Collector(notes=[note]), at=number).run(sheet)


@dataclass(slots=True)
class _Scan:
    """Go over the lines of a cheatsheet once."""

    collector: Collector = field(default_factory=Collector)
    """Takes each item once its last line is read."""

    at: int = 0
    """The line of the file where all of it stands; 0 where each of its lines is one of the file."""

    section: str = GENERAL
    """The last heading."""

    item: list[str] | None = None
    """The lines so far of the item that is open; None where none is."""

    begins: int = 0
    """The line of the file where that item begins."""

    counts: int = 0
    """How many use counts have come."""

    def run(self, text: str) -> Reading:
        """Read all lines: the beginning, text or end of an item, its count, a heading, or nothing known."""
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.rstrip()
            bare = raw.strip()
            place = self.at or number
            if bare == _OPENS:
                self._close()
                self.item, self.begins = [], place
            elif bare == "</memory_item>":
                self._close()
            elif _COUNT.fullmatch(bare):
                self.counts += 1
                self._close()
            elif self.item is not None:
                self.item.append(line)
            elif heading := _HEADING.fullmatch(bare):
                self.section = (heading[1] or heading[2]).strip(" :")
            elif not _NOISE.fullmatch(bare):
                self.collector.unread.append(Finding(place, f"this belongs to no item: {quote_line(line)}"))
        self._close()
        lost = (f"use counts of {self.counts}",) if self.counts else ()
        return self.collector.to_reading(votes=False, lost=lost)

    def _close(self) -> None:
        """End the item that is open, if one is."""
        if self.item is not None:
            content = re.sub(r"\n{3,}", "\n\n", _TAG.sub("", "\n".join(self.item))).strip()
            self.collector.add(Entry(content=content, section=self.section, line=self.begins))
        self.item = None


CHEATSHEET = Format(
    name="cheatsheet",
    about="a Dynamic Cheatsheet, or its snapshots; import only",
    holds=frozenset(),
    detects=detects,
    read=read,
)
