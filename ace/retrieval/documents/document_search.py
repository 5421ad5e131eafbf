"""The chunks of an index that fit a question best: by their words (BM25), by their vectors, and both fused.

Neither alone is enough: words find codes, names and numbers, vectors what is said in other words. Scores of
the two cannot be compared, so only places count (`ace.retrieval.fusion`). Exact, not approximate: all vectors
are compared, which takes a millisecond for some ten thousand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ace.refine.similar import same_words
from ace.retrieval.documents import file_readers
from ace.retrieval.documents.chunks import Chunk
from ace.retrieval.documents.document_index import DocumentIndex
from ace.retrieval.fusion import fuse, spread
from ace.store.sqlite_text import any_word_of

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

DEPTH = 50  # chunks that each ranking names
PER_DOCUMENT = 3
# A match in a heading counts for more. Ties go to the earlier chunk, so that results do not depend on chance.
_BY_WORDS = """SELECT words.rowid FROM words JOIN chunks ON chunks.id = words.rowid
    JOIN documents ON documents.id = document WHERE words MATCH ? AND (? IS NULL OR folder = ?)
    ORDER BY bm25(words, 2.0, 1.0), words.rowid LIMIT ?"""
_FOUND = """SELECT label, documents.path, heading, text, first, last FROM chunks
    JOIN documents ON documents.id = document JOIN folders ON folders.id = folder WHERE chunks.id = ?"""
_VECTORS = """SELECT chunk, vector FROM vectors JOIN chunks ON chunks.id = chunk
    JOIN documents ON documents.id = document
    WHERE embedder = ? AND (? IS NULL OR folder = ?) ORDER BY chunk"""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk, its score, and its place (from 1) in either ranking, None where it is in none."""

    document: str
    chunk: Chunk
    score: float
    by_words: int | None
    by_meaning: int | None

    @property
    def citation(self) -> str:
        """`handbook/returns.md:12-20`; of a PDF `handbook/manual.pdf:p3`."""
        mark = "p" if file_readers.unit(self.document) == "page" else ""
        last = f"-{self.chunk.last}" if self.chunk.last != self.chunk.first else ""
        return f"{self.document}:{mark}{self.chunk.first}{last}"


class Search:
    """Searches an index, or one folder of it. Any thread may call it.

    Vectors are read once and held in memory, so a search stays as it was when it was first used; a document
    that was removed since is not found any more.
    """

    def __init__(self, index: DocumentIndex, embed: Embedder | None, *, folder: int | None = None) -> None:
        self._index = index
        self._embed = embed
        self._folder = folder
        self._vectors: tuple[list[int], Any] | None = None
        self._lock = Lock()

    def __call__(self, question: str, most: int) -> list[Found]:
        """At most `most`, best first. Raises ModelUnavailable when the embedder fails."""
        with self._index.reading() as db:
            words, meaning = self._by_words(db, question), self._by_meaning(db, question)
            best = fuse([words, meaning])[: 4 * most]  # enough to leave out repeats
            rows = [(key, score, db.execute(_FOUND, [key]).fetchone()) for key, score in best]
        found = {key: _found(key, score, row, words, meaning) for key, score, row in rows if row}
        chosen = spread(
            found,
            most,
            group=lambda key: found[key].document,
            same=lambda key: same_words(found[key].chunk.shown),
            per_group=PER_DOCUMENT,
        )
        return [found[key] for key in chosen]

    def _by_words(self, db: sqlite3.Connection, question: str) -> list[int]:
        query = any_word_of(question)
        if not query:
            return []
        return [key for (key,) in db.execute(_BY_WORDS, [query, self._folder, self._folder, DEPTH])]

    def _by_meaning(self, db: sqlite3.Connection, question: str) -> list[int]:
        import numpy as np

        if self._embed is None:
            return []
        keys, matrix = self._held(db, self._embed.name)
        if not keys:
            return []
        likeness = matrix @ self._embed([question])[0]
        order = np.argsort(-likeness, kind="stable")[:DEPTH]
        return [keys[place] for place in order if likeness[place] > 0]

    def _held(self, db: sqlite3.Connection, embedder: str) -> tuple[list[int], Any]:
        """(chunks, matrix of their vectors)."""
        import numpy as np

        with self._lock:
            if self._vectors is None:
                rows = db.execute(_VECTORS, [embedder, self._folder, self._folder]).fetchall()
                vectors = [np.frombuffer(vector, dtype="<f4") for _, vector in rows]
                self._vectors = [key for key, _ in rows], np.array(vectors, dtype=np.float32)
            return self._vectors


def _found(key: int, score: float, row: Sequence[Any], words: list[int], meaning: list[int]) -> Found:
    label, path, heading, text, first, last = row
    places = (ranking.index(key) + 1 if key in ranking else None for ranking in (words, meaning))
    return Found(f"{label}/{path}", Chunk(text, heading, first, last), score, *places)
