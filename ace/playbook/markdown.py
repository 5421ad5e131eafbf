"""Markdown form of a playbook, for people to read, review and edit.

    ## Orders

    - Join orders.cust_ref to customers.code, never to its id. <!-- id=orders-3fa91c2e helpful=3 from=ep-7 -->
    - Amounts are in cents:
      divide by 100 once, at the end.
      <!-- id=orders-90b1d2aa pinned -->

One list item is one bullet; its further lines are indented by two spaces. The comment at its end holds
details that people rarely need, and only where they differ from the default. Any content survives: characters
that nobody can see, and text that would read as a comment, are written as character references.

Hand-written files read too: any heading level, any list marker, no comments (ids are derived). Text
between a heading and its first bullet, and comments on a line of their own, are for readers only.
Removed bullets are not written, nor are positions: the order of the lines is the order.
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
    parts = ["# Playbook\n"]
    for section in playbook.sections:
        parts.append(f"## {_escape(section.name)}\n\n" + "".join(map(_render_bullet, section.bullets)))
    return "\n".join(parts)


def from_markdown(text: str, *, file: str = "", base: Playbook | None = None) -> Playbook:
    """Read the playbook that a document describes; a FormatError names the line that is wrong.

    With `base`, the playbook the document was exported from, bullets keep their positions in it
    wherever the order of the lines allows, so that diff(base, ...) holds only what was edited.
    """
    bullets: dict[str, Bullet] = {}
    items = [(item, _parse_bullet(item, file)) for item in _split_items(text, file)]
    taken = {bullet.id for _, bullet in items}
    for item, bullet in items:
        bullet = replace(bullet, id=bullet.id or derive_fresh_id(bullet.section, bullet.content, taken))
        reason = "this id is there twice" if bullet.id in bullets else find_flaw(bullet)
        if reason:
            raise FormatError(
                f"The bullet {bullet.id!r:.60} cannot be used: {reason}.", file=file, line=item.line
            )
        taken.add(bullet.id)
        bullets[bullet.id] = bullet
    return arrange_bullets(bullets.values(), base)


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
    section: str
    indent: int
    lines: list[str]


def _split_items(text: str, file: str) -> list[_Item]:
    """Split a document into list items; raise FormatError for text that belongs to none."""
    items: list[_Item] = []
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
        elif item and line.strip() and not _NOTE.fullmatch(line):
            hint = "Indent it by two spaces to continue the bullet, or start it with '- '."
            raise FormatError("This text belongs to no bullet.", hint=hint, file=file, line=number)
    return items


def _parse_bullet(item: _Item, file: str) -> Bullet:
    """Return the bullet of an item. Without an id, space around its text means nothing."""
    text, opened, rest = "\n".join(item.lines).partition("<!--")
    comment, closed, after = rest.partition("-->")
    if opened and not closed:
        raise FormatError("This bullet's comment does not end with '-->'.", file=file, line=item.line)
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
        raise FormatError(message, hint=hint, file=file, line=item.line) from error
    if "id" not in values:
        return Bullet("", item.section, _unescape((text + after).strip()), **values)
    text = text[:-1] if text.endswith((" ", "\n")) else text  # what sets the comment apart
    return Bullet(values.pop("id"), item.section, _unescape(text + after.rstrip()), **values)
