"""The history: one row for each version, one for each operation that applied.

Functions over a connection that is already inside a transaction; knows nothing about runs. A commit costs the
size of its delta, on every branch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from ace.errors import StoreConflict, UnknownVersion
from ace.playbook.codec import chain_hash, delta_from_json, delta_to_json
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Delta, Operation, Playbook, Rejection, Vote
from ace.runs.records import Branch, Touch, Version
from ace.store import bullet_history, checked_rows, lineage
from ace.store.episode_rows import operation_to_json
from ace.store.sqlite_text import now, parse_strings, read_column, to_text

_VERSIONS = """SELECT number, parent, merged, branch, hash, author, reason, run, created,
    (SELECT count(*) FROM operations WHERE version = number) FROM versions"""


@dataclass(frozen=True, slots=True)
class Head:
    """Bundle a branch with its newest version and the playbook there."""

    branch: Branch
    version: Version
    playbook: Playbook


@dataclass(frozen=True, slots=True)
class Note:
    """Hold what is written beside a delta. `merged`: the version of another branch that a merge takes in."""

    author: str
    reason: str
    run: int | None = None
    merged: Version | None = None


def read(db: sqlite3.Connection, number: int) -> Version:
    """Return a version. Raises UnknownVersion, which lists what there is."""
    row = db.execute(f"{_VERSIONS} WHERE number = ?", [number]).fetchone()
    if row is None:
        lineage.resolve(db, number)  # raises
    return Version(*row)


def read_log(db: sqlite3.Connection, line: lineage.Line | None, limit: int | None) -> list[Version]:
    """Return versions, newest first: those of a line, or all."""
    condition, values = "1", list[str | int]()
    if line is not None:
        condition, values = lineage.line_condition(line, "number")
    if limit is None:
        limit = -1  # SQLite's word for no limit
    sql = f"{_VERSIONS} WHERE {condition} ORDER BY number DESC LIMIT ?"
    return [Version(*row) for row in db.execute(sql, [*values, limit])]


def read_delta_json(db: sqlite3.Connection, version: int) -> str:
    """Return the operations that a version applied, in order, as canonical JSON."""
    sql = "SELECT operation FROM operations WHERE version = ? ORDER BY position"
    return join_operations(read_column(db, sql, [version]))


def read_delta(db: sqlite3.Connection, version: int) -> Delta:
    """Return the operations that a version applied, in order."""
    return delta_from_json(read_delta_json(db, version))


def blame(db: sqlite3.Connection, bullet: str) -> list[Touch]:
    """Return every operation that touched a bullet, on any branch, oldest first.

    Raises UnknownVersion for a bullet that never was.
    """
    sql = """SELECT version FROM bullet_history
        WHERE bullet = ? AND branch IN (SELECT name FROM branches) ORDER BY version"""
    numbers = read_column(db, sql, [to_text(bullet)])
    if not numbers:
        hint = "`ace playbook show` lists the ids."
        raise UnknownVersion(f"There is no bullet {bullet} in this playbook.", hint=hint)
    touches = []
    for number in numbers:
        version = read(db, number)
        for operation in read_delta(db, number):
            if bullet in touched_ids(operation):
                episodes = _read_grounds(db, version, operation, bullet)
                touches.append(Touch(version, operation, episodes))
    return touches


def _read_grounds(
    db: sqlite3.Connection, version: Version, operation: Operation, bullet: str
) -> tuple[str, ...]:
    """Return the episodes that an operation cites, then those of the proposal that it came from."""
    episodes = list(getattr(operation, "provenance", None) or ())
    sql = """SELECT delta, episodes FROM proposals
        WHERE version = ? AND run = ? AND outcome = 'accepted' ORDER BY rowid"""
    for delta, proved_by in db.execute(sql, [version.number, version.run]):
        if bullet in touched_by([delta_from_json(delta)]):
            episodes += parse_strings(proved_by)
    return tuple(dict.fromkeys(episodes))


def check_rebase(db: sqlite3.Connection, base: int, found: int, delta: Delta) -> None:
    """Raise StoreConflict if a delta decided on version `base` no longer holds at version `found`.

    It holds unless both edited the same bullet. Votes never conflict: they change no text, and add up in any
    order. A vote on a bullet that was removed is rejected like any operation that cannot apply.
    """
    if base == found:
        return
    read(db, base)
    lineage.check_behind(db, base, found)
    condition, values = lineage.line_condition(lineage.trace_line(db, found), "number")
    sql = f"""SELECT operation FROM operations JOIN versions ON number = version
        WHERE version > ? AND {condition}"""  # noqa: S608 (our own text)
    since = delta_from_json(join_operations(read_column(db, sql, [base, *values])))
    clash = _edited_by(delta) & _edited_by(since)
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
    """Write the next version: the operations that apply, in order. Return the new head and the rejections.

    If no operation applies and nothing is merged, there is no new version.
    """
    after, applied, rejections = apply_one_by_one(head.playbook, delta)
    if not applied and not note.merged:
        return head, rejections
    (number,) = db.execute("SELECT max(number) + 1 FROM versions").fetchone()
    author, reason = to_text(note.author), to_text(note.reason)
    parents, merged = [head.version.hash], None
    if note.merged:
        parents.append(note.merged.hash)
        merged = note.merged.number
    version = Version(
        number=number,
        parent=head.version.number,
        merged=merged,
        branch=head.branch.name,
        hash=version_hash(parents, delta_to_json(applied), author, reason),
        author=author,
        reason=reason,
        run=note.run,
        created=now(),
        operations=len(applied),
    )
    checked_rows.insert(db, "versions", [(*astuple(version)[:-1], after.next_position)])
    for position, operation in enumerate(applied):
        row = (number, position, operation.op, touched_ids(operation)[0], operation_to_json(operation))
        db.execute("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", row)
    bullet_history.record(db, version, head.playbook, after, sorted(touched_by([applied])))
    branch = replace(head.branch, version=number)
    checked_rows.update(db, "branches", (branch.name, branch.version, branch.base, branch.created))
    return Head(branch, version, after), rejections


def version_hash(parents: Iterable[str], delta_json: str, author: str, reason: str) -> str:
    """Return the hash of a version from its parents' hashes; a merge has two parents and covers both."""
    return chain_hash(" ".join(parents), delta_json, author, reason)


def apply_one_by_one(playbook: Playbook, delta: Delta) -> tuple[Playbook, Delta, tuple[Rejection, ...]]:
    """Return the new playbook, the operations that applied, and the rejections.

    Of two equal operations, only applying them one by one tells which of them applied.
    """
    applied: list[Operation] = []
    rejections: list[Rejection] = []
    for operation in delta:
        playbook, refusals = apply(playbook, (operation,))
        rejections += refusals
        if not refusals:
            applied.append(operation)
    return playbook, tuple(applied), tuple(rejections)


def touched_by(deltas: Iterable[Delta]) -> set[str]:
    """Return the ids of all bullets that the deltas touch."""
    return {bullet for delta in deltas for operation in delta for bullet in touched_ids(operation)}


def _edited_by(delta: Delta) -> set[str]:
    """Return the ids of the bullets that a delta touches with more than votes."""
    edits = [operation for operation in delta if not isinstance(operation, Vote)]
    return touched_by([tuple(edits)])


def join_operations(operations: Iterable[str]) -> str:
    """Return canonical JSON of a delta from that of its operations."""
    return f"[{','.join(operations)}]"
