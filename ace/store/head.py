"""The head playbook as tables: loaded once, then advanced by what each delta touched.

Knows nothing about versions; what a commit writes here costs the size of its delta.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from immutables import Map

from ace.playbook.delta import touched
from ace.playbook.model import Bullet, Delta, Playbook, Status
from ace.store.schema import damaged
from ace.store.text import to_json

_BULLETS = "SELECT id, section, content, provenance, status, pinned, helpful, harmful, position FROM bullets"
_UPSERT = """INSERT OR REPLACE INTO bullets
    (id, section, content, provenance, status, pinned, helpful, harmful, position)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def touched_by(deltas: Iterable[Delta]) -> set[str]:
    return {bullet for delta in deltas for operation in delta for bullet in touched(operation)}


def number(db: sqlite3.Connection) -> int:
    """The version the head is at."""
    return _meta(db, "head")


def load(db: sqlite3.Connection) -> Playbook:
    try:
        bullets = Map((row[0], _bullet(row)) for row in db.execute(_BULLETS))
    except (ValueError, TypeError) as error:  # an unknown status, or provenance that is not a JSON list
        raise damaged(f"A bullet of the head cannot be read: {error}.") from error
    names = tuple(name for (name,) in db.execute("SELECT name FROM sections ORDER BY place"))
    return Playbook(bullets, names, _meta(db, "next_position"))


def advance(db: sqlite3.Connection, version: int, before: Playbook, after: Playbook, delta: Delta) -> None:
    """Write what `delta` changed between the two playbooks."""
    known = len(before.section_names)  # section names only grow
    sections = enumerate(after.section_names[known:], known)
    db.executemany("INSERT INTO sections (place, name) VALUES (?, ?)", sections)
    bullets = (after.bullets[bullet] for bullet in sorted(touched_by([delta])))
    db.executemany(_UPSERT, [_row(bullet) for bullet in bullets])
    meta = {"head": version, "next_position": after.next_position}
    db.executemany("UPDATE meta SET value = ? WHERE key = ?", [(value, key) for key, value in meta.items()])


def _meta(db: sqlite3.Connection, key: str) -> int:
    row = db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    if row is None:
        raise damaged(f"The playbook's {key} is missing.")
    return int(row[0])


def _row(bullet: Bullet) -> tuple[Any, ...]:
    return (
        bullet.id,
        bullet.section,
        bullet.content,
        to_json(bullet.provenance),
        bullet.status.value,
        bullet.pinned,
        bullet.helpful,
        bullet.harmful,
        bullet.position,
    )


def _bullet(row: tuple[Any, ...]) -> Bullet:
    identity, section, content, provenance, status, pinned, helpful, harmful, position = row
    return Bullet(
        identity,
        section,
        content,
        tuple(json.loads(provenance)),
        Status(status),
        bool(pinned),
        helpful,
        harmful,
        position,
    )
