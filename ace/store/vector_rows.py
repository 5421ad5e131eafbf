"""Rows of vectors: embeddings of texts, stored so that each is computed once.

A row names the model that computed it and serves no other model. Lost rows cost time only, so `verify`
ignores them. Functions over a connection that is already inside a transaction.
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
    """Create the table of vectors."""
    for statement in TABLES:
        db.execute(statement)


def read(db: sqlite3.Connection, embedder: str) -> dict[str, bytes]:
    """Return the vectors of one model: SHA-256 of the text -> float32, little-endian."""
    return dict(db.execute(_READ, (embedder,)).fetchall())


def add(db: sqlite3.Connection, embedder: str, vectors: Iterable[tuple[str, bytes]]) -> None:
    """Store vectors (SHA-256 of the text, float32 in little-endian order) that `embedder` computed.

    They replace those that another model computed for the same texts.
    """
    rows = [(key, embedder, vector) for key, vector in vectors]
    db.executemany(_WRITE, rows)
