"""Search for the chunks that fit a question best: by words (BM25) and by vectors, both rankings fused.

Neither alone is enough: words find codes, names and numbers, vectors what is said in other words. Scores of
the two cannot be compared, so only places count (`ace.retrieval.fusion`). Exact, not approximate: all vectors
are compared, which takes a millisecond for some ten thousand.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ace.retrieval.documents import file_readers
from ace.retrieval.documents.chunks import Chunk
from ace.retrieval.documents.document_index import DocumentIndex
from ace.retrieval.fusion import fuse, spread
from ace.store.sqlite_text import build_word_query
from ace.text import word_key

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

DEPTH = 50  # chunks that each ranking names
PER_DOCUMENT = 3
# A match in a heading counts for more. Ties go to the earlier chunk, so that results do not depend on chance.
_BY_WORDS = """SELECT words.rowid FROM words JOIN chunks ON chunks.id = words.rowid
    JOIN documents ON documents.id = document WHERE words MATCH ? AND (? IS NULL OR folder = ?)
    ORDER BY bm25(words, 2.0, 1.0, 1.0), words.rowid LIMIT ?"""
_PASSAGE = """SELECT label, documents.path, heading, text, first, last FROM chunks
    JOIN documents ON documents.id = document JOIN folders ON folders.id = folder WHERE chunks.id = ?"""
_VECTORS = """SELECT chunk, vector FROM vectors JOIN chunks ON chunks.id = chunk
    JOIN documents ON documents.id = document
    WHERE embedder = ? AND (? IS NULL OR folder = ?) ORDER BY chunk"""


@dataclass(frozen=True, slots=True)
class Passage:
    """Hold a chunk that was found."""

    document: str
    """The path of its document, as citations have it."""

    chunk: Chunk

    score: float
    """The sum over both rankings that `fuse` gives; of use only beside that of other passages."""

    by_words: int | None
    by_meaning: int | None
    """Its place in either ranking, from 1; None where it is not in that."""

    @property
    def citation(self) -> str:
        """Return `handbook/returns.md:12-20`; of a PDF `handbook/manual.pdf:p3`."""
        mark = "p" if file_readers.has_pages(self.document) else ""
        span = f"{mark}{self.chunk.first}"
        if self.chunk.last != self.chunk.first:
            span += f"-{self.chunk.last}"
        return f"{self.document}:{span}"


class DocumentSearch:
    """Searches an index, or one folder of it. Any thread may call it.

    Vectors are read once and stay in memory, so a search finds what was there when it was first used; a
    document that was removed since is not found any more.
    """

    def __init__(self, index: DocumentIndex, embed: Embedder | None, *, folder: int | None = None) -> None:
        """Search with the vectors of `embed`, or by words only; in all folders, or the one of that number."""
        self._index = index
        self._embed = embed
        self._folder = folder
        # Ids of chunks, and a matrix of their vectors, of shape (chunks, dimensions).
        self._vectors: tuple[list[int], Any] | None = None
        self._lock = Lock()

    def __call__(self, question: str, most: int) -> list[Passage]:
        """Return at most `most` passages, best first.

        One document gives no more than PER_DOCUMENT where others have some, too. Passages with the same words
        count once. Raises ModelUnavailable when the embedder fails, DocumentsError as the index does.
        """
        words = build_word_query(question)
        by_words: list[int] = []
        with self._index.connect() as db:
            if words:
                rows = db.execute(_BY_WORDS, [words, self._folder, self._folder, DEPTH])
                by_words = [key for (key,) in rows]
            by_meaning = self._rank_by_meaning(db, question)
            word_places = {key: place for place, key in enumerate(by_words, 1)}
            meaning_places = {key: place for place, key in enumerate(by_meaning, 1)}
            passages: dict[int, Passage] = {}
            for key, score in fuse([by_words, by_meaning])[: 4 * most]:  # enough to leave out repeats
                row = db.execute(_PASSAGE, [key]).fetchone()
                if row is None:  # removed since the vectors were read
                    continue
                label, path, heading, text, first, last = row
                passages[key] = Passage(
                    document=f"{label}/{path}",
                    chunk=Chunk(text, heading, first, last),
                    score=score,
                    by_words=word_places.get(key),
                    by_meaning=meaning_places.get(key),
                )
        chosen = spread(
            passages,
            most,
            group=lambda key: passages[key].document,
            same=lambda key: word_key(passages[key].chunk.full_text),
            per_group=PER_DOCUMENT,
        )
        return [passages[key] for key in chosen]

    def _rank_by_meaning(self, db: sqlite3.Connection, question: str) -> list[int]:
        """Return ids of the chunks nearest to a question by cosine; none that point away from it."""
        import numpy as np

        if self._embed is None:
            return []
        with self._lock:
            if self._vectors is None:
                folder = [self._folder, self._folder]
                rows = db.execute(_VECTORS, [self._embed.name, *folder]).fetchall()
                vectors = [np.frombuffer(vector, dtype="<f4") for _, vector in rows]
                self._vectors = [key for key, _ in rows], np.array(vectors, dtype=np.float32)
            keys, matrix = self._vectors
        if not keys:
            return []
        likeness = matrix @ self._embed([question])[0]
        order = np.argsort(-likeness, kind="stable")[:DEPTH]
        return [keys[place] for place in order if likeness[place] > 0]
