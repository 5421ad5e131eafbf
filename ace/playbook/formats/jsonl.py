"""JSON Lines: one bullet a line, with our ids.

A line needs nothing but `content` to be read. A field that it leaves out stays as it is in the playbook it
goes to; a new bullet gets the defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from ace.errors import FormatError
from ace.playbook.arrange import arrange_bullets, derive_fresh_id
from ace.playbook.codec import bullet_fields
from ace.playbook.delta import find_flaw
from ace.playbook.formats.format import COUNTS, EVERYTHING, Finding, Format, Reading, mend_fields
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Bullet, Playbook


def detects(text: str) -> bool:
    """Detect lines of objects with content."""
    return "content" in first_object(text)


def first_object(text: str) -> dict[str, Any]:
    """Return the object on the first line that holds one.

    It is empty where most lines begin none: one object in a text is an example.
    """
    lines = [line for line in _spread_list(text).split("\n") if line.strip()]
    objects = [line for line in lines if line.startswith("{")]
    if 2 * len(objects) >= len(lines):
        for line in objects:
            with suppress(ValueError, RecursionError):
                return dict(json.loads(line))
    return {}


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read bullets line by line; a line that is none is reported with the reason."""
    unread: list[Finding] = []
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(_spread_list(text).split("\n"), 1):
        try:
            if line.strip():
                rows.append((number, bullet_fields(_mend_line(line))))
        except FormatError as error:
            unread.append(Finding(number, error.message))
    taken = {fields["id"] for _, fields in rows if "id" in fields}
    bullets: dict[str, Bullet] = {}
    for number, given_fields in rows:
        fields = {name: value for name, value in given_fields.items() if name != "position"}
        old = base.bullets.get(fields.get("id", "")) if base is not None else None
        if old is not None and old.live:
            bullet = replace(old, **fields)
        else:
            fields = {"section": GENERAL, "content": "", **fields}
            if "id" not in fields:
                fields["id"] = derive_fresh_id(fields["section"], fields["content"], taken)
            bullet = Bullet(**fields)
        if bullet.id in bullets:
            reason = "this id is there twice"
        elif not bullet.live:
            reason = "a removed bullet is not written, but left out"
        else:
            reason = find_flaw(bullet)
        if reason:
            unread.append(Finding(number, f"the bullet {bullet.id!r:.60} cannot be used: {reason}"))
            continue
        taken.add(bullet.id)
        bullets[bullet.id] = bullet
    unread.sort(key=lambda finding: finding.line)
    return Reading(playbook=arrange_bullets(bullets.values(), base), unread=tuple(unread))


def _spread_list(text: str) -> str:
    """Return the objects of a JSON list a line each; any other text as it is."""
    if text.lstrip()[:1] == "[":
        with suppress(ValueError, RecursionError):
            rows = json.loads(text)
            if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                return "\n".join(map(json.dumps, rows))
    return text


def _mend_line(line: str) -> str:
    """Return a line in our types: a field that is null is left out, an id may be a number, a count a text."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict):
            counts = {name: float(row[name]) for name in COUNTS if isinstance(row.get(name), str)}
            fields = mend_fields({**row, **counts})
            if type(fields.get("id")) is int:
                fields["id"] = str(fields["id"])
            mended = json.dumps(fields)
            return line if mended == json.dumps(row) else mended
    return line


def write(playbook: Playbook, names: Mapping[str, str]) -> str:
    """Write every field but the position: a field that a line leaves out stays as it is when it is read."""
    lines = []
    for bullet in playbook:
        fields = asdict(bullet)
        del fields["position"]  # the order of the lines is the order
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    return "".join(lines)


JSONL = Format(
    name="jsonl",
    about="JSON Lines, one bullet a line",
    holds=EVERYTHING,
    detects=detects,
    read=read,
    write=write,
    files=(".jsonl",),
)
