"""Rows of vectors: embeddings of texts, stored so that each is computed once.

A row names the model that computed it and serves no other model. Lost rows cost time only, so `verify`
ignores them. A row that was changed or planted would choose what a prompt gets: it carries a checksum, is not
used, and is named by `verify`. Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ace.store.store_database import Database

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

TABLES = (
    """CREATE TABLE vectors (              -- of bullets' texts; they can be computed again
    text TEXT PRIMARY KEY,             -- SHA-256 of the text
    embedder TEXT NOT NULL,            -- the model that computed it
    vector BLOB NOT NULL               -- float32, little-endian
) STRICT, WITHOUT ROWID""",
)
_CHECKED = """CREATE TABLE vectors (              -- of bullets' texts; they can be computed again
    text TEXT PRIMARY KEY,             -- SHA-256 of the text
    embedder TEXT NOT NULL,            -- the model that computed it
    vector BLOB NOT NULL,              -- float32, little-endian
    checksum TEXT NOT NULL             -- of the other values: a row without it is not used
) STRICT, WITHOUT ROWID"""
_READ = "SELECT text, vector, checksum FROM vectors WHERE embedder = ?"
_WRITE = """INSERT INTO vectors (text, embedder, vector, checksum) VALUES (?, ?, ?, ?)
ON CONFLICT (text) DO UPDATE SET
    embedder = excluded.embedder, vector = excluded.vector, checksum = excluded.checksum"""


def m008_vectors(db: SqliteUtils) -> None:
    """Create the table of vectors."""
    for statement in TABLES:
        db.execute(statement)


def m014_checked_vectors(db: SqliteUtils) -> None:
    """Give vectors a checksum. Those without can be anybody's, so they are computed again."""
    db.execute("DROP TABLE vectors")
    db.execute(_CHECKED)


def read(db: Database, embedder: str) -> dict[str, bytes]:
    """Return the vectors of one model: SHA-256 of the text -> float32, little-endian.

    Rows that do not match their checksum are left out.
    """
    vectors = {}
    for text, vector, digest in db.execute(_READ, (embedder,)):
        if digest == _checksum(text, embedder, vector):
            vectors[text] = vector
    return vectors


def add(db: Database, embedder: str, vectors: Iterable[tuple[str, bytes]]) -> None:
    """Store vectors (SHA-256 of the text, float32 in little-endian order) that `embedder` computed.

    They replace those that another model computed for the same texts.
    """
    rows = [(key, embedder, vector, _checksum(key, embedder, vector)) for key, vector in vectors]
    db.executemany(_WRITE, rows)


def hash_text(text: str) -> str:
    """Return the key of a text: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def find_problems(db: Database) -> Iterator[str]:
    """Yield a sentence for each vector that was changed, or is of a text that no bullet ever had."""
    rows = db.execute("SELECT text, embedder, vector, checksum FROM vectors").fetchall()
    known = set[str]()
    if rows:
        contents = db.execute("SELECT DISTINCT content FROM bullet_history")
        known.update(hash_text(content) for (content,) in contents)
    for text, embedder, vector, digest in rows:
        if digest != _checksum(text, embedder, vector):
            yield f"The vector {text:.12} of {embedder} is not what was written."
        elif text not in known:
            yield f"The vector {text:.12} of {embedder} is of a text that no bullet ever had."


def _checksum(text: str, embedder: str, vector: bytes) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a row's values."""
    return hashlib.sha256(f"{text} {embedder} ".encode() + vector).hexdigest()[:16]
