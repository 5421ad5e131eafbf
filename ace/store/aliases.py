"""The ids bullets have in other tools' files.

Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple

from ace.playbook.exchange import Alias

_ADD = """INSERT INTO aliases (source, alias, bullet, section, content_hash, helpful, harmful)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (source, alias) DO UPDATE SET bullet = excluded.bullet, section = excluded.section,
        content_hash = excluded.content_hash, helpful = excluded.helpful, harmful = excluded.harmful"""
_READ = """SELECT source, alias, bullet, section, content_hash, helpful, harmful
    FROM aliases ORDER BY rowid"""


def add(db: sqlite3.Connection, aliases: Iterable[Alias]) -> None:
    """New ones, and what a file says now of those it had before."""
    db.executemany(_ADD, [astuple(alias) for alias in aliases])


def read(db: sqlite3.Connection) -> list[Alias]:
    """In the order they were first stored. A file of an earlier schema, open for reading only, has none."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'aliases'").fetchone():
        return []
    return [Alias(*row) for row in db.execute(_READ)]
