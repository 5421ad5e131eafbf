"""The history: one row for each version, one for each operation that applied.

Functions over a connection that is already inside a transaction; knows nothing about runs. A commit costs the
size of its delta, on every branch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from ace.errors import UnknownVersion
from ace.playbook.codec import chain_hash, delta_from_json, delta_to_json
from ace.playbook.delta import apply_each, touched_ids
from ace.playbook.model import Delta, Operation, Playbook, Rejection
from ace.runs.records import Branch, Touch, Version
from ace.store import bullet_history, checked_rows, lineage
from ace.store.sqlite_text import now, parse_strings, read_column, to_text
from ace.store.store_database import Database, Rows

_COLUMNS = """number, parent, merged, branch, hash, author, reason, run, versions.created,
    (SELECT count(*) FROM operations WHERE operations.version = number)"""
_VERSIONS = f"SELECT {_COLUMNS} FROM versions"  # noqa: S608 (our own text)
_HEAD = f"""SELECT name, branches.version, base, branches.created, branches.checksum,
    (SELECT max(number) + 1 FROM versions), next_position, {_COLUMNS}
FROM branches LEFT JOIN versions ON number = branches.version WHERE name = ?"""  # noqa: S608 (our own text)


@dataclass(frozen=True, slots=True)
class Head:
    """Bundle a branch with its newest version and the playbook there, all as of one moment."""

    branch: Branch
    version: Version
    playbook: Playbook

    next_number: int
    """That of the next version, of whatever branch, while nobody else writes."""

    checksum: str
    """Of the branch's row."""


def read(db: Database, number: int) -> Version:
    """Return a version. Raises UnknownVersion, which lists what there is."""
    row = db.execute(f"{_VERSIONS} WHERE number = ?", [number]).fetchone()
    if row is None:
        lineage.resolve(db, number)  # raises
    return Version(*row)


def ask_head(db: Database, name: str) -> Rows:
    """Ask for the head of a branch, whose one row `read_head` takes; meanwhile more can be asked for."""
    return db.execute(_HEAD, [name])


def read_head(db: Database, name: str, asked: Rows | None = None) -> Head:
    """Return the head of a branch. Of its playbook only the position of the next bullet is there.

    Raises UnknownVersion for a branch that is not there, NotAPlaybook for one whose newest version is not.
    """
    row = (asked or ask_head(db, name)).fetchone()
    if row is None:
        lineage.read_branch(db, name)  # raises
    branch, version = Branch(*row[:4]), row[7:]
    if version[0] is None:
        lineage.trace_line(db, branch.version)  # raises
    checksum, next_number, next_position = row[4:7]
    playbook = Playbook(next_position=next_position)
    return Head(branch, Version(*version), playbook, int(next_number), str(checksum))


def read_log(db: Database, line: lineage.Line | None, limit: int | None) -> list[Version]:
    """Return versions, newest first: those of a line, or all where it is None; `limit` bounds them."""
    condition, values = "1 = 1", list[str | int]()
    if line is not None:
        condition, values = lineage.line_condition(line, "number")
    if limit is None:
        limit = -1  # SQLite's word for no limit
    sql = f"{_VERSIONS} WHERE {condition} ORDER BY number DESC LIMIT ?"
    return [Version(*row) for row in db.execute(sql, [*values, limit])]


def read_delta_json(db: Database, version: int, most: int = -1) -> str:
    """Return the operations that a version applied, in order, as canonical JSON: what its hash covers.

    `most` bounds their number; -1 is no bound.
    """
    sql = "SELECT operation FROM operations WHERE version = ? ORDER BY position LIMIT ?"
    return f"[{','.join(read_column(db, sql, [version, most]))}]"


def blame(db: Database, bullet: str) -> list[Touch]:
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
    sql = """SELECT operation FROM operations
        WHERE version = ? AND (bullet = ? OR op = 'merge') ORDER BY position"""
    for number in numbers:
        version = read(db, number)
        candidates = read_column(db, sql, [number, to_text(bullet)])
        for operation in delta_from_json(f"[{','.join(candidates)}]"):
            if bullet in touched_ids(operation):
                episodes = _read_grounds(db, version, operation, bullet)
                touches.append(Touch(version, operation, episodes))
    return touches


def _read_grounds(db: Database, version: Version, operation: Operation, bullet: str) -> tuple[str, ...]:
    """Return the episodes that an operation cites, then those of the proposal that it came from."""
    episodes = list(getattr(operation, "provenance", None) or ())
    sql = """SELECT delta, episodes FROM proposals
        WHERE version = ? AND run = ? AND outcome = 'accepted' ORDER BY rowid"""
    for delta, proved_by in db.execute(sql, [version.number, version.run]):
        if bullet in touched_by(delta_from_json(delta)):
            episodes += parse_strings(proved_by)
    return tuple(dict.fromkeys(episodes))


def append(
    db: Database,
    head: Head,
    delta: Delta,
    *,
    author: str,
    reason: str,
    run: int | None = None,
    merged: Version | None = None,
) -> tuple[Head, tuple[Rejection, ...]]:
    """Write the next version: the operations that apply, in order. Return the new head and the rejections.

    `merged` is the version of another branch that a merge takes in. If no operation applies and nothing is
    merged, there is no new version.
    """
    after, reasons = apply_each(head.playbook, delta)
    applied = list[Operation]()
    rejections = list[Rejection]()
    for operation, refusal in zip(delta, reasons, strict=True):
        if refusal:
            rejections.append(Rejection(operation, refusal))
        else:
            applied.append(operation)
    if not applied and not merged:
        return head, tuple(rejections)

    number = head.next_number
    author, reason = to_text(author), to_text(reason)
    parents = head.version.hash
    if merged:
        parents = f"{head.version.hash} {merged.hash}"  # the hash covers both
    texts = [delta_to_json((operation,))[1:-1] for operation in applied]  # without the brackets of a delta
    version = Version(
        number=number,
        parent=head.version.number,
        merged=merged.number if merged else None,
        branch=head.branch.name,
        hash=chain_hash(parents, f"[{','.join(texts)}]", author, reason),
        author=author,
        reason=reason,
        run=run,
        created=now(),
        operations=len(applied),
    )
    checked_rows.insert(db, "versions", [(*astuple(version)[:-1], after.next_position)])
    rows = []
    for position, (operation, text) in enumerate(zip(applied, texts, strict=True)):
        rows.append((number, position, operation.op, touched_ids(operation)[0], text))
    db.executemany("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", rows)
    bullet_history.record(db, version, head.playbook, after, sorted(touched_by(applied)))
    branch = replace(head.branch, version=number)
    checked_rows.insert(db, "branches", [astuple(branch)], key="name", replaced=[head.checksum])
    return Head(branch, version, after, number + 1, ""), tuple(rejections)


def touched_by(operations: Iterable[Operation]) -> set[str]:
    """Return the ids of all bullets that the operations touch."""
    touched = set[str]()
    for operation in operations:
        touched.update(touched_ids(operation))
    return touched
