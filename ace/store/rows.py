"""Rows that vouch for themselves: each carries a checksum over its values, which `verify` derives again.

A version's hash covers what was decided; these cover the rest (times, runs, attempts, replies), so that
a flipped bit anywhere in the file is noticed. A checksum covers all columns, in the order of their names;
a migration that adds one seals the table again. Knows nothing about what the columns mean.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

Value = str | int | float | None

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
    ),
    "feedback": ("id", "run", "episode", "right", "expected", "text", "author", "created"),
    "rejected_operations": ("run", "author", "operation", "why", "version"),
    "aliases": ("source", "alias", "bullet", "section", "content_hash", "helpful", "harmful"),
    "calls": (
        *("run", "step", "phase", "sample", "role", "model", "request", "occurrence", "reply"),
        *("finish_reason", "error", "faults", "calls", "prompt_tokens", "cached_tokens", "completion_tokens"),
        *("cost", "started", "seconds"),
    ),
    "memories": (
        *(
            "number",
            "id",
            "scope",
            "user",
            "session",
            "kind",
            "subject",
            "attribute",
            "value",
            "since",
            "until",
        ),
        *("expires", "conversation", "turn", "quote", "author", "created"),
    ),
    "memory_proposals": (
        *(
            "id",
            "user",
            "session",
            "conversation",
            "proposal",
            "outcome",
            "why",
            "memory",
            "author",
            "created",
        ),
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
    "memories": "id",
    "forgotten": "memory",
}


def insert(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Value]], *, key: str = "") -> None:
    """Rows in the order of the table's sealed columns. `key`: a row that has it already is replaced."""
    columns = SEALED[table]
    marks = ", ".join("?" * (len(columns) + 1))
    sql = f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}, checksum) VALUES ({marks})"  # noqa: S608 (our own names)
    if key:
        taken = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in (*columns, "checksum"))
        sql += f" ON CONFLICT ({key}) DO UPDATE SET {taken}"
    db.executemany(sql, [(*row, checksum(_by_name(columns, row))) for row in rows])


def update(db: sqlite3.Connection, table: str, row: Sequence[Value]) -> None:
    """The row whose first column is this one's takes these values."""
    key, *columns = SEALED[table]
    sets = ", ".join(f"{column} = ?" for column in (*columns, "checksum"))
    sql = f"UPDATE {table} SET {sets} WHERE {key} = ?"  # noqa: S608 (our own names)
    db.execute(sql, [*row[1:], checksum(_by_name(SEALED[table], row)), row[0]])


def seal(db: sqlite3.Connection, table: str, where: str = "1", values: Sequence[Value] = ()) -> None:
    """Give every row of a table, or those that pass a test, the checksum of what it holds."""
    _checksum_in_sql(db)
    sql = f"UPDATE {table} SET checksum = row_checksum({_columns(db, table)}) WHERE {where}"  # noqa: S608
    db.execute(sql, values)


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


def checksum(values: Iterable[Value | bytes]) -> str:
    """True is 1, as it is once it has been in SQLite; bytes are only there when a row is damaged."""
    plain = [int(value) if isinstance(value, bool) else value for value in values]
    return hashlib.sha256(json.dumps(plain, default=repr).encode()).hexdigest()[:16]


def _checksum_in_sql(db: sqlite3.Connection) -> None:
    db.create_function("row_checksum", -1, lambda *values: checksum(values), deterministic=True)
