"""Migration 3: branches, tags, what every bullet was at every version, and a checksum in every row.

Derives what is new by folding the history that an older file holds. Released: never edit it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from ace.playbook.codec import delta_from_json
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Playbook
from ace.store import checked_rows
from ace.store.sqlite_text import read_column, to_json

if TYPE_CHECKING:
    from sqlite_utils import Database

TABLES = (
    """CREATE TABLE branches (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES versions,  -- its newest
    base INTEGER REFERENCES versions,  -- where it left another branch; NULL for main
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE tags (                 -- every time a name was given; its last row counts
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER REFERENCES versions,  -- NULL: the name was taken away
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    """CREATE TABLE new_versions (
    number INTEGER PRIMARY KEY,        -- 0 is the empty playbook; counts over all branches
    parent INTEGER REFERENCES versions,
    merged INTEGER REFERENCES versions,  -- the version of another branch that it took in
    branch TEXT NOT NULL REFERENCES branches,
    hash TEXT NOT NULL,                -- of both parents' hashes, the operations, author and reason
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    run INTEGER REFERENCES runs,
    created TEXT NOT NULL,
    next_position INTEGER NOT NULL,    -- where the next bullet appends
    checksum TEXT NOT NULL             -- of the row's other values, here and in other tables
) STRICT""",
    """CREATE TABLE bullet_history (       -- every bullet as it was after each version that touched it
    version INTEGER NOT NULL REFERENCES versions,
    bullet TEXT NOT NULL,
    branch TEXT NOT NULL REFERENCES branches,
    section TEXT NOT NULL,
    content TEXT NOT NULL,
    provenance TEXT NOT NULL,
    status TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    helpful INTEGER NOT NULL,
    harmful INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (version, bullet)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE new_sections (         -- in order of first use; a branch begins with those of its base
    branch TEXT NOT NULL REFERENCES branches,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES versions,  -- the first that used it
    PRIMARY KEY (branch, place)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE new_bullets (          -- of the head of main, removed ones included
    id TEXT PRIMARY KEY,
    section TEXT NOT NULL,
    content TEXT NOT NULL,
    provenance TEXT NOT NULL,          -- JSON list of episode ids
    status TEXT NOT NULL,              -- active, quarantined or removed
    pinned INTEGER NOT NULL,
    helpful INTEGER NOT NULL,
    harmful INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT""",
)
REPLACED = ("versions", "sections", "bullets")
UNSEALED = ("runs", "steps", "episodes", "proposals", "rejected_operations")
COPIES = (
    "INSERT INTO branches SELECT 'main', value, NULL, (SELECT min(created) FROM versions), '' "
    "FROM meta WHERE key = 'head'",
    "INSERT INTO new_versions SELECT number, parent, NULL, 'main', hash, author, reason, run, created, 0, '' "
    "FROM versions",
    "INSERT INTO new_bullets SELECT * FROM bullets",
)
VIEWS = (
    """CREATE VIEW head_bullets AS         -- what main's readers get, in their order
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section AND sections.branch = 'main'
WHERE status <> 'removed' ORDER BY sections.place, bullets.position, bullets.id""",
    """CREATE VIEW history AS              -- what every version did, newest first
SELECT number AS version, branch, created, author, reason, run, merged, op, bullet, operation
FROM versions LEFT JOIN operations ON operations.version = versions.number
ORDER BY number DESC, operations.position""",
)


def m003_branches(database: Database) -> None:
    """Turn the history into branch `main`. Foreign keys are off while tables are replaced."""
    db = database.conn
    for statement in ("DROP VIEW history", "DROP VIEW head_bullets", *TABLES, *COPIES):
        db.execute(statement)
    _derive(db)
    for table in REPLACED:
        db.execute(f"DROP TABLE {table}")
        db.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
    for statement in ("DROP TABLE meta", "DROP INDEX operations_bullet", "DROP INDEX operations_merge"):
        db.execute(statement)
    db.execute("CREATE INDEX bullet_history_bullet ON bullet_history (branch, bullet, version)")
    for view in VIEWS:
        db.execute(view)
    for table in UNSEALED:
        db.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT NOT NULL DEFAULT ''")
    for table in (*UNSEALED, "branches", "versions"):
        checked_rows.fill_checksums(db, table)


def _derive(db: sqlite3.Connection) -> None:
    """Fold the history, and write down what each version made of the bullets it touched."""
    playbook = Playbook()
    listed = "SELECT operation FROM operations WHERE version = ? ORDER BY position"
    for (number,) in db.execute("SELECT number FROM versions ORDER BY number").fetchall():
        operations = read_column(db, listed, [number])
        delta = delta_from_json(f"[{','.join(operations)}]")
        before = playbook
        playbook, _ = apply(before, delta)
        touched = set[str]()
        for operation in delta:
            touched.update(touched_ids(operation))
        for name in sorted(touched):
            if name in playbook.bullets:
                bullet = playbook.bullets[name]
                text = (bullet.section, bullet.content, to_json(bullet.provenance))
                state = (bullet.status.value, bullet.pinned, bullet.helpful, bullet.harmful, bullet.position)
                row = (number, name, *text, *state)
                db.execute("INSERT INTO bullet_history VALUES (?, ?, 'main', ?, ?, ?, ?, ?, ?, ?, ?)", row)
        first = len(before.section_names)
        for place, name in enumerate(playbook.section_names[first:], start=first):
            db.execute("INSERT INTO new_sections VALUES ('main', ?, ?, ?)", (place, name, number))
        place = playbook.next_position
        db.execute("UPDATE new_versions SET next_position = ? WHERE number = ?", [place, number])
