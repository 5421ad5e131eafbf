"""Checks a playbook file against itself: every hash, every fold, every row of the head.

Derives everything again from the operations and compares. Changes nothing and mends nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator

from ace.errors import FormatError, NotAPlaybook
from ace.playbook.codec import chain_hash, delta_from_json
from ace.playbook.delta import apply, touched
from ace.playbook.model import Delta, Playbook
from ace.store import head, versions

JSON_COLUMNS = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": ("subjects", "missing", "uses"),
    "proposals": ("delta", "episodes", "attempts"),
    "rejected_operations": ("operation",),
    "calls": ("faults",),
}


def problems(db: sqlite3.Connection) -> Iterator[str]:
    """One sentence for each thing that is wrong; none when the file is clean."""
    try:
        yield from _file(db)
        yield from _journal(db)
        yield from _aliases(db)
        newest, playbook = yield from _history(db)
        yield from _head(db, newest, playbook)
    except (NotAPlaybook, sqlite3.DatabaseError) as error:  # too damaged to read any further
        yield str(error)


def _file(db: sqlite3.Connection) -> Iterator[str]:
    for (line,) in db.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite finds the file damaged: {line}"
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
        where = f"Row {row} of {table}" if row is not None else f"A row of {table}"
        yield f"{where} points to a row of {parent} that is not there."


def _journal(db: sqlite3.Connection) -> Iterator[str]:
    for table, columns in JSON_COLUMNS.items():
        for column in columns:
            wrong = f"FROM {table} WHERE NOT json_valid(coalesce({column}, 0))"
            if count := db.execute(f"SELECT count(*) {wrong}").fetchone()[0]:
                yield f"Column {column} of {table} holds {count} values that are not JSON."


def _aliases(db: sqlite3.Connection) -> Iterator[str]:
    sql = "SELECT alias, source, bullet FROM aliases WHERE bullet NOT IN (SELECT bullet FROM operations)"
    for alias, source, bullet in db.execute(sql):
        yield f"The alias {alias} of {source} is for {bullet}, a bullet that never was."


def _history(db: sqlite3.Connection) -> Generator[str, None, tuple[int | None, Playbook]]:
    """Fold the whole history. A child is checked against the hash its parent has, so one edit shows once."""
    playbook, previous, parent_hash = Playbook(), None, ""
    sql = "SELECT number, parent, hash, author, reason FROM versions ORDER BY number"
    for expected, (number, parent, digest, author, reason) in enumerate(db.execute(sql)):
        if (number, parent) != (expected, previous):
            yield f"Version {number} follows {parent}, but {previous} comes before it."
        rows = db.execute(
            "SELECT op, bullet, operation FROM operations WHERE version = ? ORDER BY position", [number]
        ).fetchall()
        text = versions.join(row[2] for row in rows)
        if digest != chain_hash(parent_hash, text, author, reason):
            yield f"Version {number} does not match its hash."
        delta = _decoded(number, text)
        if [(o.op, touched(o)[0]) for o in delta] != [row[:2] for row in rows]:
            yield f"Version {number} lists its operations under another name or bullet."
        playbook, rejections = apply(playbook, delta)
        for rejection in rejections:
            yield f"Version {number} holds a {rejection.operation.op} that cannot apply: {rejection.reason}"
        previous, parent_hash = number, digest
    return previous, playbook


def _decoded(number: int, text: str) -> Delta:
    try:
        return delta_from_json(text)
    except FormatError as error:
        raise NotAPlaybook(f"Version {number} holds an operation that cannot be read: {error}") from error


def _head(db: sqlite3.Connection, newest: int | None, folded: Playbook) -> Iterator[str]:
    number, stored = head.number(db), head.load(db)
    if number != newest:
        yield f"The head is at version {number}, but the newest version is {newest}."
    for bullet in sorted({*stored.bullets, *folded.bullets}):
        if stored.bullets.get(bullet) != folded.bullets.get(bullet):
            yield f"Bullet {bullet} of the head is not what its history says."
    if stored.section_names != folded.section_names:
        yield "The sections of the head are not what the history says."
    if stored.next_position != folded.next_position:
        yield "The place where the next bullet goes is not what the history says."
