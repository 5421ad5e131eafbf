"""Formats, and the results of reading a file in one.

Files whose ids are ours read to a playbook. Files of other tools read to entries; `ace.playbook.exchange`
decides what becomes of them here. Knows nothing about any one format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ace.playbook.delta import find_flaw
from ace.playbook.markdown import GENERAL, Flaw
from ace.playbook.model import Bullet, Playbook
from ace.text.unicode import SURROGATE

# A format may hold these of a bullet, beside its section and content.
PROVENANCE = "provenance"
PINS = "pins"
VOTES = "votes"
QUARANTINE = "quarantine"
NO_BULLETS = "A bullet is a line that begins with '- '. --format text takes every paragraph as one."
EVERYTHING = frozenset((PROVENANCE, PINS, VOTES, QUARANTINE))
COUNTS = ("helpful", "harmful")  # fields of a bullet


@dataclass(frozen=True, slots=True)
class Finding:
    """Report something about a line of a file, or several, counted from 1."""

    line: int

    text: str
    """A clause for people."""

    last: int = 0
    """The last of several lines; 0 for one line."""

    kind: str = ""
    """A noun for text that is no bullet and meant to be none, such as "code"; "" for all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold one bullet as the file of another tool states it."""

    content: str

    section: str = GENERAL
    """The heading it stands under; GENERAL where there is none."""

    alias: str = ""
    """Its id in the file; "" if it has none."""

    helpful: int = 0
    """The file's own count of votes for it."""

    harmful: int = 0
    """The file's own count of votes against it."""

    quarantined: bool = False
    """Whether the file says that it is not in use."""

    line: int = 0
    """Where it begins in the file, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold what a file says, and what of it could not be taken over."""

    entries: tuple[Entry, ...] = ()
    """The bullets, where their ids are those of another tool."""

    playbook: Playbook | None = None
    """Stands in place of `entries` where the ids in the file are ours; else None."""

    votes: bool = True
    """Whether the file says anything about votes."""

    unread: tuple[Finding, ...] = ()
    """What is not in the result, and why."""

    notes: tuple[Finding, ...] = ()
    """What was read otherwise than one might think."""

    lost: tuple[str, ...] = ()
    """What the file says and a playbook has no place for, a phrase each."""


Write = Callable[[Playbook, Mapping[str, str]], str]
"""Writes a playbook; takes the name that each bullet has elsewhere, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Describe one way to read a playbook and, unless it is import only, to write it."""

    name: str
    """What people choose it by."""

    about: str
    """Its line in the help."""

    holds: frozenset[str]
    """The aspects of a bullet that it keeps beside section and content."""

    detects: Callable[[str], bool]
    """Says whether a text is in it."""

    read: Callable[[str, str, Playbook | None], Reading]
    """Takes the text, its file, and the playbook it goes to; raises FormatError."""

    write: Write | None = None
    """None where it is import only."""

    files: tuple[str, ...] = ()
    """Names and suffixes of files that stand for it."""


@dataclass(slots=True)
class Collector:
    """Gather entries; one that no playbook could hold becomes a finding instead."""

    entries: list[Entry] = field(default_factory=list)
    """Those so far, in the order of the file."""

    unread: list[Finding] = field(default_factory=list)
    """What could not be an entry, and why."""

    notes: list[Finding] = field(default_factory=list)
    """What was taken otherwise than it stood in the file."""

    _aliases: set[str] = field(default_factory=set)
    """The ids of the file that have come so far."""

    def add(self, entry: Entry) -> None:
        """Add an entry, or report why it cannot be one.

        A section of several lines becomes one line, and an id that is there twice is taken only once.
        """
        line = " ".join(entry.section.split()) or GENERAL
        if entry.section.strip().splitlines() != [entry.section]:
            self.notes.append(Finding(entry.line, f"its section is not one line: taken as {line!r:.60}"))
            entry = replace(entry, section=line)
        bullet = Bullet("a", entry.section, entry.content, helpful=entry.helpful, harmful=entry.harmful)
        reason = find_flaw(bullet)
        if SURROGATE.search(entry.alias):
            reason = reason or "invalid Unicode in its id"
        if reason:
            self.unread.append(Finding(entry.line, f"{entry.alias or 'a bullet'}: {reason}"))
            return
        if entry.alias in self._aliases:
            self.notes.append(Finding(entry.line, f"the id {entry.alias} is there twice: taken without it"))
            entry = replace(entry, alias="")
        elif entry.alias:
            self._aliases.add(entry.alias)
        self.entries.append(entry)

    def to_reading(self, *, votes: bool = True, lost: tuple[str, ...] = ()) -> Reading:
        """Return what was gathered.

        `votes`: the file says something about them. `lost`: what a playbook has no place for, a phrase each.
        """
        return Reading(
            entries=tuple(self.entries),
            votes=votes,
            unread=tuple(self.unread),
            notes=tuple(self.notes),
            lost=lost,
        )


def mend_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a bullet without those that are null, counts such as 3.0 as whole numbers."""
    fields = {name: value for name, value in row.items() if value is not None}
    for name in COUNTS:
        value = fields.get(name)
        if isinstance(value, float) and value.is_integer():
            fields[name] = int(value)
    return fields


def report_flaws(flaws: Iterable[Flaw]) -> tuple[Finding, ...]:
    """Return a finding for each line of our Markdown that is in no bullet."""
    findings: list[Finding] = []
    for flaw in flaws:
        problem = f"{flaw.problem} {flaw.hint}".strip()
        findings.append(Finding(flaw.line, problem, kind="text" if flaw.is_prose else ""))
    return tuple(findings)


def quote_line(line: str) -> str:
    """Quote a line for a finding, shortened to 60 characters."""
    if len(line) > 60:
        line = f"{line[:57]}..."
    return repr(line)
