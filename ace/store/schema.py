"""The tables, as an append-only list of migrations: never edit one that was released, add the next.

SQLite keeps the comments below in the file, so `.schema` and Datasette show them. Knows nothing
about records. sqlite-utils takes 0.2 s to import, so it is imported only when there is something to migrate.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ace.errors import NewerSchema, NotAPlaybook
from ace.playbook.codec import chain_hash, delta_to_json
from ace.store import checked_rows
from ace.store.branch_tables import m003_branches
from ace.store.call_rows import m005_calls
from ace.store.episode_events import m015_episode_events
from ace.store.episode_rows import m013_attempts
from ace.store.feedback_rows import m016_waiting_feedback
from ace.store.integrity import seals
from ace.store.memory_rows import m010_memories, m012_rules
from ace.store.sqlite_text import now
from ace.store.vector_rows import m008_vectors, m014_checked_vectors

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = int.from_bytes(b"acep")  # in the file's header: tells a playbook from other SQLite files

FIRST_TABLES = (
    """CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                -- learn, online or eval
    task TEXT NOT NULL,
    config TEXT NOT NULL,              -- JSON
    status TEXT NOT NULL,              -- running, done, failed, capped or interrupted
    started TEXT NOT NULL,             -- times are ISO 8601, UTC
    ended TEXT,
    report TEXT                        -- JSON
) STRICT""",
    """CREATE TABLE versions (
    number INTEGER PRIMARY KEY,        -- 0 is the empty playbook
    parent INTEGER REFERENCES versions,
    hash TEXT NOT NULL,                -- of the parent's hash, the operations, author and reason
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    run INTEGER REFERENCES runs,
    created TEXT NOT NULL
) STRICT""",
    """CREATE TABLE operations (           -- what each version changed, in order
    version INTEGER NOT NULL REFERENCES versions,
    position INTEGER NOT NULL,
    op TEXT NOT NULL,
    bullet TEXT NOT NULL,              -- the bullet it changes; for a merge the one that stays
    operation TEXT NOT NULL,           -- canonical JSON
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX operations_bullet ON operations (bullet)",
    "CREATE INDEX operations_merge ON operations (op) WHERE op = 'merge'",
    """CREATE TABLE sections (             -- of the head, in order of first use
    place INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT""",
    """CREATE TABLE bullets (              -- of the head, removed ones included
    id TEXT PRIMARY KEY,
    section TEXT NOT NULL REFERENCES sections (name),
    content TEXT NOT NULL,
    provenance TEXT NOT NULL,          -- JSON list of episode ids
    status TEXT NOT NULL,              -- active, quarantined or removed
    pinned INTEGER NOT NULL,
    helpful INTEGER NOT NULL,
    harmful INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT""",
    """CREATE TABLE meta (                 -- head: the current version; next_position: where a bullet appends
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE steps (                -- the journal of a run
    run INTEGER NOT NULL REFERENCES runs,
    number INTEGER NOT NULL,
    phase TEXT NOT NULL,
    payload TEXT NOT NULL,             -- JSON
    version INTEGER NOT NULL REFERENCES versions,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE episodes (             -- every attempt that was made, kept for good
    id TEXT NOT NULL,                  -- unique within a run
    run INTEGER REFERENCES runs,
    phase TEXT NOT NULL,
    context_version INTEGER NOT NULL REFERENCES versions,
    sample_id TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    correct INTEGER NOT NULL,
    score REAL NOT NULL,
    detail TEXT NOT NULL,              -- of the verdict, which may use labels
    error TEXT NOT NULL,               -- why there is no answer
    reply TEXT NOT NULL,               -- what the model said, unchanged
    feedback_kind TEXT NOT NULL,       -- labels, execution or none
    feedback TEXT NOT NULL,            -- what the learner was shown
    passed INTEGER,                    -- 0, 1, or NULL where nothing shown says so; ran too
    ran INTEGER,
    expected TEXT NOT NULL,
    subjects TEXT NOT NULL,            -- JSON list
    missing TEXT NOT NULL              -- JSON list: what only the right answer has
) STRICT""",
    "CREATE UNIQUE INDEX episodes_id ON episodes (id, run)",
    "CREATE INDEX episodes_run ON episodes (run)",
    """CREATE TABLE proposals (            -- deltas that asked to be kept
    run INTEGER REFERENCES runs,
    sample_id TEXT NOT NULL,
    author TEXT NOT NULL,
    delta TEXT NOT NULL,               -- canonical JSON
    outcome TEXT NOT NULL,             -- accepted or rejected
    why TEXT NOT NULL,
    episodes TEXT NOT NULL,            -- JSON list of episode ids
    attempts TEXT NOT NULL,            -- JSON list of the answers that proved or refuted it
    version INTEGER NOT NULL REFERENCES versions
) STRICT""",
    "CREATE INDEX proposals_run ON proposals (run)",
    """CREATE TABLE rejected_operations (  -- operations that could not apply
    run INTEGER REFERENCES runs,
    author TEXT NOT NULL,
    operation TEXT NOT NULL,           -- canonical JSON
    why TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES versions
) STRICT""",
    """CREATE VIEW head_bullets AS
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section
WHERE status <> 'removed' ORDER BY sections.place, bullets.position, bullets.id""",
    """CREATE VIEW history AS
SELECT number AS version, created, author, reason, run, op, bullet, operation
FROM versions LEFT JOIN operations ON operations.version = versions.number
ORDER BY number DESC, position""",
)


def m001_first_tables(db: Database) -> None:
    """Create the tables of a playbook, and version 0: the empty playbook."""
    for statement in FIRST_TABLES:
        db.execute(statement)
    author, reason = "ace", "the empty playbook"
    root = chain_hash("", delta_to_json(()), author, reason)
    db.execute(
        "INSERT INTO versions (number, hash, author, reason, created) VALUES (0, ?, ?, ?, ?)",
        [root, author, reason, now()],
    )
    db.execute("INSERT INTO meta VALUES ('head', 0), ('next_position', 0)")


def m002_uses(db: Database) -> None:
    """Add to episodes what the right answer is made of."""
    db.execute("ALTER TABLE episodes ADD COLUMN uses TEXT NOT NULL DEFAULT '[]' /* JSON list: its parts */")


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


def m006_feedback(db: Database) -> None:
    """Create the table of feedback."""
    db.execute(
        """CREATE TABLE feedback (             -- what was said of an answer after it was given
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES runs,       -- of the episode
    episode TEXT NOT NULL,
    "right" INTEGER NOT NULL,          -- 0 or 1
    expected TEXT NOT NULL,            -- the right answer, if somebody knew it
    text TEXT NOT NULL,                -- anything else
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT"""
    )


HEAD_BULLETS = """CREATE VIEW head_bullets AS         -- what main's prompts get, in their order
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section AND sections.branch = 'main'
WHERE status = 'active' ORDER BY sections.place, bullets.position, bullets.id"""
WAITING_BULLETS = """CREATE VIEW quarantined_bullets AS  -- what waits on main for proof, and no prompt gets
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section AND sections.branch = 'main'
WHERE status = 'quarantined' ORDER BY sections.place, bullets.position, bullets.id"""


def m007_seals(db: Database) -> None:
    """Count the rows of every table, and give bullets in quarantine a view of their own."""
    seals.create_seals(db.conn)
    for statement in ("DROP VIEW head_bullets", HEAD_BULLETS, WAITING_BULLETS):
        db.execute(statement)


def m011_reasons(db: Database) -> None:
    """Add to proposals the rule that decided them."""
    column = "reason TEXT NOT NULL DEFAULT 'unknown' /* the rule that decided; why says it to people */"
    checked_rows.add_column(db.conn, "proposals", column)


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    m001_first_tables,
    m002_uses,
    m003_branches,
    m004_aliases,
    m005_calls,
    m006_feedback,
    m007_seals,
    m008_vectors,
    m010_memories,
    m011_reasons,
    m012_rules,
    m013_attempts,
    m014_checked_vectors,
    m015_episode_events,
    m016_waiting_feedback,
)
LATEST = len(MIGRATIONS)
# Hash of all definitions that the migrations make: a file with it holds nothing foreign. A test computes it.
DIGEST = "9aea0661f8a6a10e50b8349ce1af92110320707518133bc94374de34fe674af7"
DAMAGED = (
    "`ace playbook restore` puts a backup in its place; `ace playbook export` saves what can still be read."
)


def damage_error(problem: str) -> NotAPlaybook:
    """Return the error to raise for a damaged file, with the hint on what to do."""
    return NotAPlaybook(problem, hint=DAMAGED)


def schema_version(db: sqlite3.Connection, path: Path) -> int:
    """Return the file's schema version, 0 for an empty file.

    Raises NotAPlaybook for any other SQLite file, NewerSchema for a file of a later release.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (objects,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (application or version or objects):
        raise NotAPlaybook(
            f"{path} is an SQLite file, but not a playbook.", hint="Give another path with --playbook."
        )
    if version > LATEST:
        raise NewerSchema(
            f"{path} has schema {version}; this release knows {LATEST}.", hint="Upgrade the package."
        )
    return int(version)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the latest schema. The caller holds the write lock, so only one process does it."""
    if schema_version(db, path) < LATEST:
        apply_migrations(db)
    # Written even when it is there already: a file that cannot be written is refused now, not after an hour.
    db.execute(f"PRAGMA user_version = {LATEST}")


def apply_migrations(db: sqlite3.Connection, version: int = LATEST) -> None:
    """Apply the migrations up to a schema version that the file has not seen, and mark it as a playbook."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations("ace")
    for migration in MIGRATIONS[:version]:
        migrations()(migration)
    migrations.apply(Database(db, recursive_triggers=False, execute_plugins=False))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def expected_objects(version: int = LATEST) -> dict[str, str]:
    """Return what `read_objects` finds in a new file with a schema version."""
    db = sqlite3.Connection(":memory:", isolation_level=None)
    with closing(db):
        apply_migrations(db, version)
        return read_objects(db)


def read_objects(db: sqlite3.Connection) -> dict[str, str]:
    """Return the file's tables, indexes and views ("table runs" -> SQL) and the migrations it has seen."""
    sql = "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    objects = dict(db.execute(sql).fetchall())
    for name, migration_set in db.execute("SELECT name, migration_set FROM _sqlite_migrations"):
        objects[f"migration {name}"] = migration_set
    return objects
