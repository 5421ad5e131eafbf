"""The history: one row for each version, one for each operation that applied, and the folds over them.

Functions over a connection that is already inside a transaction; knows nothing about runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from ace.errors import StoreConflict, UnknownVersion
from ace.playbook.codec import chain_hash, delta_from_json, delta_to_json
from ace.playbook.delta import apply, touched
from ace.playbook.model import Delta, Operation, Playbook, Rejection, Vote
from ace.store import head
from ace.store.evidence import operation_to_json
from ace.store.records import Commit, Version
from ace.store.schema import now
from ace.store.text import to_text

_VERSIONS = """SELECT number, parent, hash, author, reason, run, created,
    (SELECT count(*) FROM operations WHERE version = number) FROM versions"""


def read(db: sqlite3.Connection, number: int) -> Version:
    row = db.execute(f"{_VERSIONS} WHERE number = ?", [number]).fetchone()
    if row is None:
        newest = head.number(db)
        raise UnknownVersion(f"There is no version {number}.", hint=f"The versions here are 0 to {newest}.")
    return Version(*row)


def log(db: sqlite3.Connection, limit: int | None) -> list[Version]:
    rows = db.execute(f"{_VERSIONS} ORDER BY number DESC LIMIT ?", [-1 if limit is None else limit])
    return [Version(*row) for row in rows]


def deltas(db: sqlite3.Connection, after: int, upto: int) -> Iterator[Delta]:
    """The deltas of the versions after `after`, `upto` included, in order."""
    sql = """SELECT version, operation FROM operations
        WHERE version > ? AND version <= ? ORDER BY version, position"""
    for _, group in groupby(db.execute(sql, [after, upto]), key=lambda row: row[0]):
        yield delta_from_json(join(row[1] for row in group))


def fold(db: sqlite3.Connection, playbook: Playbook, after: int, upto: int) -> Playbook:
    for delta in deltas(db, after, upto):
        playbook, _ = apply(playbook, delta)
    return playbook


def checkout(db: sqlite3.Connection, number: int) -> Playbook:
    read(db, number)
    return fold(db, Playbook(), 0, number)


def blame(db: sqlite3.Connection, bullet: str) -> list[tuple[Version, Operation]]:
    """Every operation that touched the bullet, oldest first."""
    rows = db.execute(
        """SELECT version, operation FROM operations
        WHERE bullet = :bullet
           OR (op = 'merge' AND EXISTS (
               SELECT 1 FROM json_each(operation, '$.sources') WHERE json_each.value = :bullet))
        ORDER BY version, position""",
        {"bullet": to_text(bullet)},
    ).fetchall()
    if not rows:
        raise UnknownVersion(
            f"There is no bullet {bullet} in this playbook.", hint="`ace playbook show` lists the ids."
        )
    return [(read(db, version), delta_from_json(join([text]))[0]) for version, text in rows]


def check_rebase(db: sqlite3.Connection, base: int, found: int, delta: Delta) -> None:
    """A delta decided on version `base` still holds at `found` unless both changed the same bullet.

    Votes add up in any order, so two votes on one bullet do not conflict.
    """
    if base == found:
        return
    read(db, base)
    theirs = tuple(deltas(db, base, found))
    edits = head.touched_by([_edits(delta)]), head.touched_by(map(_edits, theirs))
    clash = (edits[0] & head.touched_by(theirs)) | (edits[1] & head.touched_by([delta]))
    if clash:
        bullets = tuple(sorted(clash))
        raise StoreConflict(
            f"The playbook moved from version {base} to {found}, and both changed {', '.join(bullets)}.",
            hint="Read the playbook again, decide again, and commit that.",
            expected=base,
            found=found,
            bullets=bullets,
        )


def append(
    db: sqlite3.Connection,
    at: Version,
    before: Playbook,
    delta: Delta,
    author: str,
    reason: str,
    run: int | None,
) -> Commit:
    """Write the next version: the operations that apply, in order. None apply: no version."""
    author, reason = to_text(author), to_text(reason)
    after, applied, rejections = settle(before, delta)
    if not applied:
        return Commit(at, before, rejections)
    number, digest = at.number + 1, chain_hash(at.hash, delta_to_json(applied), author, reason)
    version = Version(number, at.number, digest, author, reason, run, now(), len(applied))
    row = number, at.number, digest, author, reason, run, version.created
    db.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    db.executemany("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", list(_rows(number, applied)))
    head.advance(db, number, before, after, applied)
    return Commit(version, after, rejections)


def settle(playbook: Playbook, delta: Delta) -> tuple[Playbook, Delta, tuple[Rejection, ...]]:
    """Apply one operation at a time: of two equal ones, only that tells which of them applied."""
    applied: list[Operation] = []
    rejections: list[Rejection] = []
    for operation in delta:
        playbook, rejected = apply(playbook, (operation,))
        rejections += rejected
        if not rejected:
            applied.append(operation)
    return playbook, tuple(applied), tuple(rejections)


def join(operations: Iterable[str]) -> str:
    """Canonical JSON of a delta, from that of its operations."""
    return f"[{','.join(operations)}]"


def _rows(number: int, delta: Delta) -> Iterator[tuple[Any, ...]]:
    for position, operation in enumerate(delta):
        yield number, position, operation.op, touched(operation)[0], operation_to_json(operation)


def _edits(delta: Delta) -> Delta:
    return tuple(operation for operation in delta if not isinstance(operation, Vote))
