"""Seals: for every table whose rows carry checksums, the number of its rows and the sum of their checksums.

A checksum finds a changed row; the seal of its table finds a missing one. The sum is modulo 2^256, over the
SHA-256 of the table's name and the row's checksum. So a row that comes, goes or is replaced costs the same
however many there are, and their order does not matter (a multiset hash: Bellare and Micciancio, 1997). A
seal is written in the transaction that writes the rows. It finds what was lost or changed by accident or by
another program. It does not find that rows, checksums and seals were all rewritten to fit, because nothing
here is secret, nor that the file is an older state of itself. Knows nothing about what the rows mean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from ace.store.sqlite_text import read_column
from ace.store.store_database import Database, Sql

Value = str | int | float | None
ALL = "1 = 1"  # chooses every row

_MODULUS = 1 << 256
READ = 'SELECT name, "rows", digest FROM seals'
_WRITE = """INSERT INTO seals VALUES {} ON CONFLICT (name) DO UPDATE SET
    "rows" = excluded."rows", digest = excluded.digest, checksum = excluded.checksum"""

Changes = dict[str, tuple[list[str], list[str]]]
"""Table -> the checksums of rows that came, and of rows that went."""

# Migration 7. Released: never edit it.

TABLE = """CREATE TABLE seals (                -- of each table with checksums: no row came or went unseen
    name TEXT PRIMARY KEY,
    "rows" INTEGER NOT NULL,           -- how many it has
    digest BLOB NOT NULL,              -- 32 bytes: the sum of the SHA-256 of name and checksum of each row
    checksum TEXT NOT NULL
) STRICT, WITHOUT ROWID"""
_NUMBERED = "coalesce(max(rowid), 0) FROM {}"  # rows were only ever added: a number that is left out was one
_BEFORE = {
    "runs": _NUMBERED,
    "versions": "coalesce(max(number) + 1, 0) FROM versions",
    "branches": "count(*) FROM branches",
    "tags": _NUMBERED,
    "steps": "coalesce(sum(n), 0) FROM (SELECT max(number) - min(number) + 1 AS n FROM steps GROUP BY run)",
    "episodes": _NUMBERED,
    "proposals": _NUMBERED,
    "feedback": _NUMBERED,
    "rejected_operations": _NUMBERED,
    "aliases": _NUMBERED,
    "calls": _NUMBERED,
}


def create_seals(db: Sql) -> None:
    """Create the table of seals, and seal all tables. A gap in an older file's numbers counts as a row."""
    db.execute(TABLE)
    for table, expected in _BEFORE.items():
        (rows,) = db.execute(f"SELECT {expected.format(table)}").fetchone()
        seal_table(db, table, rows=rows)


# Since then


def seal_table(db: Sql, table: str, *, rows: int | None = None) -> None:
    """Seal a table as it is; for the migration that creates it. `rows`: the number it should have."""
    checksums = read_checksums(db, table)
    missing = 0
    if rows is not None:
        missing = rows - len(checksums)
    empty = "INSERT OR REPLACE INTO seals VALUES (?, ?, zeroblob(32), '')"
    db.execute(empty, [table, missing])
    update_seal(db, table, checksums, ())


def update_seal(db: Sql, table: str, added: Collection[str], removed: Collection[str]) -> None:
    """Count rows with these checksums in or out: at once, or when the transaction of a store settles them."""
    changes: Changes | None = getattr(db, "unsettled", None)
    if changes is None:  # a migration
        _write_seals(db, db.execute(READ).fetchall(), {table: (list(added), list(removed))})
    else:
        came, went = changes.setdefault(table, ([], []))
        came += added
        went += removed


def settle(db: Database) -> None:
    """Write the seals of all tables whose rows came or went in this transaction, each once."""
    if db.unsettled:
        changes = dict(db.unsettled)
        db.unsettled.clear()
        _write_seals(db, db.execute(READ).fetchall(), changes)


def _write_seals(db: Sql, present: Iterable[tuple[str, int, bytes]], changes: Changes) -> None:
    """Bring the seals of tables up to date. A table without a seal is left to `find_problems`."""
    values = list[Value | bytes]()
    for table, rows, digest in present:
        if table not in changes:
            continue
        added, removed = changes[table]
        rows += len(added) - len(removed)
        total = int.from_bytes(digest) + sum_checksums(table, added) - sum_checksums(table, removed)
        digest = (total % _MODULUS).to_bytes(32)
        values += [table, rows, digest, checksum([digest, table, rows])]  # in the order of the names
    if values:
        db.execute(_WRITE.format(", ".join(["(?, ?, ?, ?)"] * (len(values) // 4))), values)


def find_problems(db: Sql, tables: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each table that does not have the rows that were written."""
    seals = {name: seal for name, *seal in db.execute(READ)}
    for table in tables:
        if table not in seals:
            yield f"The seal of {table} is missing: nobody can say whether it has all its rows."
            continue
        rows, digest = seals.pop(table)
        checksums = read_checksums(db, table)
        surplus = len(checksums) - rows
        subject = f"{abs(surplus)} rows of {table} are"
        if abs(surplus) == 1:
            subject = f"1 row of {table} is"
        if surplus < 0:
            yield f"{subject} missing."
        elif surplus > 0:
            yield f"{subject} there that nobody wrote through ace."
        elif int.from_bytes(digest) != sum_checksums(table, checksums):
            yield f"The rows of {table} are as many as were written, but not the same."
    for name in seals:
        yield f"There is a seal of {name}, which is not a table of ours."


def checksum(values: Iterable[Value | bytes]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a row's values. True is 1, as SQLite stores it."""
    plain = []
    for value in values:
        if isinstance(value, bool):
            value = int(value)
        plain.append(value)
    return hashlib.sha256(json.dumps(plain, default=repr).encode()).hexdigest()[:16]


def sum_checksums(table: str, checksums: Iterable[str]) -> int:
    """Sum the hashes of a table's rows, modulo 2^256; the order of the rows does not matter."""
    total = 0
    for digest in checksums:
        total += int.from_bytes(hashlib.sha256(f"{table} {digest}".encode()).digest())
    return total % _MODULUS


def read_checksums(db: Sql, table: str, test: str = ALL, values: Sequence[Value] = ()) -> list[str]:
    """Return the checksums of the rows for which `test` (an expression of ours) holds."""
    return read_column(db, f"SELECT checksum FROM {table} WHERE {test}", values)  # noqa: S608 (our own names)
