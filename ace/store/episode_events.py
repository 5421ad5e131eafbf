"""Rows of episodes of somebody else's agent while they go on: how each began, and what happened since.

The first event of an episode stays for good, because it says for whom the agent worked and what it was shown.
The others go when the episode ends: its row among the episodes holds them. Functions over a connection that
is already inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ace.runs.records import AnswerFeedback, EpisodeEnd, EpisodeEvent
from ace.store import checked_rows, episode_rows, feedback_rows
from ace.store.integrity import seals
from ace.store.sqlite_text import now, to_json, to_text
from ace.store.store_database import Database

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

_TABLE = """CREATE TABLE episode_events (       -- of somebody else's agent: what its program has reported
    episode TEXT NOT NULL,             -- the id that its row in episodes has once it has ended
    number INTEGER NOT NULL,           -- 0 is how it began, which stays; the others go when it ends
    run INTEGER REFERENCES runs,
    event TEXT NOT NULL,               -- JSON object: the beginning, or a turn
    created TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (episode, number)
) STRICT, WITHOUT ROWID"""
_FEEDBACK_COLUMNS = (
    "score REAL /* from 0 to 1; NULL where nobody gave one */",
    'unjudged INTEGER NOT NULL DEFAULT 0 /* 1: nobody said whether it is right, and "right" is 0 */',
)
_OPEN = """SELECT episode, number, run, event, created FROM episode_events
WHERE {} AND NOT EXISTS (SELECT 1 FROM episodes WHERE id = episode_events.episode)
ORDER BY episode, number"""
EpisodeRow = EpisodeEvent | EpisodeEnd | AnswerFeedback
"""What `write_row` writes."""


def m015_episode_events(db: SqliteUtils) -> None:
    """Create the table of events, and let feedback be a score, or a text that judges nothing."""
    db.execute(_TABLE)
    seals.seal_table(db.conn, "episode_events")
    checked_rows.add_column(db.conn, "feedback", *_FEEDBACK_COLUMNS)


def begin_run(db: Database, kind: str, task: str, config: Mapping[str, Any]) -> int:
    """Add a run that has begun, and return its number."""
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()
    row = (number, kind, task, to_json(dict(config)), "running", now(), None, None)
    checked_rows.insert(db, "runs", [row])
    return int(number)


def write_row(db: Database, row: EpisodeRow) -> None:
    """Write an event, the end of an episode, or feedback. An end takes the place of the events but the first.

    Raises UnknownVersion for feedback on an episode that is not in the file.
    """
    match row:
        case EpisodeEvent():
            event = to_json(dict(row.event))
            values = (to_text(row.episode), row.number, row.run, event, row.created or now())
            checked_rows.insert(db, "episode_events", [values])
        case EpisodeEnd():
            episode_rows.add_episodes(db, row.run, [row.episode])
            checked_rows.delete(db, "episode_events", "episode = ? AND number > 0", [row.episode.id])
            if row.feedback is not None:
                feedback_rows.add_feedback(db, row.feedback)
        case AnswerFeedback():
            feedback_rows.add_feedback(db, row)


def read_open_episodes(db: Database, name: str | None = None) -> dict[str, list[EpisodeEvent]]:
    """Return the events of the episodes that have not ended, by the episode's id, in their order.

    `name` is the id of the only one to read; None reads all.
    """
    events: dict[str, list[EpisodeEvent]] = {}
    test, values = "1 = 1", list[str]()
    if name is not None:
        test, values = "episode = ?", [name]
    for episode, number, run, event, created in db.execute(_OPEN.format(test), values):
        row = EpisodeEvent(episode, number, json.loads(event), run, created)
        events.setdefault(episode, []).append(row)
    return events


def read_beginning(db: Database, episode: str) -> Mapping[str, Any]:
    """Return how an episode of somebody else's agent began; empty for any other episode."""
    sql = "SELECT event FROM episode_events WHERE episode = ? AND number = 0"
    row = db.execute(sql, [episode]).fetchone()
    beginning: dict[str, Any] = json.loads(row[0]) if row else {}
    return beginning
