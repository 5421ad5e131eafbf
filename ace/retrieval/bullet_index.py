"""Full-text search over bullets: SQLite's FTS5 in memory, which is brought up to date bullet by bullet.

A candidate playbook is searched in the same way as a committed one, so no index in the file can be out of
date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from threading import Lock

from ace.playbook.model import Bullet
from ace.store.sqlite_text import build_word_query, replace_lone_surrogates
from ace.text.character_pairs import list_index_terms

_TABLE = """CREATE VIRTUAL TABLE bullets USING fts5(
    id UNINDEXED, position UNINDEXED, section, content, terms,
    tokenize = "porter unicode61 remove_diacritics 2"
)"""
_MATCH = """SELECT id FROM bullets WHERE bullets MATCH ?
    ORDER BY bm25(bullets, 0.0, 0.0, 0.5, 1.0, 1.0), position, id LIMIT ?"""


class BulletIndex:
    """Searches bullets, each of which has a place. Safe to use from several threads."""

    def __init__(self, bullets: Iterable[Bullet]) -> None:
        """Index the sections and contents of bullets; a word in the content counts for twice as much."""
        self._lock = Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(_TABLE)
        self.replace((), dict(enumerate(bullets)))

    def replace(self, dropped: Iterable[int], new: Mapping[int, Bullet]) -> None:
        """Take the bullets in some places out of the index, and put others in. Places are any numbers."""
        rows = []
        for place, bullet in new.items():
            section, content = (
                replace_lone_surrogates(bullet.section),
                replace_lone_surrogates(bullet.content),
            )
            terms = " ".join(list_index_terms(f"{bullet.section}\n{bullet.content}"))
            rows.append((place, bullet.id, bullet.position, section, content, terms))
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM bullets WHERE rowid = ?", [(place,) for place in dropped])
            sql = (
                "INSERT INTO bullets (rowid, id, position, section, content, terms) VALUES (?, ?, ?, ?, ?, ?)"
            )
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")

    def search(self, question: str, limit: int = 1000) -> list[str]:
        """Return ids of bullets that share a word with the question, best first by BM25.

        The question itself is never parsed as a query.
        """
        query = build_word_query(question)
        if not query:
            return []
        with self._lock:
            return [bullet_id for (bullet_id,) in self._db.execute(_MATCH, (query, limit))]
