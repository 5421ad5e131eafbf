"""Markdown form of a playbook, for people to read, review and edit.

    ## Orders

    - Join orders.cust_ref to customers.code, never to its id. <!-- id=orders-3fa91c2e helpful=3 from=ep-7 -->
    - Amounts are in cents:
      divide by 100 once, at the end.
      <!-- id=orders-90b1d2aa pinned -->

One list item is one bullet; its further lines are indented by two spaces. The comment at its end holds
details that people rarely need, and only where they differ from the default. Any content survives: characters
that nobody can see, and text that would read as a comment, are written as character references.

This form is exact, so it is read line by line: a content may look like any other Markdown. Edits by hand read
too: any heading level, any list marker, no comments (ids are derived). Text between a heading and its first
bullet, and comments on a line of their own, are for readers only. Removed bullets are not written, nor are
positions: the order of the lines is the order. Markdown of other origin is for a CommonMark parser
(`ace.playbook.formats.handwritten`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from ace.errors import FormatError
from ace.playbook.arrange import arrange_bullets, derive_fresh_id
from ace.playbook.delta import find_flaw
from ace.playbook.model import Bullet, Playbook, Status
from ace.text.unicode import HIDDEN

TITLE = "# Playbook"
GENERAL = "General"  # the section of bullets that come before any heading
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_NOTE = re.compile(r"<!--.*-->\s*")
_REFERENCE = re.compile(r"&(?:amp|lt|#x(?:10|[0-9a-f])?[0-9a-f]{1,4});")
_SPECIAL = re.compile(rf"{HIDDEN.pattern}|&(?={_REFERENCE.pattern[1:]})|<(?=!--)")
_NAMED = {"&": "&amp;", "<": "&lt;"}


def to_markdown(playbook: Playbook) -> str:
    """Write the live bullets as a document for people: a heading a section, a list item a bullet.

    What a bullet has beside its content stands in a comment at the end of its item. `from_markdown` reads it
    back unchanged; removed bullets are left out.
    """
    parts = [f"{TITLE}\n"]
    for section in playbook.sections:
        parts.append(f"## {_escape(section.name)}\n\n" + "".join(map(_render_bullet, section.bullets)))
    return "\n".join(parts)


def from_markdown(text: str, *, file: str = "", base: Playbook | None = None) -> Playbook:
    """Read the playbook that a document describes; a FormatError names the line that is wrong.

    With `base`, the playbook the document was exported from, bullets keep their positions in it
    wherever the order of the lines allows, so that diff(base, ...) holds only what was edited.
    """
    bullets, flaws = parse_markdown(text)
    for flaw in flaws:
        if not flaw.is_prose:
            raise FormatError(flaw.problem, hint=flaw.hint, file=file, line=flaw.line)
    return arrange_bullets(bullets, base)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Say why a line is in no bullet."""

    line: int
    """Counted from 1."""

    problem: str
    """A sentence for people."""

    hint: str = ""
    """What to do about it; "" where nobody knows."""

    is_prose: bool = False
    """Whether it is text for readers, above the first bullet of a section."""


def parse_markdown(text: str) -> tuple[list[Bullet], list[Flaw]]:
    """Return the bullets of a document in their order, and what of it is in none, by line."""
    bullets: dict[str, Bullet] = {}
    items, flaws = _split_items(text)
    parsed: list[tuple[_Item, Bullet]] = []
    for item in items:
        try:
            parsed.append((item, _parse_bullet(item)))
        except FormatError as error:
            flaws.append(Flaw(item.line, error.message, error.hint))
    taken = {bullet.id for _, bullet in parsed}
    for item, bullet in parsed:
        bullet = replace(bullet, id=bullet.id or derive_fresh_id(bullet.section, bullet.content, taken))
        reason = "this id is there twice" if bullet.id in bullets else find_flaw(bullet)
        if reason:
            flaws.append(Flaw(item.line, f"The bullet {bullet.id!r:.60} cannot be used: {reason}."))
            continue
        taken.add(bullet.id)
        bullets[bullet.id] = bullet
    flaws.sort(key=lambda flaw: flaw.line)
    return list(bullets.values()), flaws


def _render_bullet(bullet: Bullet) -> str:
    """Render a list item, its comment at the end."""
    notes = {
        f"id={bullet.id}": True,
        "quarantined": bullet.status is Status.QUARANTINED,
        "pinned": bullet.pinned,
        f"helpful={bullet.helpful}": bullet.helpful,
        f"harmful={bullet.harmful}": bullet.harmful,
        "from=" + ",".join(quote(cited, safe=":/@+()") for cited in bullet.provenance): bullet.provenance,
    }
    comment = f"<!-- {' '.join(filter(notes.get, notes))} -->"
    content = _escape(bullet.content)
    separator = "\n" if "\n" in content else " "
    item = re.sub(r"\n(?=[^\n])", "\n  ", f"{content}{separator}{comment}")
    return f"- {item}\n"


def _escape(text: str) -> str:
    """Write what Markdown or a reader would lose (hidden characters, comments) as references."""
    return _SPECIAL.sub(lambda match: _NAMED.get(match[0], f"&#x{ord(match[0]):x};"), text)


def _unescape(text: str) -> str:
    """Return the text that `_escape` was given."""
    names = {reference: character for character, reference in _NAMED.items()}
    return _REFERENCE.sub(lambda match: names.get(match[0]) or chr(int(match[0][3:-1], 16)), text)


@dataclass(slots=True)
class _Item:
    """Hold one list item as it stands in the file."""

    line: int
    """Where it begins, from 1."""

    section: str
    """The heading above it."""

    indent: int
    """How many characters its later lines are indented by."""

    lines: list[str]
    """Its lines without marker and indent."""


def _split_items(text: str) -> tuple[list[_Item], list[Flaw]]:
    """Split a document into list items, and name text that belongs to none."""
    items: list[_Item] = []
    flaws: list[Flaw] = []
    section, item = GENERAL, None
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if heading := _HEADING.match(line):
            section = _unescape(heading[1].strip())
            item = None
        elif marker := _MARKER.match(line):
            item = _Item(number, section, max(2, marker.end()), [line[marker.end() :]])
            items.append(item)
        elif item and (not line or line.startswith(("  ", "\t"))):
            item.lines.append(line[item.indent :] if line[: item.indent].isspace() else line.lstrip())
        elif line.strip() and not _NOTE.fullmatch(line):
            hint = "Indent it by two spaces to continue the bullet, or start it with '- '."
            flaws.append(Flaw(number, "This text belongs to no bullet.", hint, is_prose=item is None))
    return items, flaws


def _parse_bullet(item: _Item) -> Bullet:
    """Return the bullet of an item. Without an id, space around its text means nothing.

    Raises FormatError for a comment that does not read.
    """
    text, opened, rest = "\n".join(item.lines).partition("<!--")
    comment, closed, after = rest.partition("-->")
    if opened and not closed:
        raise FormatError("This bullet's comment does not end with '-->'.")
    values: dict[str, Any] = {}
    try:
        for word in comment.split():
            match word.partition("="):
                case "id", "=", value if value:
                    values["id"] = value
                case "helpful" | "harmful" as name, "=", value:
                    values[name] = int(value)
                case "from", "=", value:
                    values["provenance"] = tuple(map(unquote, value.split(",")))
                case "pinned", "", _:
                    values["pinned"] = True
                case "quarantined", "", _:
                    values["status"] = Status.QUARANTINED
                case _:
                    raise ValueError(f"what is {word!r:.60}?")
    except ValueError as error:
        hint = "Known: id=, quarantined, pinned, helpful=, harmful=, from=. Put notes on a line of their own."
        message = f"This bullet's comment does not read: {error}"
        raise FormatError(message, hint=hint) from error
    if "id" not in values:
        return Bullet("", item.section, _unescape((text + after).strip()), **values)
    text = text[:-1] if text.endswith((" ", "\n")) else text  # what sets the comment apart
    return Bullet(values.pop("id"), item.section, _unescape(text + after.rstrip()), **values)
