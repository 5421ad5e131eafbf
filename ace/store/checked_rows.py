"""Rows that vouch for themselves: each carries a checksum over its values, which `verify` derives again.

A version's hash covers what was decided; these cover the rest (times, runs, attempts, replies), so that
a flipped bit anywhere in the file is noticed. A checksum covers all columns, in the order of their names;
a migration adds one with `add_column`. What is written here is counted in the table's seal, so that a
row that is gone is noticed too: rows of these tables are written, changed and taken away here and nowhere
else. Knows nothing about what the columns mean.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from ace.store.integrity import seals
from ace.store.integrity.seals import Value, checksum

# Table -> its columns, in the order in which rows are given.
SEALED: dict[str, tuple[str, ...]] = {
    "runs": ("id", "kind", "task", "config", "status", "started", "ended", "report"),
    "versions": (
        *("number", "parent", "merged", "branch", "hash", "author", "reason", "run", "created"),
        "next_position",
    ),
    "branches": ("name", "version", "base", "created"),
    "tags": ("id", "name", "version", "created"),
    "steps": ("run", "number", "phase", "payload", "version"),
    "episodes": (
        *("run", "id", "phase", "context_version", "sample_id", "question", "answer", "correct", "score"),
        *("detail", "error", "reply", "feedback_kind", "feedback", "passed", "ran", "expected", "subjects"),
        *("missing", "uses"),
    ),
    "proposals": (
        *("run", "version", "sample_id", "author", "delta", "outcome", "why", "episodes", "attempts"),
        "reason",
    ),
    "feedback": ("id", "run", "episode", "right", "expected", "text", "author", "created"),
    "rejected_operations": ("run", "author", "operation", "why", "version"),
    "aliases": ("source", "alias", "bullet", "section", "content_hash", "helpful", "harmful"),
    "calls": (
        *("run", "step", "phase", "sample", "role", "model", "request", "occurrence", "reply"),
        *("finish_reason", "error", "faults", "calls", "prompt_tokens", "cached_tokens", "completion_tokens"),
        *("cost", "started", "seconds"),
    ),
    "seals": ("name", "rows", "digest"),
    "memories": (
        *("number", "id", "scope", "user", "session", "kind", "subject", "attribute", "value", "since"),
        *("until", "expires", "conversation", "turn", "quote", "author", "created"),
    ),
    "memory_proposals": (
        *("id", "user", "session", "conversation", "proposal", "outcome", "why", "memory", "author"),
        "created",
    ),
    "forgotten": ("number", "memory", "redacted", "scrubbed", "author", "created"),
    "memory_exports": ("id", "path", "created"),
}
_KEYS = {
    "versions": "number",
    "branches": "name",
    "runs": "id",
    "tags": "id",
    "feedback": "id",
    "steps": "run, number",
    "seals": "name",
    "memories": "id",
    "forgotten": "memory",
}


def insert(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Value]], *, key: str = "") -> None:
    """Rows in the order of the table's sealed columns. `key`: a row that has it already is replaced."""
    columns, given = SEALED[table], list(rows)
    sums = [checksum(_by_name(columns, row)) for row in given]
    new = [(*row, vouched) for row, vouched in zip(given, sums, strict=True)]
    marks = ", ".join("?" * (len(columns) + 1))
    sql = f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}, checksum) VALUES ({marks})"  # noqa: S608 (our own names)
    gone = list[str]()
    if key:
        gone = _replace(db, table, sql, new, key)
    else:
        db.executemany(sql, new)
    if new:
        seals.change(db, table, sums, gone)


def _replace(
    db: sqlite3.Connection, table: str, insert: str, new: Iterable[Sequence[Value]], key: str
) -> list[str]:
    """Insert, or take the place of what has the key; the checksums of what had it."""
    columns, names = SEALED[table], key.split(", ")
    places, test = [columns.index(name) for name in names], " AND ".join(f"{name} = ?" for name in names)
    taken = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in (*columns, "checksum"))
    gone = list[str]()
    for row in new:
        gone += _stored(db, table, test, [row[place] for place in places])
        db.execute(f"{insert} ON CONFLICT ({key}) DO UPDATE SET {taken}", row)
    return gone


def update(db: sqlite3.Connection, table: str, row: Sequence[Value]) -> None:
    """The row whose first column is this one's takes these values."""
    key, *columns = SEALED[table]
    before, after = _stored(db, table, f"{key} = ?", [row[0]]), checksum(_by_name(SEALED[table], row))
    sets = ", ".join(f"{column} = ?" for column in (*columns, "checksum"))
    db.execute(f"UPDATE {table} SET {sets} WHERE {key} = ?", [*row[1:], after, row[0]])  # noqa: S608 (our own names)
    seals.change(db, table, [after] * len(before), before)


def delete(db: sqlite3.Connection, table: str, test: str, values: Sequence[Value] = ()) -> int:
    """Take away, on purpose, the rows for which `test` holds (SQL of ours); how many they were."""
    gone = _stored(db, table, test, values)
    db.execute(f"DELETE FROM {table} WHERE {test}", values)  # noqa: S608
    seals.change(db, table, (), gone)
    return len(gone)


def reseal(db: sqlite3.Connection, table: str, test: str = "1", values: Sequence[Value] = ()) -> int:
    """Rows that were changed on purpose vouch for what they hold now; how many they are.

    For a text that was redacted, or a column that a migration added. `test` (SQL of ours) must choose the
    rows that were changed and no others: whatever damage they had is vouched for too.
    """
    before = _stored(db, table, test, values)
    _checksum_in_sql(db)
    sql = f"UPDATE {table} SET checksum = row_checksum({_columns(db, table)}) WHERE {test}"  # noqa: S608
    db.execute(sql, values)
    seals.change(db, table, _stored(db, table, test, values), before)
    return len(before)


def seal(db: sqlite3.Connection, table: str) -> None:
    """Give every row of a table its checksum; for migrations before the seventh, which counts them."""
    _checksum_in_sql(db)
    db.execute(f"UPDATE {table} SET checksum = row_checksum({_columns(db, table)})")  # noqa: S608


def add_column(db: sqlite3.Connection, table: str, definition: str) -> None:
    """Add a column with a default to a sealed table, and seal its sound rows again; for migrations.

    A row that was damaged keeps its old checksum, so that `broken` still names it.
    """
    _checksum_in_sql(db)
    sql = f"SELECT rowid FROM {table} WHERE checksum = row_checksum({_columns(db, table)})"  # noqa: S608 (our own names)
    sound = [row for (row,) in db.execute(sql)]
    db.execute(f"ALTER TABLE {table} ADD COLUMN {definition}")
    reseal(db, table, "rowid IN (SELECT value FROM json_each(?))", [json.dumps(sound)])


def is_sound(db: sqlite3.Connection, table: str, where: str, values: Sequence[Value]) -> bool:
    """Whether every row that passes a test is what was written."""
    _checksum_in_sql(db)
    wrong = f"SELECT 1 FROM {table} WHERE {where} AND checksum <> row_checksum({_columns(db, table)})"  # noqa: S608
    return db.execute(wrong, values).fetchone() is None


def key_of(db: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The columns that tell the rows of a table apart."""
    sql = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    return tuple(name for (name,) in db.execute(sql, [table])) or ("rowid",)


def broken(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Table and key of every row that is not what was written."""
    _checksum_in_sql(db)
    for table in SEALED:
        key = _KEYS.get(table, "rowid")
        sql = f"SELECT {key} FROM {table} WHERE checksum <> row_checksum({_columns(db, table)})"  # noqa: S608
        for row in db.execute(sql):
            yield table, ", ".join(map(str, row))


def _columns(db: sqlite3.Connection, table: str) -> str:
    sql = "SELECT name FROM pragma_table_info(?) WHERE name <> 'checksum' ORDER BY name"
    return ", ".join(_quoted(name) for (name,) in db.execute(sql, [table]) if name in SEALED[table])


def _quoted(name: str) -> str:
    return f'"{name}"'  # "right" is a keyword


def _by_name(columns: tuple[str, ...], row: Sequence[Value]) -> list[Value]:
    return [value for _, value in sorted(zip(columns, row, strict=True), key=itemgetter(0))]


def _stored(db: sqlite3.Connection, table: str, test: str, values: Sequence[Value]) -> list[str]:
    sql = f"SELECT checksum FROM {table} WHERE {test}"  # noqa: S608
    return [found for (found,) in db.execute(sql, values)]


def _checksum_in_sql(db: sqlite3.Connection) -> None:
    db.create_function("row_checksum", -1, lambda *values: checksum(values), deterministic=True)
