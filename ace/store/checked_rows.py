"""Rows with checksums: each carries one over its values, which `verify` derives again.

A version's hash covers the decisions; these checksums cover the rest (times, runs, attempts, replies), so
that a flipped bit anywhere in the file is noticed. A checksum covers all columns, in the order of their
names; a migration adds one with `add_column`. A table's seal counts its rows, so that a missing row is
noticed, too. Therefore rows of these tables are written, changed and deleted here and nowhere else. Knows
nothing about what the columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from ace.safety.secrets import hide_secrets
from ace.store.content import HIDDEN, HIDE, rewrite_text
from ace.store.integrity import seals
from ace.store.integrity.seals import ALL, Value, checksum, read_checksums
from ace.store.store_database import Sql

# Table -> its columns, in the order in which rows are passed to `insert`.
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
        *("missing", "uses", "failure", "finish_reason", "reasoning", "turns", "artifacts", "expected_kind"),
        *("label_error", "shown_score", "checked", "parts", "fact_topics"),
    ),
    "proposals": (
        *("run", "version", "sample_id", "author", "delta", "outcome", "why", "episodes", "attempts"),
        "reason",
    ),
    "feedback": (
        *("id", "run", "episode", "right", "expected", "text", "author", "created", "score", "unjudged"),
    ),
    "episode_events": ("episode", "number", "run", "event", "created"),
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
        *("created", "rule", "same_as"),
    ),
    "forgotten": ("number", "memory", "redacted", "scrubbed", "author", "created"),
    "memory_exports": ("id", "path", "created"),
}
# Table -> the columns by which `verify` names a row; `rowid` for the rest.
KEYS = {
    "versions": "number",
    "branches": "name",
    "runs": "id",
    "calls": "id",
    "tags": "id",
    "feedback": "id",
    "steps": "run, number",
    "episode_events": "episode, number",
    "seals": "name",
    "memories": "id",
    "memory_proposals": "id",
    "memory_exports": "id",
    "forgotten": "memory",
}


def insert(
    db: Sql,
    table: str,
    rows: Iterable[Sequence[Value]],
    *,
    key: str = "",
    replaced: Sequence[str] | None = None,
) -> None:
    """Insert rows, whose values are in the order of `SEALED[table]`. Secrets in their texts are hidden.

    With `key` (column names, separated by ", ") a row replaces the one that has the same key; `replaced` are
    the checksums of those, where the caller has read them already. The seal of the table is brought up to
    date once for all of them.
    """
    columns = SEALED[table]
    sql, in_order, keys, same_key = _word_insert(table, key)
    hidden, hide = HIDDEN.get(table, ()), HIDE.get(table, hide_secrets)
    named = None if table in HIDE else hide_secrets
    added, removed = list[str](), list(replaced or ())
    for row in rows:
        by_name = dict(zip(columns, row, strict=True))
        for name in hidden:
            value = by_name[name]
            if isinstance(value, str):
                by_name[name] = rewrite_text(value, hide, named)
        digest = checksum(by_name[name] for name in in_order)
        if key and replaced is None:
            values = [by_name[name] for name in keys]
            removed += read_checksums(db, table, same_key, values)
        db.execute(sql, (*by_name.values(), digest))
        added.append(digest)
    if added:
        seals.update_seal(db, table, added, removed)


@cache
def _word_insert(table: str, key: str) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
    """Return the statement of `insert`, and a table's columns as its checksums have them.

    Then the columns of the key, and the test for a row of the same key, both empty without a key.
    """
    columns = SEALED[table]
    quoted = [f'"{name}"' for name in (*columns, "checksum")]  # "right" is a keyword
    marks = ", ".join("?" * len(quoted))
    sql = f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({marks})"  # noqa: S608 (our own names)
    keys = tuple(name for name in key.split(", ") if name)
    if key:
        # Not those of the key: SQLite would look at every row that points to the old one.
        sets = ", ".join(f"{name} = excluded.{name}" for name in quoted if name.strip('"') not in keys)
        sql += f" ON CONFLICT ({key}) DO UPDATE SET {sets}"
    return sql, tuple(sorted(columns)), keys, " AND ".join(f"{name} = ?" for name in keys)


def update(db: Sql, table: str, changes: Mapping[str, Value], test: str, values: Sequence[Value]) -> None:
    """Set columns of the row for which `test` holds, and seal it again unless it was damaged.

    So damage stays visible. Tables without checksums are changed, too.
    """
    sound = table in SEALED and not any(find_broken(db, table, test, values))
    sets = ", ".join(f'"{column}" = ?' for column in changes)
    db.execute(f"UPDATE {table} SET {sets} WHERE {test}", [*changes.values(), *values])  # noqa: S608
    if sound:
        reseal(db, table, test, values)


def delete(db: Sql, table: str, test: str, values: Sequence[Value] = ()) -> int:
    """Delete the rows for which `test` (an expression of ours) holds, and return their number.

    `values` are those of its question marks.
    """
    removed = read_checksums(db, table, test, values)
    db.execute(f"DELETE FROM {table} WHERE {test}", values)  # noqa: S608
    seals.update_seal(db, table, (), removed)
    return len(removed)


def reseal(db: Sql, table: str, test: str = ALL, values: Sequence[Value] = ()) -> int:
    """Compute the checksums of rows that were changed on purpose anew, and return the number of rows.

    `test` (an expression of ours) must choose the changed rows and no others: a damaged row that it chooses
    passes as sound from then on.
    """
    before, after = [], []
    keys, rows = _read_sealed(db, table, test, values)
    same_key = " AND ".join(f"{name} = ?" for name in keys)
    for key, digest, row in list(rows):
        before.append(digest)
        after.append(checksum(row))
        db.execute(f"UPDATE {table} SET checksum = ? WHERE {same_key}", [after[-1], *key])  # noqa: S608
    seals.update_seal(db, table, after, before)
    return len(before)


def fill_checksums(db: Sql, table: str) -> None:
    """Compute the checksum of every row; for migrations before the seventh, which creates the seals."""
    keys, rows = _read_sealed(db, table, ALL, ())
    same_key = " AND ".join(f"{name} = ?" for name in keys)
    changes = [(checksum(row), *key) for key, _, row in rows]
    db.executemany(f"UPDATE {table} SET checksum = ? WHERE {same_key}", changes)  # noqa: S608


def add_column(db: Sql, table: str, *definitions: str) -> None:
    """Add columns, each with a default, to a sealed table, and seal its sound rows again; for migrations.

    A damaged row keeps its old checksum, so that `verify` still names it.
    """
    key = KEYS.get(table, "rowid")
    damaged = set(find_broken(db, table))
    sound = [row[0] for row in db.execute(f"SELECT {key} FROM {table}") if row not in damaged]  # noqa: S608
    for definition in definitions:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {definition}")
    is_sound = f"{key} IN (SELECT value FROM json_each(?))"  # noqa: S608 (our own names)
    reseal(db, table, is_sound, [json.dumps(sound)])


def find_broken(
    db: Sql, table: str, test: str = ALL, values: Sequence[Value] = ()
) -> Iterator[tuple[Value, ...]]:
    """Yield the key of each row that does not match its checksum, of those for which `test` holds."""
    for key, digest, row in _read_sealed(db, table, test, values)[1]:
        if digest != checksum(row):
            yield key


def _read_sealed(
    db: Sql, table: str, test: str, values: Sequence[Value]
) -> tuple[list[str], Iterator[tuple[tuple[Value, ...], str, tuple[Value, ...]]]]:
    """Return the names of a table's key, and of each row its key, its checksum and what that covers.

    A migration may find fewer columns than the latest schema has.
    """
    cursor = db.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 (our own names)
    cursor.fetchall()
    present = {column[0] for column in cursor.description}
    columns = [f'"{name}"' for name in sorted(SEALED[table]) if name in present]
    keys = KEYS.get(table, "rowid").split(", ")
    size = len(keys)
    rows = db.execute(
        f"SELECT {', '.join([*keys, 'checksum', *columns])} FROM {table} WHERE {test}",  # noqa: S608
        values,
    )
    return keys, ((row[:size], row[size], row[size + 1 :]) for row in rows)
