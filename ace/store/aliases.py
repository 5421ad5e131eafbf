"""Rows of aliases: the ids that bullets have in other tools' files.

Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple
from typing import TYPE_CHECKING

from ace.playbook.exchange import Alias
from ace.store import checked_rows

if TYPE_CHECKING:
    from sqlite_utils import Database

_READ = """SELECT source, alias, bullet, section, content_hash, helpful, harmful
    FROM aliases ORDER BY rowid"""


def m004_aliases(db: Database) -> None:
    """Create the table of aliases."""
    db.execute(
        """CREATE TABLE aliases (              -- the ids bullets have in files they were imported from
    source TEXT NOT NULL,              -- the file's name
    alias TEXT NOT NULL,               -- the id there
    bullet TEXT NOT NULL,
    section TEXT NOT NULL,             -- what the file said when it was last imported, from here on
    content_hash TEXT NOT NULL,        -- SHA-256
    helpful INTEGER NOT NULL,
    harmful INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (source, alias)
) STRICT"""
    )


def add(db: sqlite3.Connection, aliases: Iterable[Alias]) -> None:
    """Store new aliases, and replace those that the same file has brought before."""
    checked_rows.insert(db, "aliases", [astuple(alias) for alias in aliases], key="source, alias")


def read(db: sqlite3.Connection) -> list[Alias]:
    """Return the aliases in the order in which they were first stored."""
    return [Alias(*row) for row in db.execute(_READ)]
