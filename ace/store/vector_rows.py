"""Rows of vectors: texts as an embedding model sees them, kept so that it is asked once.

A row says which model made it and is of use to no other: under another name a text is computed again. Lost
rows cost time only, so `verify` does not look at them. Functions over a connection inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

TABLES = (
    """CREATE TABLE vectors (              -- of bullets' texts; they can be computed again
    text TEXT PRIMARY KEY,             -- SHA-256 of the text
    embedder TEXT NOT NULL,            -- the model that computed it
    vector BLOB NOT NULL               -- float32, little-endian
) STRICT, WITHOUT ROWID""",
)
_READ = "SELECT text, vector FROM vectors WHERE embedder = ?"
_WRITE = "INSERT OR REPLACE INTO vectors (text, embedder, vector) VALUES (?, ?, ?)"


def m008_vectors(db: Database) -> None:
    """Vectors of bullets."""
    for statement in TABLES:
        db.execute(statement)


def of_embedder(db: sqlite3.Connection, embedder: str) -> dict[str, bytes]:
    """Key of a text -> its vector."""
    return dict(db.execute(_READ, (embedder,)).fetchall())


def add(db: sqlite3.Connection, embedder: str, vectors: Iterable[tuple[str, bytes]]) -> None:
    """In the place of those that another model made of the same texts."""
    db.executemany(_WRITE, ((key, embedder, vector) for key, vector in vectors))
