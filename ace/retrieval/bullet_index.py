"""Full-text search over bullets: SQLite's FTS5 in memory, made from a playbook and gone with it.

A candidate playbook is searched as one that is committed is, so no index in the file can be out of date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from threading import Lock

from ace.playbook.model import Bullet
from ace.store.sqlite_text import any_word_of, whole

_TABLE = """CREATE VIRTUAL TABLE bullets USING fts5(
    id UNINDEXED, section, content, tokenize = "porter unicode61 remove_diacritics 2"
)"""
_FIND = (
    """SELECT id FROM bullets WHERE bullets MATCH ? ORDER BY bm25(bullets, 0.0, 0.5, 1.0), rowid LIMIT ?"""
)


class BulletIndex:
    """The bullets that were given. Safe to use from several threads."""

    def __init__(self, bullets: Iterable[Bullet]) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(_TABLE)
        rows = [(whole(b.id), whole(b.section), whole(b.content)) for b in bullets]
        self._db.executemany("INSERT INTO bullets VALUES (?, ?, ?)", rows)

    def search(self, question: str, limit: int = 1000) -> list[str]:
        """Ids of those that share a word with a question, best first by BM25; the question is no query."""
        query = any_word_of(question)
        if not query:
            return []
        with self._lock:
            return [name for (name,) in self._db.execute(_FIND, (query, limit))]
