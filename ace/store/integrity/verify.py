"""Checks a playbook file against itself: every hash, every fold, every row of every branch.

Derives everything again from the operations and compares. Changes nothing and mends nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from ace.errors import FormatError, NotAPlaybook
from ace.playbook.codec import delta_from_json
from ace.playbook.delta import apply, touched
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Branch, Problem, Version
from ace.store import bullet_history, checked_rows, lineage, memory_rows, schema, versions
from ace.store.integrity import seals

JSON_COLUMNS = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": ("subjects", "missing", "uses"),
    "proposals": ("delta", "episodes", "attempts"),
    "rejected_operations": ("operation",),
    "calls": ("faults",),
    "memory_proposals": ("proposal",),
    "forgotten": ("redacted",),
}


def problems(db: sqlite3.Connection) -> Iterator[Problem]:
    """One for each thing that is wrong; none when the file is clean."""
    try:
        yield from _file(db)
        yield from _schema(db)
        yield from _journal(db)
        yield from _complete(db)
        yield from _aliases(db)
        yield from _strays(db)
        yield from (Problem(None, text) for text in memory_rows.problems(db))
        history = _History({branch.name: branch for branch in lineage.branches(db)})
        for version in reversed(versions.log(db, None, None)):
            yield from history.check(db, version)
        yield from history.check_heads(db)
    except (
        NotAPlaybook,
        FormatError,
        sqlite3.DatabaseError,
        ValueError,
        TypeError,
    ) as error:  # too damaged to read on
        yield Problem(None, str(error))


def _file(db: sqlite3.Connection) -> Iterator[Problem]:
    for (line,) in db.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield Problem(None, f"SQLite finds the file damaged: {line}")
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
        where = f"Row {row} of {table}" if row is not None else f"A row of {table}"
        yield Problem(None, f"{where} points to a row of {parent} that is not there.")


def _schema(db: sqlite3.Connection) -> Iterator[Problem]:
    """What others have added beside ours is theirs."""
    found = schema.objects(db)
    for name, sql in schema.made().items():
        if found.get(name) != sql:
            yield Problem(None, f"{name} is not what this release makes.")


def _journal(db: sqlite3.Connection) -> Iterator[Problem]:
    for table, columns in JSON_COLUMNS.items():
        for column in columns:
            wrong = f"FROM {table} WHERE NOT json_valid(coalesce({column}, 0))"
            if count := db.execute(f"SELECT count(*) {wrong}").fetchone()[0]:
                yield Problem(None, f"Column {column} of {table} holds {count} values that are not JSON.")
    for table, key in checked_rows.broken(db):
        version = int(key) if table == "versions" else None
        yield Problem(version, f"Row {key} of {table} is not what was written.")


def _complete(db: sqlite3.Connection) -> Iterator[Problem]:
    """Every table has the rows that its seal counts; a step tells how many proposals it had."""
    for text in seals.problems(db, [table for table in checked_rows.SEALED if table != "seals"]):
        yield Problem(None, text)
    told = """SELECT run, sum(json_array_length(payload, '$.proposals')) FROM steps GROUP BY run"""
    there = "SELECT count(*) FROM proposals WHERE run = ?"
    for run, expected in db.execute(told).fetchall():
        found = db.execute(there, [run]).fetchone()[0]
        if expected is not None and found < expected:
            yield Problem(None, f"{expected - found} proposals of run {run} are missing.")


def _aliases(db: sqlite3.Connection) -> Iterator[Problem]:
    sql = "SELECT alias, source, bullet FROM aliases WHERE bullet NOT IN (SELECT bullet FROM operations)"
    for alias, source, bullet in db.execute(sql):
        yield Problem(None, f"The alias {alias} of {source} is for {bullet}, a bullet that never was.")


def _strays(db: sqlite3.Connection) -> Iterator[Problem]:
    """A row on another branch than its version's is part of that branch when it is read."""
    for table, what in (("bullet_history", "bullets"), ("sections", "sections")):
        sql = f"""SELECT DISTINCT version, rows.branch FROM {table} AS rows
            JOIN versions ON number = version WHERE rows.branch <> versions.branch"""  # noqa: S608
        for number, branch in db.execute(sql):
            yield Problem(number, f"Version {number} has {what} on {branch}, which is not its branch.")


@dataclass(slots=True)
class _History:
    """The fold so far: of every version that something may still build on, its hash and its playbook."""

    branches: dict[str, Branch]
    hashes: dict[int, str] = field(default_factory=dict)
    playbooks: dict[int, Playbook] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)

    def check(self, db: sqlite3.Connection, version: Version) -> Iterator[Problem]:
        """One version. A child is checked against the hash its parent has, so one edit shows once."""
        number = version.number
        if number != len(self.hashes):
            yield Problem(number, f"Version {number} comes after {len(self.hashes) - 1}: some are missing.")
        expected = self._parent(version.branch)
        if version.parent != expected:
            yield Problem(number, f"Version {number} follows {version.parent}, but {expected} is before it.")
        text, delta = yield from _operations(db, number)
        parents = [self.hashes.get(at, "") for at in (version.parent, version.merged) if at is not None]
        if version.hash != versions.version_hash(parents or [""], text, version.author, version.reason):
            yield Problem(number, f"Version {number} does not match its hash.")
        before = self.playbooks.get(-1 if expected is None else expected, Playbook())
        after, rejections = apply(before, delta)
        for rejection in rejections:
            what = f"a {rejection.operation.op} that cannot apply: {rejection.reason}"
            yield Problem(number, f"Version {number} holds {what}")
        yield from _recorded(db, version, before, after, delta)
        self._add(version, after)

    def check_heads(self, db: sqlite3.Connection) -> Iterator[Problem]:
        for name, branch in self.branches.items():
            newest = self._parent(name)
            if branch.version != newest:
                yield Problem(
                    branch.version, f"{name} is at version {branch.version}, but its newest is {newest}."
                )
        main = self._parent(lineage.MAIN)
        folded = self.playbooks.get(-1 if main is None else main, Playbook())
        stored = bullet_history.main(db, main or 0)
        for bullet in sorted({*stored.bullets, *folded.bullets}):
            if stored.bullets.get(bullet) != folded.bullets.get(bullet):
                yield Problem(main, f"Bullet {bullet} of the head is not what its history says.")

    def _parent(self, name: str) -> int | None:
        """What the next version of a branch follows: its newest, or where it left another branch."""
        branch = self.branches.get(name)
        return self.newest.get(name, branch.base if branch else None)

    def _add(self, version: Version, playbook: Playbook) -> None:
        previous = self.newest.get(version.branch)
        if previous is not None and previous not in {branch.base for branch in self.branches.values()}:
            del self.playbooks[previous]  # nothing builds on it any more
        self.hashes[version.number], self.playbooks[version.number] = version.hash, playbook
        self.newest[version.branch] = version.number


def _operations(db: sqlite3.Connection, number: int) -> Generator[Problem, None, tuple[str, Delta]]:
    sql = "SELECT op, bullet, operation FROM operations WHERE version = ? ORDER BY position"
    found = db.execute(sql, [number]).fetchall()
    text = versions.join(row[2] for row in found)
    try:
        delta = delta_from_json(text)
    except FormatError as error:
        raise NotAPlaybook(f"Version {number} holds an operation that cannot be read: {error}") from error
    if [(o.op, touched(o)[0]) for o in delta] != [row[:2] for row in found]:
        yield Problem(number, f"Version {number} lists its operations under another name or bullet.")
    return text, delta


def _recorded(
    db: sqlite3.Connection, version: Version, before: Playbook, after: Playbook, delta: Delta
) -> Iterator[Problem]:
    """What the tables say that the version made of its bullets and sections."""
    number, branch = version.number, version.branch
    ids = sorted(versions.touched_by([delta]))
    if list(bullet_history.states(db, number, branch)) != [after.bullets.get(name) for name in ids]:
        yield Problem(number, f"The bullets of version {number} are not what its history says.")
    sql = "SELECT place, name FROM sections WHERE version = ? AND branch = ? ORDER BY place"
    known = len(before.section_names)
    if db.execute(sql, [number, branch]).fetchall() != [*enumerate(after.section_names[known:], known)]:
        yield Problem(number, f"The sections of version {number} are not what its history says.")
    if bullet_history.end(db, number) != after.next_position:
        yield Problem(number, f"The next place of version {number} is not what its history says.")
