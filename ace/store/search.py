"""Full-text search over bullets: SQLite's FTS5 in memory, made from a playbook and gone with it.

A candidate playbook is searched as one that is committed is, so no index in the file can be out of date.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from threading import Lock

from ace.playbook.model import Bullet

_TABLE = """CREATE VIRTUAL TABLE bullets USING fts5(
    id UNINDEXED, section, content, tokenize = "porter unicode61 remove_diacritics 2"
)"""
_FIND = (
    """SELECT id FROM bullets WHERE bullets MATCH ? ORDER BY bm25(bullets, 0.0, 0.5, 1.0), rowid LIMIT ?"""
)
_WORD = re.compile(r"\w+")
_LONGEST = 64  # words of a question that are looked for


class BulletIndex:
    """The bullets that were given. Safe to use from several threads."""

    def __init__(self, bullets: Iterable[Bullet]) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(_TABLE)
        rows = [(_bytes_safe(b.id), _bytes_safe(b.section), _bytes_safe(b.content)) for b in bullets]
        self._db.executemany("INSERT INTO bullets VALUES (?, ?, ?)", rows)

    def search(self, question: str, limit: int = 1000) -> list[str]:
        """Ids of those that share a word with a question, best first by BM25; the question is no query."""
        words = dict.fromkeys(word.lower() for word in _WORD.findall(_bytes_safe(question)))
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in list(words)[:_LONGEST])
        with self._lock:
            return [name for (name,) in self._db.execute(_FIND, (query, limit))]


def _bytes_safe(text: str) -> str:
    """SQLite takes no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
