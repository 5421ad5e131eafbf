"""The history: one row for each version, one for each operation that applied.

Functions over a connection that is already inside a transaction; knows nothing about runs. What a commit
writes costs the size of its delta, on every branch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ace.errors import StoreConflict, UnknownVersion
from ace.playbook.codec import chain_hash, delta_from_json, delta_to_json
from ace.playbook.delta import apply, touched
from ace.playbook.model import Delta, Operation, Playbook, Rejection, Vote
from ace.runs.records import Branch, Commit, Touch, Version
from ace.store import bullet_history, checked_rows, lineage
from ace.store.episode_rows import operation_to_json
from ace.store.schema import now
from ace.store.sqlite_text import strings, to_text

_VERSIONS = """SELECT number, parent, merged, branch, hash, author, reason, run, created,
    (SELECT count(*) FROM operations WHERE version = number) FROM versions"""


@dataclass(frozen=True, slots=True)
class Head:
    """A branch, its newest version and what the playbook is there."""

    branch: Branch
    version: Version
    playbook: Playbook


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside a delta. `merged`: the version of another branch that it takes in."""

    author: str
    reason: str
    run: int | None = None
    merged: Version | None = None


def read(db: sqlite3.Connection, number: int) -> Version:
    row = db.execute(f"{_VERSIONS} WHERE number = ?", [number]).fetchone()
    if row is None:
        lineage.resolve(db, number)  # says what there is
    return Version(*row)


def log(db: sqlite3.Connection, line: lineage.Line | None, limit: int | None) -> list[Version]:
    """Newest first: the versions of a line, or all there are."""
    test, values = ("1", []) if line is None else lineage.within(line, "number")
    sql = f"{_VERSIONS} WHERE {test} ORDER BY number DESC LIMIT ?"
    return [Version(*row) for row in db.execute(sql, [*values, -1 if limit is None else limit])]


def operations(db: sqlite3.Connection, version: int) -> Delta:
    sql = "SELECT operation FROM operations WHERE version = ? ORDER BY position"
    return delta_from_json(join(text for (text,) in db.execute(sql, [version])))


def since(db: sqlite3.Connection, line: lineage.Line, after: int) -> Iterator[Delta]:
    """The deltas of the versions of a line after one of them, in order."""
    test, values = lineage.within(line, "number")
    sql = f"""SELECT version, operation FROM operations JOIN versions ON number = version
        WHERE version > ? AND {test} ORDER BY version, position"""  # noqa: S608 (our own text)
    for _, group in groupby(db.execute(sql, [after, *values]), key=lambda row: row[0]):
        yield delta_from_json(join(row[1] for row in group))


def blame(db: sqlite3.Connection, bullet: str) -> list[Touch]:
    """Every operation that touched the bullet, on any branch, oldest first."""
    sql = """SELECT version FROM bullet_history
        WHERE bullet = ? AND branch IN (SELECT name FROM branches) ORDER BY version"""
    numbers = [number for (number,) in db.execute(sql, [to_text(bullet)])]
    if not numbers:
        hint = "`ace playbook show` lists the ids."
        raise UnknownVersion(f"There is no bullet {bullet} in this playbook.", hint=hint)
    versions = [(read(db, number), operations(db, number)) for number in numbers]
    return [
        Touch(version, operation, _rests_on(db, version, operation, bullet))
        for version, delta in versions
        for operation in delta
        if bullet in touched(operation)
    ]


def _rests_on(db: sqlite3.Connection, version: Version, operation: Operation, bullet: str) -> tuple[str, ...]:
    """The episodes that the operation cites, and those of the proposal that it came from."""
    cited = list(getattr(operation, "provenance", None) or ())
    sql = """SELECT delta, episodes FROM proposals
        WHERE version = ? AND run IS ? AND outcome = 'accepted' ORDER BY rowid"""
    if version.run is not None:
        for delta, episodes in db.execute(sql, [version.number, version.run]):
            if any(bullet in touched(proposed) for proposed in delta_from_json(delta)):
                cited += strings(episodes)
    return tuple(dict.fromkeys(cited))


def check_rebase(db: sqlite3.Connection, base: int, found: int, delta: Delta) -> None:
    """A delta decided on version `base` still holds at `found` unless both edited the same bullet.

    Votes never conflict: they change no text, and add up in any order. One on a bullet that is gone by now
    is rejected like any operation that cannot apply.
    """
    if base == found:
        return
    read(db, base)
    lineage.check_behind(db, base, found)
    theirs = since(db, lineage.line(db, found), base)
    clash = touched_by([_edits(delta)]) & touched_by(map(_edits, theirs))
    if clash:
        bullets = tuple(sorted(clash))
        raise StoreConflict(
            f"The playbook moved from version {base} to {found}, and both edited {', '.join(bullets)}.",
            hint="Read the playbook again, decide again, and commit that.",
            expected=base,
            found=found,
            bullets=bullets,
        )


def append(
    db: sqlite3.Connection, head: Head, delta: Delta, note: Note
) -> tuple[Head, tuple[Rejection, ...]]:
    """Write the next version: the operations that apply, in order. None apply and none merged: no version."""
    author, reason = to_text(note.author), to_text(note.reason)
    after, applied, rejections = settle(head.playbook, delta)
    at, merged = head.version, note.merged
    if not applied and not merged:
        return head, rejections
    (number,) = db.execute("SELECT max(number) + 1 FROM versions").fetchone()
    parents = (at.hash, merged.hash) if merged else (at.hash,)
    digest = version_hash(parents, delta_to_json(applied), author, reason)
    name, other = head.branch.name, merged.number if merged else None
    version = Version(number, at.number, other, name, digest, author, reason, note.run, now(), len(applied))
    row = (number, at.number, other, name, digest, author, reason, note.run, version.created)
    checked_rows.insert(db, "versions", [(*row, after.next_position)])
    db.executemany("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", list(_rows(number, applied)))
    bullet_history.record(db, version, head.playbook, after, sorted(touched_by([applied])))
    branch = Branch(name, number, head.branch.base, head.branch.created)
    checked_rows.update(db, "branches", (branch.name, branch.version, branch.base, branch.created))
    return Head(branch, version, after), rejections


def version_hash(parents: Iterable[str], delta_json: str, author: str, reason: str) -> str:
    """A merge has two parents, and vouches for both."""
    return chain_hash(" ".join(parents), delta_json, author, reason)


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


def committed(head: Head, rejections: tuple[Rejection, ...]) -> Commit:
    return Commit(head.version, head.playbook, rejections)


def touched_by(deltas: Iterable[Delta]) -> set[str]:
    return {bullet for delta in deltas for operation in delta for bullet in touched(operation)}


def join(operations: Iterable[str]) -> str:
    """Canonical JSON of a delta, from that of its operations."""
    return f"[{','.join(operations)}]"


def _rows(number: int, delta: Delta) -> Iterator[tuple[Any, ...]]:
    for position, operation in enumerate(delta):
        yield number, position, operation.op, touched(operation)[0], operation_to_json(operation)


def _edits(delta: Delta) -> Delta:
    return tuple(operation for operation in delta if not isinstance(operation, Vote))
