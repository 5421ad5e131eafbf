"""Verification of a playbook file against itself: every hash, every fold, every row of every branch.

Derives everything again from the operations and compares. Changes nothing and repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from ace.errors import FormatError, NotAPlaybook
from ace.playbook.codec import chain_hash, delta_from_json
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Branch, Problem, Version
from ace.store import bullet_history, checked_rows, feedback_rows, lineage, memory_rows, vector_rows, versions
from ace.store.integrity import seals
from ace.store.store_database import Database

# Table -> its columns that hold JSON.
JSON_COLUMNS = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": ("subjects", "missing", "uses", "turns", "artifacts", "parts", "fact_topics"),
    "proposals": ("delta", "episodes", "attempts"),
    "rejected_operations": ("operation",),
    "calls": ("faults",),
    "memory_proposals": ("proposal",),
    "forgotten": ("redacted",),
}


def find_problems(db: Database) -> Iterator[Problem]:
    """Yield one problem for each thing that is wrong; none for a sound file.

    Damage that keeps the rest from being read ends the search, and is the last problem.
    """
    try:
        seals.settle(db)
        for text in db.find_damage():
            yield Problem(None, text)
        yield from _check_rows(db)
        yield from _check_completeness(db)
        yield from _check_references(db)
        for rows in (feedback_rows, memory_rows, vector_rows):
            for text in rows.find_problems(db):
                yield Problem(None, text)
        history = _History({branch.name: branch for branch in lineage.read_branches(db)})
        for version in reversed(versions.read_log(db, None, None)):
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


def _check_rows(db: Database) -> Iterator[Problem]:
    """Check that JSON columns hold JSON and that rows match their checksums."""
    for table, columns in JSON_COLUMNS.items():
        for column in columns:
            sql = f"SELECT count(*) FROM {table} WHERE NOT json_valid(coalesce({column}, 'null'))"  # noqa: S608
            (count,) = db.execute(sql).fetchone()
            if count:
                yield Problem(None, f"Column {column} of {table} holds {count} values that are not JSON.")
    for table in checked_rows.SEALED:
        for row in checked_rows.find_broken(db, table):
            key = ", ".join(map(str, row))
            version = int(key) if table == "versions" else None
            yield Problem(version, f"Row {key} of {table} is not what was written.")


def _check_completeness(db: Database) -> Iterator[Problem]:
    """Check that no rows are missing: by the seals of tables, and by the proposals that steps count."""
    counted = [table for table in checked_rows.SEALED if table != "seals"]
    for text in seals.find_problems(db, counted):
        yield Problem(None, text)
    expected = "SELECT run, sum(json_array_length(payload, '$.proposals')) FROM steps GROUP BY run"
    stored = "SELECT count(*) FROM proposals WHERE run = ?"
    for run, wanted in db.execute(expected).fetchall():
        (count,) = db.execute(stored, [run]).fetchone()
        if wanted is not None and count < wanted:
            yield Problem(None, f"{wanted - count} proposals of run {run} are missing.")


def _check_references(db: Database) -> Iterator[Problem]:
    """Check that aliases are for bullets, and that rows stand on the branch of their version.

    A row on another branch would be part of that branch when it is read.
    """
    sql = "SELECT alias, source, bullet FROM aliases WHERE bullet NOT IN (SELECT bullet FROM operations)"
    for alias, source, bullet in db.execute(sql):
        yield Problem(None, f"The alias {alias} of {source} is for {bullet}, a bullet that never was.")
    for table, content in (("bullet_history", "bullets"), ("sections", "sections")):
        sql = f"""SELECT DISTINCT version, stray.branch FROM {table} AS stray
            JOIN versions ON number = version WHERE stray.branch <> versions.branch"""  # noqa: S608
        for number, branch in db.execute(sql):
            yield Problem(number, f"Version {number} has {content} on {branch}, which is not its branch.")


@dataclass(slots=True)
class _History:
    """Fold the history so far, version by version."""

    branches: dict[str, Branch]
    """Every branch by its name."""

    hashes: dict[int, str] = field(default_factory=dict)
    """The stored hash of each version so far, by number."""

    playbooks: dict[int | None, Playbook] = field(default_factory=dict)
    """By version, as the history gives them; without those that nothing builds on any more."""

    newest: dict[str, int] = field(default_factory=dict)
    """The last version so far of each branch, by name."""

    def check(self, db: Database, version: Version) -> Iterator[Problem]:
        """Check one version. A child is checked against the hash its parent has, so one edit shows once."""
        number = version.number
        if number != len(self.hashes):
            yield Problem(number, f"Version {number} comes after {len(self.hashes) - 1}: some are missing.")
        expected = self._find_parent(version.branch)
        if version.parent != expected:
            yield Problem(number, f"Version {number} follows {version.parent}, but {expected} is before it.")
        text, delta = yield from _read_operations(db, number)
        parents = [self.hashes.get(at, "") for at in (version.parent, version.merged) if at is not None]
        if version.hash != chain_hash(" ".join(parents), text, version.author, version.reason):
            yield Problem(number, f"Version {number} does not match its hash.")
        before = self.playbooks.get(expected, Playbook())
        after, rejections = apply(before, delta)
        for rejection in rejections:
            problem = f"a {rejection.operation.op} that cannot apply: {rejection.reason}"
            yield Problem(number, f"Version {number} holds {problem}")
        yield from _check_state(db, version, before, after, delta)
        previous = self.newest.get(version.branch)
        bases = {branch.base for branch in self.branches.values()}
        if previous is not None and previous not in bases:
            del self.playbooks[previous]  # nothing builds on it any more
        self.hashes[number] = version.hash
        self.playbooks[number] = after
        self.newest[version.branch] = number

    def check_heads(self, db: Database) -> Iterator[Problem]:
        """Check where the branches stand, and main's table of bullets. Call it after the last version."""
        for name, branch in self.branches.items():
            newest = self._find_parent(name)
            if branch.version != newest:
                problem = f"{name} is at version {branch.version}, but its newest is {newest}."
                yield Problem(branch.version, problem)
        main = self._find_parent(lineage.MAIN)
        folded = self.playbooks.get(main, Playbook())
        stored = bullet_history.read_main(db, main or 0)
        for bullet in sorted({*stored.bullets, *folded.bullets}):
            if stored.bullets.get(bullet) != folded.bullets.get(bullet):
                yield Problem(main, f"Bullet {bullet} of the head is not what its history says.")

    def _find_parent(self, name: str) -> int | None:
        """Return what the next version of a branch follows: its newest, or where it left another branch."""
        branch = self.branches.get(name)
        return self.newest.get(name, branch.base if branch else None)


def _read_operations(db: Database, number: int) -> Generator[Problem, None, tuple[str, Delta]]:
    """Return a version's operations as JSON and as a delta. Raises NotAPlaybook where they cannot be read."""
    sql = "SELECT op, bullet, operation FROM operations WHERE version = ? ORDER BY position"
    rows = db.execute(sql, [number]).fetchall()
    text = f"[{','.join(row[2] for row in rows)}]"
    try:
        delta = delta_from_json(text)
    except FormatError as error:
        raise NotAPlaybook(f"Version {number} holds an operation that cannot be read: {error}") from error
    names = [(operation.op, touched_ids(operation)[0]) for operation in delta]
    if names != [row[:2] for row in rows]:
        yield Problem(number, f"Version {number} lists its operations under another name or bullet.")
    return text, delta


def _check_state(
    db: Database, version: Version, before: Playbook, after: Playbook, delta: Delta
) -> Iterator[Problem]:
    """Compare the bullets, sections and position that the tables hold for a version with the fold."""
    number, branch = version.number, version.branch
    state = f"""SELECT bullet, {bullet_history.STATE} FROM bullet_history
        WHERE version = ? AND branch = ? ORDER BY bullet"""  # noqa: S608 (our own names)
    stored = list(bullet_history.rows_to_bullets(db.execute(state, [number, branch])))
    if stored != [after.bullets.get(name) for name in sorted(versions.touched_by(delta))]:
        yield Problem(number, f"The bullets of version {number} are not what its history says.")
    sql = "SELECT place, name FROM sections WHERE version = ? AND branch = ? ORDER BY place"
    first = len(before.section_names)
    sections = list(enumerate(after.section_names[first:], start=first))
    if db.execute(sql, [number, branch]).fetchall() != sections:
        yield Problem(number, f"The sections of version {number} are not what its history says.")
    if bullet_history.next_position(db, number) != after.next_position:
        yield Problem(number, f"The next place of version {number} is not what its history says.")
