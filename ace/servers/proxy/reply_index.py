"""Which episode a reply belongs to, and which files are being recorded: a small database beside the spool.

Feedback may come a month later, when the conversation is long forgotten. Ids are no secrets: nothing of what
was said stands here.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

_TABLE = "CREATE TABLE IF NOT EXISTS replies (id TEXT PRIMARY KEY, episode TEXT NOT NULL) WITHOUT ROWID"
_BATCH = """CREATE TABLE IF NOT EXISTS batch (file TEXT PRIMARY KEY, episode TEXT NOT NULL,
    number INTEGER NOT NULL) WITHOUT ROWID"""
_NAME = "replies.db"
ADD_REPLY = "INSERT OR REPLACE INTO replies VALUES (?, ?)"
"""Adds the id of a reply, and of its episode."""

FIND_EPISODE = "SELECT episode FROM replies WHERE id = ?"
"""Finds the episode of a reply by its id."""

CLEAR_BATCH = "DELETE FROM batch"
"""Forgets the files that were written before."""

ADD_TO_BATCH = "INSERT INTO batch VALUES (?, ?, ?)"
"""Adds the name of a file that is written next, and an event that will be in the playbook if all of it is.

The number of the event is -1 for the end of its episode.
"""

LIST_BATCH = "SELECT file, episode, number FROM batch"
"""Lists what `ADD_TO_BATCH` added."""


def open_reply_index(folder: Path) -> sqlite3.Connection:
    """Open the index in a folder; make both if they are missing. It belongs to the thread that opens it.

    Raises sqlite3.Error, and OSError where the folder cannot be made.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    index = sqlite3.connect(folder / _NAME, timeout=2.0)
    index.execute(_TABLE)
    index.execute(_BATCH)
    return index
