"""Whole playbooks: verified, copied, and taken over from another store, be it a file or a server.

Only what is missing is copied, in one transaction, row by row as it is: ids, hashes, times and checksums
stay. A table whose seals are the same in both is not looked at. What is copied is checked on the way: every
row against its checksum, every version against its hash. It works where one side is ahead of the other;
where both have what the other lacks, nothing is copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace.errors import NotAPlaybook, StoreConflict
from ace.playbook.codec import chain_hash
from ace.runs.records import Problem
from ace.store import bullet_history, checked_rows, feedback_rows
from ace.store.connection import OpenFile
from ace.store.integrity import backup, seals, verify
from ace.store.sqlite_text import read_column
from ace.store.store_database import Database, require_file

# Table -> the column by which its rows are in order. Tables that others point to come first.
_ORDER = {
    "runs": "id",
    "branches": "name",
    "versions": "number",
    "tags": "id",
    "steps": "run",
    "episodes": "rowid",
    "proposals": "rowid",
    "rejected_operations": "rowid",
    "calls": "id",
    "feedback": "id",
    "episode_events": "episode",
    "aliases": "rowid",
    "memories": "number",
    "memory_proposals": "id",
    "forgotten": "number",
    "memory_exports": "id",
}
# Table whose rows change -> the columns that say which row it is. Of the others rows are only ever added.
_KEYS = {
    "runs": ("id",),
    "branches": ("name",),
    "versions": ("number",),  # only version 0, whose time is that of the making
    "episode_events": ("episode", "number"),
    "aliases": ("source", "alias"),
    "memories": ("number",),
    "forgotten": ("number",),
}
# Table whose rows change -> the columns that stay.
_FIXED = {
    "runs": ("kind", "task", "config", "started"),
    "branches": ("base",),
    "versions": ("hash",),
    "episode_events": ("event",),
    "memories": ("id", "subject", "attribute", "value", "since"),
    "forgotten": ("memory",),
}
_NEWEST = "SELECT max(number) FROM versions"
_HISTORY = ("operations", "bullet_history", "sections")  # rows of versions, without checksums
_BULLETS = f"""SELECT id, {bullet_history.STATE} FROM bullets
WHERE id IN (SELECT DISTINCT bullet FROM bullet_history WHERE version > ?)"""  # noqa: S608 (our own names)
_VECTORS = "SELECT text, embedder, vector, checksum FROM vectors"
_NEW_VECTOR = "INSERT INTO vectors VALUES (?, ?, ?, ?) ON CONFLICT (text) DO NOTHING"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Report what was taken over."""

    rows: Mapping[str, int]
    """Table -> the number of rows that were copied, of those of which any were."""

    before: int
    """The newest version until then."""

    after: int
    """The newest version now, over all branches."""


class TransferStore(OpenFile):
    """Verify, copy and take over whole playbooks. `Store` inherits it."""

    def verify(self) -> list[Problem]:
        """Derive everything in the playbook again, and return what differs. An empty list means it is sound.

        It folds the whole history, recomputes every hash and checksum, and counts the rows of every table.
        """
        with self._reading() as db:
            return list(verify.find_problems(db))

    def backup(self, target: str | Path) -> Path:
        """Copy the playbook as it is now to a file, while others go on writing, and return `target`.

        Raises InputError where `target` exists. `ace.store.restore` puts a backup back.
        """
        return backup.write(self._db, require_file(target, "A backup"))

    def pull(self, source: OpenFile) -> Transfer:
        """Take over all that another store has and this one lacks, or nothing; and report what that was.

        Raises StoreConflict where this one has what the other lacks, with the `table` and the number of
        `rows`; NotAPlaybook where the other is damaged.
        """
        with source._reading() as theirs, self._writing() as ours:
            before = int(ours.execute(_NEWEST).fetchone()[0])
            ours.allow_rewriting()
            copied = dict[str, int]()
            texts = _check_history(theirs, ours, before)
            same = set(ours.execute(seals.READ).fetchall()) & set(theirs.execute(seals.READ).fetchall())
            unchanged = {table for table, _, _ in same}
            for table in _ORDER:
                if table not in unchanged:
                    copied[table] = _TableCopy(theirs, ours, table, str(self.path), str(source.path)).run()
            if copied.get("feedback") or copied.get("steps"):
                feedback_rows.list_again(ours)
            if texts:
                _copy_history(theirs, ours, before)
                copied["operations"] = sum(map(len, texts.values()))
            known = set(read_column(ours, "SELECT text FROM vectors"))
            vectors = [row for row in theirs.execute(_VECTORS).fetchall() if row[0] not in known]
            ours.executemany(_NEW_VECTOR, vectors)
            after = int(ours.execute(_NEWEST).fetchone()[0])
        self._drop_cache()
        return Transfer({table: count for table, count in copied.items() if count}, before, after)


@dataclass(frozen=True, slots=True)
class _TableCopy:
    """Copy the rows of one table."""

    theirs: Database
    ours: Database
    table: str
    target: str
    source: str

    def run(self) -> int:
        """Copy what is missing, and return the number of rows. Raises as `TransferStore.pull` does."""
        table, key = self.table, _KEYS.get(self.table, ())
        present = Counter(seals.read_checksums(self.ours, table))
        wanted = Counter(seals.read_checksums(self.theirs, table))
        missing, surplus = wanted - present, present - wanted
        replaced: dict[Any, Row] = {}
        for row in self._read(self.ours, surplus) if surplus else ():
            replaced[tuple(row[name] for name in key) or len(replaced)] = row
        rows = list(self._read(self.theirs, missing)) if missing else []
        for row in rows:
            old = replaced.pop(tuple(row[name] for name in key), None) if key else None
            if old is not None and not _is_newer(table, row, old):
                raise self._conflict([old])
        kept = [row for row in replaced.values() if not self._has_ended(row)]
        if kept:
            raise self._conflict(kept)
        for row in replaced.values():
            values = [row["episode"], row["number"]]
            self.ours.execute("DELETE FROM episode_events WHERE episode = ? AND number = ?", values)
        columns = checked_rows.SEALED[table]
        names = [f'"{name}"' for name in (*columns, "checksum")]
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
        if key:
            sets = ", ".join(f"{name} = excluded.{name}" for name in names)
            sql += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}"
        rows.sort(key=lambda row: row["order"])
        self.ours.executemany(sql, [[*(row[name] for name in columns), row["checksum"]] for row in rows])
        seals.update_seal(self.ours, table, list(missing.elements()), list(surplus.elements()))
        return len(rows)

    def _read(self, db: Database, checksums: Counter[str]) -> Iterator[Row]:
        """Yield the rows with these checksums. Raises NotAPlaybook for one that does not match its own."""
        columns = checked_rows.SEALED[self.table]
        quoted = ", ".join(f'"{name}"' for name in columns)
        left = Counter(checksums)
        sql = f"SELECT {_ORDER[self.table]}, checksum, {quoted} FROM {self.table} ORDER BY 1"  # noqa: S608
        for order, digest, *values in db.execute(sql):
            if left[digest] <= 0:
                continue
            left[digest] -= 1
            row = dict(zip(columns, values, strict=True))
            if db is self.theirs and seals.checksum(row[name] for name in sorted(columns)) != digest:
                message = f"A row of {self.table} in {self.source} is not what was written."
                raise NotAPlaybook(message, hint="`ace playbook verify` names it.")
            yield {**row, "order": order, "checksum": digest}

    def _has_ended(self, row: Row) -> bool:
        """Return whether a row is an event of an episode that the other store has in whole."""
        if self.table != "episode_events":
            return False
        sql = "SELECT 1 FROM episodes WHERE id = ?"
        return self.theirs.execute(sql, [row["episode"]]).fetchone() is not None

    def _conflict(self, rows: Sequence[Row]) -> StoreConflict:
        """Return the error for rows that the other store lacks, or has an older state of."""
        return StoreConflict(
            f"{self.target} has {len(rows)} rows of {self.table} that {self.source} lacks:"
            " nothing was copied.",
            hint="Copy in the other direction first, or to a new place.",
            table=self.table,
            rows=len(rows),
        )


def _is_newer(table: str, row: Row, old: Row) -> bool:
    """Return whether a row can be a later state of another with the same key."""
    if any(row[name] != old[name] for name in _FIXED.get(table, ())):
        return False
    if table == "branches":
        return bool(row["version"] >= old["version"])
    if table == "runs":
        return old["ended"] is None or (row["ended"] or "") > old["ended"]
    if table == "memories":
        return old["until"] is None
    return table != "versions" or row["number"] == 0


def _check_history(theirs: Database, ours: Database, before: int) -> dict[int, list[str]]:
    """Return the operations of each version after `before`, as JSON, whose hashes are what they should be.

    Raises StoreConflict where the two histories part before that, NotAPlaybook for a wrong hash.
    """
    read = "SELECT number, hash FROM versions WHERE number <= ? ORDER BY number"
    if theirs.execute(read, [before]).fetchall() != ours.execute(read, [before]).fetchall():
        raise StoreConflict(
            "The two histories part: one has versions that the other lacks, or was rewritten by forgetting.",
            hint="Copy to a new place, or export one and import it into the other.",
            table="versions",
            rows=0,
        )
    texts: dict[int, list[str]] = {}
    sql = "SELECT version, operation FROM operations WHERE version > ? ORDER BY version, position"
    for version, operation in theirs.execute(sql, [before]):
        texts.setdefault(version, []).append(operation)
    hashes = dict(ours.execute("SELECT number, hash FROM versions").fetchall())
    sql = """SELECT number, parent, merged, hash, author, reason FROM versions
        WHERE number > ? ORDER BY number"""
    for number, parent, merged, stored, author, reason in theirs.execute(sql, [before]).fetchall():
        parents = " ".join(hashes.get(at, "") for at in (parent, merged) if at is not None)
        text = f"[{','.join(texts.setdefault(number, []))}]"
        if chain_hash(parents, text, author, reason) != stored:
            raise NotAPlaybook(f"Version {number} does not match its hash: nothing was copied.")
        hashes[number] = stored
    return texts


def _copy_history(theirs: Database, ours: Database, before: int) -> None:
    """Copy what belongs to the versions after `before`: operations, bullets and sections."""
    for table in _HISTORY:
        rows = theirs.execute(f"SELECT * FROM {table} WHERE version > ?", [before]).fetchall()  # noqa: S608
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            ours.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
    ours.executemany(bullet_history.UPSERT, theirs.execute(_BULLETS, [before]).fetchall())
