"""Rows of what people and programs said of answers, after they were given. Only ever added.

What was learned from is in the journal: the payload of a step names the feedback it took in. Functions over
a connection that is already inside a transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ace.errors import UnknownVersion
from ace.runs.records import Said as Said
from ace.store import checked_rows
from ace.store.sqlite_text import to_text

if TYPE_CHECKING:
    from sqlite_utils import Database

_READ = """SELECT id, run, episode, "right", expected, text, author, created FROM feedback
WHERE id > :after AND (:task IS NULL OR run IN (SELECT id FROM runs WHERE task = :task)) ORDER BY id"""
_LEARNED = "SELECT value FROM steps, json_each(steps.payload, '$.feedback')"


def m006_feedback(db: Database) -> None:
    """What was said of answers after they were given."""
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


def add(db: sqlite3.Connection, said: Said) -> Said:
    """With its number and the run of its episode."""
    found = db.execute(
        "SELECT run FROM episodes WHERE id = ? ORDER BY rowid DESC LIMIT 1", [said.episode]
    ).fetchone()
    if found is None:
        raise UnknownVersion(
            f"There is no episode {said.episode!r:.60} in this file.",
            hint="An episode's id comes with its answer.",
        )
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM feedback").fetchone()
    kept = replace(
        said, run=found[0], created=datetime.now(UTC).isoformat(timespec="milliseconds"), number=int(number)
    )
    texts = (to_text(said.expected), to_text(said.text), to_text(said.author))
    checked_rows.insert(
        db, "feedback", [(kept.number, kept.run, kept.episode, kept.right, *texts, kept.created)]
    )
    return kept


def read(db: sqlite3.Connection, task: str | None, after: int, *, unlearned: bool) -> list[Said]:
    """In the order it came, from the one `after` on."""
    found = db.execute(_READ, {"task": task, "after": after}).fetchall()
    learned = {number for (number,) in db.execute(_LEARNED)} if found and unlearned else set()
    return [_said(row) for row in found if row[0] not in learned]


def _said(row: tuple[Any, ...]) -> Said:
    number, run, episode, right, expected, text, author, created = row
    return Said(episode, bool(right), expected, text, author, created, number, run)
