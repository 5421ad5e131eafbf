"""JSON Lines: one bullet a line, with our ids.

Read: `content` is all that a line needs; what it does not say stays as it is in the playbook it goes to,
and a new bullet gets the defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from ace.errors import FormatError
from ace.playbook.arrange import arranged, fresh_id
from ace.playbook.codec import bullet_fields
from ace.playbook.delta import flaw
from ace.playbook.formats.format import EVERYTHING, Finding, Format, Reading
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Bullet, Playbook


def detects(text: str) -> bool:
    return "content" in first_object(text)


def first_object(text: str) -> dict[str, Any]:
    """The object on the first line that holds one, or an empty one."""
    for line in text.split("\n"):
        if line.startswith("{"):
            with suppress(ValueError, RecursionError):
                return dict(json.loads(line))
    return {}


def read(text: str, file: str, base: Playbook | None) -> Reading:
    unread: list[Finding] = []
    said: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip():
                said.append((number, bullet_fields(line)))
        except FormatError as error:
            unread.append(Finding(number, error.message))
    taken, bullets = {fields["id"] for _, fields in said if "id" in fields}, dict[str, Bullet]()
    for number, fields in said:
        bullet = _bullet(fields, taken, base)
        if reason := _wrong(bullet, bullets):
            unread.append(Finding(number, f"the bullet {bullet.id!r:.60} cannot be used: {reason}"))
            continue
        taken.add(bullet.id)
        bullets[bullet.id] = bullet
    unread.sort(key=lambda finding: finding.line)
    return Reading(playbook=arranged(bullets.values(), base), unread=tuple(unread))


def _wrong(bullet: Bullet, earlier: dict[str, Bullet]) -> str:
    if bullet.id in earlier:
        return "this id is there twice"
    return flaw(bullet) if bullet.live else "a removed bullet is not written, but left out"


def _bullet(fields: dict[str, Any], taken: set[str], base: Playbook | None) -> Bullet:
    fields = {name: value for name, value in fields.items() if name != "position"}
    old = base.bullets.get(fields.get("id", "")) if base is not None else None
    if old is not None and old.live:
        return replace(old, **fields)
    fields = {"section": GENERAL, "content": "", **fields}
    if "id" not in fields:
        fields["id"] = fresh_id(fields["section"], fields["content"], taken)
    return Bullet(**fields)


def write(playbook: Playbook, names: Mapping[str, str]) -> str:
    return "".join(f"{_line(bullet)}\n" for bullet in playbook)


def _line(bullet: Bullet) -> str:
    """Every field, because what a line does not say stays as it is; the order of the lines is the order."""
    said = {name: value for name, value in asdict(bullet).items() if name != "position"}
    return json.dumps(said, ensure_ascii=False)


JSONL = Format(
    name="jsonl",
    about="JSON Lines, one bullet a line",
    holds=EVERYTHING,
    detects=detects,
    read=read,
    write=write,
    files=(".jsonl",),
)
