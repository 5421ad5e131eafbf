"""Tables of an index of documents, opening its file, and SQLite's errors as ours.

The file is apart from the playbook's, because everything in it can be made again from the documents. So a
file of an older release is emptied and filled anew instead of migrated, and a playbook's backups stay small.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from ace.errors import DocumentsError, NewerSchema
from ace.store.sqlite_connection import transaction
from ace.store.sqlite_errors import ErrorKind, converted_errors, list_machine_errors
from ace.text.plain_file import find_obstacle

APPLICATION_ID = int.from_bytes(b"aced")
VERSION = 3
_REBUILD = "Delete the file and run `ace documents index FOLDER` again: it is made of the documents alone."

_ERRORS: dict[int, ErrorKind] = {
    **list_machine_errors("file"),
    sqlite3.SQLITE_NOTADB: (DocumentsError, "is not an index of documents", "Give another file."),
    sqlite3.SQLITE_CORRUPT: (DocumentsError, "is damaged", _REBUILD),
}
typed_errors = partial(converted_errors, kinds=_ERRORS, default=(DocumentsError, "failed", _REBUILD))
"""Raises every sqlite3 error of a block as one of ours; it takes the path of the file."""

_TABLES = """
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,         -- from this file's folder, so that both can be moved together
    label TEXT NOT NULL                -- what citations begin with
) STRICT;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    path TEXT NOT NULL,                -- below the folder
    hash TEXT NOT NULL,                -- SHA-256 of the bytes and of how they were cut
    bytes INTEGER NOT NULL,
    UNIQUE (folder, path)
) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so a vector cannot meet another text
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    heading TEXT NOT NULL,
    text TEXT NOT NULL,
    first INTEGER NOT NULL,            -- line, or page of a PDF
    last INTEGER NOT NULL,
    terms TEXT NOT NULL                -- what it is found by beside its words, see ace.text.character_pairs
) STRICT;
CREATE INDEX chunks_document ON chunks (document);
CREATE TABLE vectors (
    chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    embedder TEXT NOT NULL,            -- a vector is good for this one only
    vector BLOB NOT NULL               -- float32, little endian, of length 1
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    heading, text, terms, content = 'chunks', content_rowid = 'id', tokenize = 'porter unicode61'
);
CREATE TRIGGER chunks_added AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, heading, text, terms) VALUES (new.id, new.heading, new.text, new.terms);
END;
CREATE TRIGGER chunks_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, heading, text, terms)
        VALUES ('delete', old.id, old.heading, old.text, old.terms);
END;
"""


def writing(db: sqlite3.Connection, path: Path) -> AbstractContextManager[sqlite3.Connection]:
    """Open one transaction, all or nothing, with the write lock from its first moment."""
    return transaction(db, path, write=True, errors=typed_errors)


def connect(path: Path, *, create: bool, timeout: float) -> sqlite3.Connection:
    """Open the file with its tables; the connection serves one thread at a time.

    Raises DocumentsError for another kind of file and, without `create`, for a missing one. Raises
    NewerSchema for a file of a later release.
    """
    if not create and not path.exists():
        hint = "`ace documents index FOLDER` makes one."
        raise DocumentsError(f"There is no index of documents at {path}.", hint=hint, path=str(path))
    obstacle = find_obstacle(path)
    if obstacle:
        message = f"{path} is not an index of documents: {obstacle}."
        raise DocumentsError(message, hint="Give another file.", path=str(path))
    with typed_errors(path):
        mode = "rwc" if create else "rw"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        db = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            _check_version(db, path)  # before anything is written to a file that may not be ours
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # after a power cut the last files are indexed again
            if _check_version(db, path) != VERSION:
                with writing(db, path):
                    if _check_version(db, path) != VERSION:  # no other process was faster
                        _build_tables(db)
            db.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            db.close()
            raise
    return db


def _check_version(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file's tables, 0 for an empty file. Raises as `connect` does."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    objects = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or version or objects):
        message = f"{path} is an SQLite file, but not an index of documents."
        raise DocumentsError(message, hint="Give another file.", path=str(path))
    if version > VERSION:
        message = f"{path} has version {version}; this release knows {VERSION}."
        raise NewerSchema(message, hint="Upgrade the package.", path=str(path))
    return version


def _build_tables(db: sqlite3.Connection) -> None:
    """Make the tables anew, in the caller's transaction; those of an older release are dropped."""
    for name in ("words", "vectors", "chunks", "documents", "folders"):  # of an older release
        db.execute(f"DROP TABLE IF EXISTS {name}")
    statement = ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
