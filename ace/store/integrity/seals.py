"""Seals: for every table whose rows carry checksums, how many rows it has and the sum of what they vouch for.

A row vouches for itself; its table's seal vouches for its being there. The sum is modulo 2^256, over the
SHA-256 of the table's name and the row's checksum, so a row that comes, goes or is replaced costs the same
however many there are, and their order does not matter (a multiset hash: Bellare and Micciancio, 1997). It is
written in the transaction that writes the rows. So a seal finds what was lost or changed by accident or by
another program. It does not find that rows, checksums and seals were all rewritten to fit, because nothing
here is secret, nor that the file is an older state of itself. Knows nothing about what the rows mean.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator

Value = str | int | float | None

_MODULUS = 1 << 256
_WRITE = """INSERT INTO seals VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
    "rows" = excluded."rows", digest = excluded.digest, checksum = excluded.checksum"""

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


def first(db: sqlite3.Connection) -> None:
    """Seal what there is. What an older file has lost in the middle is missed from now on, too."""
    db.execute(TABLE)
    for table, expected in _BEFORE.items():
        (rows,) = db.execute(f"SELECT {expected.format(table)}").fetchone()
        begin(db, table, rows=rows)


# Since then


def begin(db: sqlite3.Connection, table: str, *, rows: int | None = None) -> None:
    """Seal a table as it is: for the migration that makes it. `rows`: how many it should have."""
    found = _checksums(db, table)
    _write(db, table, len(found) if rows is None else rows, _sum(table, found))


def change(db: sqlite3.Connection, table: str, added: Collection[str], removed: Collection[str]) -> None:
    """Count in the rows with these checksums, or out. That a table has no seal is for `problems` to say."""
    row = db.execute('SELECT "rows", digest FROM seals WHERE name = ?', [table]).fetchone()
    if row is not None:
        digest = int.from_bytes(row[1]) + _sum(table, added) - _sum(table, removed)
        _write(db, table, row[0] + len(added) - len(removed), digest)


def problems(db: sqlite3.Connection, tables: Iterable[str]) -> Iterator[str]:
    """One for each table that does not have the rows that were written."""
    seals = {name: rest for name, *rest in db.execute('SELECT name, "rows", digest FROM seals')}
    for table in tables:
        if table not in seals:
            yield f"The seal of {table} is missing: nobody can say whether it has all its rows."
            continue
        rows, digest = seals.pop(table)
        found = _checksums(db, table)
        if len(found) < rows:
            yield f"{_counted(rows - len(found), table)} missing."
        elif len(found) > rows:
            yield f"{_counted(len(found) - rows, table)} there that nobody wrote through ace."
        elif digest != _bytes(_sum(table, found)):
            yield f"The rows of {table} are as many as were written, but not the same."
    for name in seals:
        yield f"There is a seal of {name}, which is not a table of ours."


def checksum(values: Iterable[Value | bytes]) -> str:
    """Of a row. True is 1, as it is once it has been in SQLite."""
    plain = [int(value) if isinstance(value, bool) else value for value in values]
    return hashlib.sha256(json.dumps(plain, default=repr).encode()).hexdigest()[:16]


def _counted(number: int, table: str) -> str:
    return f"1 row of {table} is" if number == 1 else f"{number} rows of {table} are"


def _checksums(db: sqlite3.Connection, table: str) -> list[str]:
    return [found for (found,) in db.execute(f"SELECT checksum FROM {table}")]  # noqa: S608 (our own names)


def _sum(table: str, checksums: Iterable[str]) -> int:
    hashes = (hashlib.sha256(f"{table} {each}".encode()).digest() for each in checksums)
    return sum(map(int.from_bytes, hashes))


def _write(db: sqlite3.Connection, table: str, rows: int, digest: int) -> None:
    kept = _bytes(digest)
    db.execute(_WRITE, [table, rows, kept, checksum([kept, table, rows])])  # in the order of their names


def _bytes(digest: int) -> bytes:
    return (digest % _MODULUS).to_bytes(32)
