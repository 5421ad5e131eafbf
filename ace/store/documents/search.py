"""The chunks of an index that fit a question best: by their words (BM25), by their vectors, and both fused.

Neither alone is enough: words find codes, names and numbers, vectors what is said in other words. Scores of
the two cannot be compared, so only places count (`ace.context.fusion`). Exact, no approximation: all vectors
are compared, which takes a millisecond for some ten thousand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ace.context.fusion import fuse, varied
from ace.refine.similar import same_words
from ace.store.documents import reading
from ace.store.documents.chunks import Chunk
from ace.store.documents.index import DocumentIndex

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

DEPTH = 50  # chunks that each ranking names
PER_DOCUMENT = 3
_WORD = re.compile(r"\w+")
# A match in a heading counts for more. Ties go to the earlier chunk, so that results do not depend on chance.
_BY_WORDS = """SELECT words.rowid FROM words JOIN chunks ON chunks.id = words.rowid
    JOIN documents ON documents.id = document WHERE words MATCH ? AND (? IS NULL OR folder = ?)
    ORDER BY bm25(words, 2.0, 1.0), words.rowid LIMIT ?"""
_FOUND = """SELECT chunks.id, label, documents.path, heading, text, first, last FROM chunks
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
        mark = "p" if reading.unit(self.document) == "page" else ""
        last = f"-{self.chunk.last}" if self.chunk.last != self.chunk.first else ""
        return f"{self.document}:{mark}{self.chunk.first}{last}"


class Search:
    """Searches an index, or one folder of it. Any thread may call it; vectors are held in memory."""

    def __init__(self, index: DocumentIndex, embed: Embedder | None, *, folder: int | None = None) -> None:
        self._index = index
        self._embed = embed
        self._folder = folder
        self._held: tuple[object, list[int], Any] | None = None
        self._lock = Lock()

    def __call__(self, question: str, most: int) -> list[Found]:
        """At most `most`, best first. Raises ModelUnavailable when the embedder fails."""
        words, meaning = self._by_words(question), self._by_meaning(question)
        scores = dict(fuse([words, meaning])[: 4 * most])  # enough to leave out repeats
        found = {key: self._found(key, scores[key], words, meaning) for key in scores}
        kept = [key for key in scores if found[key] is not None]  # another process may just have removed some
        real = {key: each for key, each in found.items() if each is not None}
        chosen = varied(
            kept,
            most,
            group=lambda key: real[key].document,
            same=lambda key: same_words(real[key].chunk.shown),
            per_group=PER_DOCUMENT,
        )
        return [real[key] for key in chosen]

    def _by_words(self, question: str) -> list[int]:
        words = dict.fromkeys(_WORD.findall(question.casefold()))
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in words)
        with self._index.reading() as db:
            return [key for (key,) in db.execute(_BY_WORDS, [query, self._folder, self._folder, DEPTH])]

    def _by_meaning(self, question: str) -> list[int]:
        import numpy as np

        keys, matrix = self._vectors()
        if self._embed is None or not keys:
            return []
        likeness = matrix @ self._embed([question])[0]
        order = np.argsort(-likeness, kind="stable")[:DEPTH]
        return [keys[place] for place in order if likeness[place] > 0]

    def _vectors(self) -> tuple[Sequence[int], Any]:
        """(chunks, matrix of their vectors): read once, and again when the file has changed."""
        import numpy as np

        if self._embed is None:
            return [], None
        with self._lock, self._index.reading() as db:
            now = (db.execute("PRAGMA data_version").fetchone()[0], db.total_changes)
            if self._held is None or self._held[0] != now:
                rows = db.execute(_VECTORS, [self._embed.name, self._folder, self._folder]).fetchall()
                matrix = np.array(
                    [np.frombuffer(vector, dtype="<f4") for _, vector in rows], dtype=np.float32
                )
                self._held = now, [key for key, _ in rows], matrix
            return self._held[1], self._held[2]

    def _found(self, key: int, score: float, words: list[int], meaning: list[int]) -> Found | None:
        with self._index.reading() as db:
            row = db.execute(_FOUND, [key]).fetchone()
        if row is None:
            return None
        _, label, path, heading, text, first, last = row
        places = (ranking.index(key) + 1 if key in ranking else None for ranking in (words, meaning))
        return Found(f"{label}/{path}", Chunk(text, heading, first, last), score, *places)
