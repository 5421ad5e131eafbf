"""Rows of feedback on answers, from people and programs. Rows are only ever added.

The journal says which feedback was learned from: the payload of a step names it. Functions over a connection
that is already inside a transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ace.errors import UnknownVersion
from ace.runs.records import AnswerFeedback
from ace.store import checked_rows
from ace.store.sqlite_text import now, read_column, to_text

if TYPE_CHECKING:
    from sqlite_utils import Database

_READ = """SELECT id, run, episode, "right", expected, text, author, created FROM feedback
WHERE id > :after AND (:task IS NULL OR run IN (SELECT id FROM runs WHERE task = :task)) ORDER BY id"""
_LEARNED = "SELECT value FROM steps, json_each(steps.payload, '$.feedback')"


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


def add(db: sqlite3.Connection, feedback: AnswerFeedback) -> AnswerFeedback:
    """Store feedback, and return it with its number, its time and the run of its episode.

    Raises UnknownVersion for an episode that is not in the file.
    """
    latest = "SELECT run FROM episodes WHERE id = ? ORDER BY rowid DESC LIMIT 1"
    row = db.execute(latest, [feedback.episode]).fetchone()
    if row is None:
        raise UnknownVersion(
            f"There is no episode {feedback.episode!r:.60} in this file.",
            hint="An episode's id comes with its answer.",
        )
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM feedback").fetchone()
    stored = replace(feedback, run=row[0], created=now(), number=int(number))
    texts = (to_text(stored.expected), to_text(stored.text), to_text(stored.author))
    values = (stored.number, stored.run, stored.episode, stored.right, *texts, stored.created)
    checked_rows.insert(db, "feedback", [values])
    return stored


def read(db: sqlite3.Connection, task: str | None, after: int, *, unlearned: bool) -> list[AnswerFeedback]:
    """Return feedback numbered above `after`, oldest first; with `unlearned` only what no step took in."""
    rows = db.execute(_READ, {"task": task, "after": after}).fetchall()
    learned = set()
    if rows and unlearned:
        learned = set(read_column(db, _LEARNED))
    return [_from_row(row) for row in rows if row[0] not in learned]


def _from_row(row: tuple[Any, ...]) -> AnswerFeedback:
    number, run, episode, right, expected, text, author, created = row
    return AnswerFeedback(
        episode=episode,
        right=bool(right),
        expected=expected,
        text=text,
        author=author,
        created=created,
        number=number,
        run=run,
    )
