"""What stands in the schema of a playbook's file and is not ours: triggers, views, indexes, changed tables.

A trigger of somebody else runs inside our commits, and an index or a changed column decides which rows there
can be. So a file with one is not written to until a person has removed it. Reading it runs nothing. What does
not act (a table or a view beside ours) is only named by `verify`. Knows nothing about rows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ace.errors import StoreUnwritable
from ace.store import schema

# Without SQLite's own: automatic indexes, statistics.
_OBJECTS = """SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
WHERE type = 'trigger' OR name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name"""
_BOOKKEEPING = "_sqlite_migrations"  # sqlite-utils makes it, each release in its own words
# An index that decides which rows there can be, or computes something for each of them.
_DECIDES = """SELECT 1 FROM pragma_index_list(:table) WHERE name = :index AND ("unique" OR partial)
UNION ALL SELECT 1 FROM pragma_index_xinfo(:index) WHERE cid = -2"""


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """Name one thing in the schema that is not what this release makes."""

    kind: str
    """Table, index, view, trigger or migration."""

    name: str
    """As the schema has it."""

    problem: str
    """What is wrong with it, as a sentence for people."""

    acts: bool = False
    """Whether it takes part in our writes."""

    remedy: str = ""
    """The SQL that removes it; "" where only a backup helps."""


def check_writable(db: sqlite3.Connection, path: Path) -> None:
    """Raise StoreUnwritable if anything that is not ours would take part in a write.

    A file as this release makes it costs reading its schema. Call it inside the transaction that will write.
    Raises NewerSchema where a later release has migrated the file since it was opened.
    """
    version = schema.schema_version(db, path)
    if version == 0 or hash_schema(db) == schema.DIGEST:  # a new file, or one of this release
        return
    for item in find_foreign(db):
        if item.acts:
            hint = schema.DAMAGED
            if item.remedy:
                hint = f"Look at it, then remove it: sqlite3 {quote(str(path))} {quote(item.remedy)}"
            raise StoreUnwritable(f"{path} can only be read: {item.problem}", hint=hint, path=str(path))


def find_foreign(db: sqlite3.Connection) -> Iterator[ForeignObject]:
    """Yield what the migrations that the file has seen would make in another way, or not at all."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    expected = schema.expected_objects(version)
    present = schema.read_objects(db)
    ours = {name.partition(" ")[2].casefold() for name in expected}
    for key, sql in expected.items():
        kind, _, name = key.partition(" ")
        if key not in present or kind == "migration" or name == _BOOKKEEPING:
            if present.get(key) != sql:
                yield ForeignObject(kind, name, f"{key} is not what this release makes.")
        elif _normalize(present[key]) != _normalize(sql):
            yield ForeignObject(kind, name, f"{key} is not what this release makes.", acts=True)
    for kind, name, table, _ in db.execute(_OBJECTS).fetchall():
        if f"{kind} {name}" in expected:
            continue
        problem = f"{kind} {name} is not of ace."
        acts = name.casefold() in ours
        if kind == "trigger":
            problem = f"trigger {name} on {table} is not of ace, and would run with its writes."
            acts = True
        elif kind == "index" and table.casefold() in ours:
            acts = db.execute(_DECIDES, {"table": table, "index": name}).fetchone() is not None
            if acts:
                problem = f"index {name} on {table} is not of ace, and decides which rows there can be."
        identifier = name.replace('"', '""')
        yield ForeignObject(kind, name, problem, acts, f'DROP {kind.upper()} "{identifier}"')


def drop_triggers(db: sqlite3.Connection) -> None:
    """Drop all triggers of a copy in memory, so that a migration of it runs nothing but ours."""
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        identifier = name.replace('"', '""')
        db.execute(f'DROP TRIGGER "{identifier}"')


def hash_schema(db: sqlite3.Connection) -> str:
    """Return the SHA-256 of all definitions in the file, in hexadecimal digits."""
    digest = hashlib.sha256()
    for kind, name, _, sql in db.execute(_OBJECTS):
        if name != _BOOKKEEPING:
            digest.update(f"{kind} {name} {_normalize(sql)}\n".encode())
    return digest.hexdigest()


def _normalize(sql: str) -> str:
    """Return a definition without white space and quotes: releases of SQLite rewrite names differently."""
    return "".join(sql.replace('"', "").split())
