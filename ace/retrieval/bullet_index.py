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

_TABLES = (
    """CREATE VIRTUAL TABLE words USING fts5(
    section, content, terms, tokenize = "porter unicode61 remove_diacritics 2"
)""",
    # Beside it: FTS5 would read all that a row holds for every bullet that it finds.
    "CREATE TABLE bullets (place INTEGER PRIMARY KEY, position INTEGER, id TEXT)",
)
_MATCH = """SELECT id FROM (
    SELECT rowid AS place, bm25(words, 0.5, 1.0, 1.0) AS score FROM words WHERE words MATCH ?
) CROSS JOIN bullets USING (place) ORDER BY score, position, id LIMIT ?"""


class BulletIndex:
    """Searches bullets, each of which has a place. Safe to use from several threads."""

    def __init__(self, bullets: Iterable[Bullet]) -> None:
        """Index the sections and contents of bullets; a word in the content counts for twice as much."""
        self._lock = Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for statement in _TABLES:
            self._db.execute(statement)
        self.replace((), dict(enumerate(bullets)))

    def replace(self, dropped: Iterable[int], new: Mapping[int, Bullet]) -> None:
        """Take the bullets in some places out of the index, and put others in. Places are any numbers."""
        words, bullets = [], []
        for place, bullet in new.items():
            section = replace_lone_surrogates(bullet.section)
            content = replace_lone_surrogates(bullet.content)
            terms = " ".join(list_index_terms(f"{bullet.section}\n{bullet.content}"))
            words.append((place, section, content, terms))
            bullets.append((place, bullet.position, bullet.id))
        old = [(place,) for place in dropped]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM words WHERE rowid = ?", old)
            self._db.executemany("DELETE FROM bullets WHERE place = ?", old)
            self._db.executemany(
                "INSERT INTO words (rowid, section, content, terms) VALUES (?, ?, ?, ?)", words
            )
            self._db.executemany("INSERT INTO bullets VALUES (?, ?, ?)", bullets)
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
