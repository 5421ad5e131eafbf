"""Which episode a reply belongs to, by the id that the upstream gave it: a small file beside the spool.

Feedback may come a month later, when the conversation is long forgotten. Ids are no secrets: nothing of what
was said stands here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

_TABLE = "CREATE TABLE IF NOT EXISTS replies (id TEXT PRIMARY KEY, episode TEXT NOT NULL) WITHOUT ROWID"
_NAME = "replies.db"


class ReplyIndex:
    """Keep the episodes of replies. Belongs to one thread of one process."""

    def __init__(self, folder: Path) -> None:
        """Open the file in a folder, and make both if they are missing. Raises sqlite3.Error and OSError."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._db = sqlite3.connect(folder / _NAME, timeout=2.0)
        self._db.execute(_TABLE)

    def add(self, episodes: Mapping[str, str]) -> None:
        """Keep the episode of each reply, before this returns. Raises sqlite3.Error."""
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO replies VALUES (?, ?)", episodes.items())

    def find(self, reply: str) -> str:
        """Return the episode of a reply; "" for one that nobody knows. Raises sqlite3.Error."""
        row = self._db.execute("SELECT episode FROM replies WHERE id = ?", [reply]).fetchone()
        return str(row[0]) if row else ""

    def close(self) -> None:
        """Close the file."""
        self._db.close()
