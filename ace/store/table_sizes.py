"""How large the tables of a playbook file are: rows and bytes.

SQLite counts the bytes of each table where it was built with its table `dbstat`. Elsewhere they are estimated
from the values of a sample of rows, and the sizes say so.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ace.store.sqlite_connection import open_file, typed_errors

_SAMPLED = 500  # rows of a table by which its bytes are estimated
_ROW_BYTES = 12  # of a row's own: its length, its number, the types of its values; about
_NAMES = """SELECT name, tbl_name, type FROM sqlite_schema
WHERE type IN ('table', 'index') AND rootpage > 0 ORDER BY name"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """Hold the size of one table."""

    name: str
    rows: int
    bytes: int
    """With its indexes, and pages that are not full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSizes:
    """Hold the sizes of a playbook file, the largest tables first."""

    tables: tuple[TableSize, ...]

    estimated: bool
    """Whether the bytes of tables are estimates, because this SQLite does not count them."""

    file: int
    """The bytes of the file."""

    free: int
    """The bytes of pages that nothing uses: they are filled before the file grows."""

    log: int
    """The bytes of the write-ahead log beside it."""


def read_table_sizes(path: Path) -> FileSizes:
    """Return the sizes of a playbook file. It is only read.

    Raises StoreError where it is no playbook, as `Store.open` does.
    """
    db = open_file(path, create=False, read_only=True, timeout=10.0)
    try:
        with typed_errors(path):
            names = db.execute(_NAMES).fetchall()
            tables = [name for name, _, kind in names if kind == "table"]
            rows: dict[str, int] = {}
            for name in tables:
                (rows[name],) = db.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608
            counted = _read_dbstat(db)
            sizes = dict.fromkeys(tables, 0)
            if counted is None:
                sizes = {name: _estimate_bytes(db, name, rows[name]) for name in tables}
            else:
                for name, table, _ in names:
                    sizes[table] = sizes.get(table, 0) + counted.get(name, 0)
            (page,) = db.execute("PRAGMA page_size").fetchone()
            (free,) = db.execute("PRAGMA freelist_count").fetchone()
    finally:
        db.close()
    log = path.with_name(f"{path.name}-wal")
    order = sorted(tables, key=lambda name: (-sizes[name], name))
    return FileSizes(
        tables=tuple(TableSize(name, rows[name], sizes[name]) for name in order),
        estimated=counted is None,
        file=path.stat().st_size,
        free=page * free,
        log=log.stat().st_size if log.exists() else 0,
    )


def _read_dbstat(db: sqlite3.Connection) -> dict[str, int] | None:
    """Return the bytes of each table and index, or None where this SQLite does not count them."""
    try:
        rows = db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:  # there is no such table
            return None
        raise
    return {str(name): int(size) for name, size in rows}


def _estimate_bytes(db: sqlite3.Connection, table: str, rows: int) -> int:
    """Return about how many bytes the rows of a table take, by a sample of them, without its indexes."""
    columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
    lengths = " + ".join(f'coalesce(length(CAST("{column}" AS BLOB)), 0)' for column in columns)
    sql = f'SELECT avg({lengths}) FROM (SELECT * FROM "{table}" LIMIT {_SAMPLED})'  # noqa: S608
    (average,) = db.execute(sql).fetchone()
    return round(rows * ((average or 0.0) + _ROW_BYTES)) if rows else 0
