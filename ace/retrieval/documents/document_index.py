"""A folder of documents in an SQLite file, kept up to date: texts first, then their vectors, file by file.

A file is read again when its bytes have changed, and forgotten when it is gone. What cannot be indexed is in
the report with the reason. Every file is a transaction, so whatever stops the work loses none of what is
done. Knows nothing about ranking.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ace.retrieval.documents import file_readers, index_tables
from ace.retrieval.documents.chunks import MOST, Chunk
from ace.retrieval.documents.document_folder import Skipped, documents

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

Progress = Callable[[str, int, int, str], None]  # (phase, done, total, note)
CUT = f"2 {MOST}"  # how documents are cut; another value has them all read again
_BATCH = 64  # texts an embedder is given at once


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What became of a folder. Added, changed and removed are paths below it."""

    folder: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()
    chunks: int = 0
    embedded: int = 0

    @property
    def documents(self) -> int:
        return len(self.added) + len(self.changed) + self.unchanged


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is in the index."""

    path: str
    folder: str
    bytes: int
    chunks: int
    vectors: int


class DocumentIndex:
    """The file. It is opened for each piece of work and closed after it, so any thread may use it."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self._timeout = timeout

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, timeout: float = 10.0) -> DocumentIndex:
        """Raises DocumentsError for a file that is something else, or missing when it is not to be made."""
        index = cls(Path(path), timeout)
        index_tables.connect(index.path, create=create, timeout=timeout).close()
        return index

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own; every error in the block is one of ours."""
        db = index_tables.connect(self.path, create=False, timeout=self._timeout)
        with closing(db), index_tables.typed_errors(self.path):
            yield db

    def update(
        self, folder: str | Path, embed: Embedder | None, progress: Progress = lambda *_: None
    ) -> IndexReport:
        """Bring the index to what the folder holds now; without `embed` only words can be searched.

        Raises InputError for a folder that is missing or empty, and where an extra is not installed: nothing
        was changed then. Raises ModelUnavailable when the embedder fails: words are indexed by then, and the
        next update makes the vectors that are missing.
        """
        root = Path(folder)
        paths, skipped = documents(root)
        file_readers.needs_extra(paths)
        with self.reading() as db:
            work = _Work(db, self.path, self._folder(db, root), progress)
            report = work.texts(root, paths, skipped)
            embedded = work.vectors(embed) if embed else 0
            return replace(report, folder=str(root), chunks=work.chunks(), embedded=embedded)

    def documents(self) -> list[Document]:
        """What is indexed, in the order of citations."""
        sql = """SELECT label || '/' || documents.path, folders.path, bytes, count(chunks.id),
            count(vectors.chunk) FROM documents JOIN folders ON folders.id = folder
            LEFT JOIN chunks ON document = documents.id LEFT JOIN vectors ON chunk = chunks.id
            GROUP BY documents.id ORDER BY 1"""
        with self.reading() as db:
            return [Document(*row) for row in db.execute(sql)]

    def embedder(self) -> str | None:
        """The name of the embedder whose vectors are here; of several, the one with most of them."""
        sql = "SELECT embedder FROM vectors GROUP BY embedder ORDER BY count(*) DESC, embedder LIMIT 1"
        with self.reading() as db:
            row = db.execute(sql).fetchone()
        return row[0] if row else None

    def folder_id(self, folder: str | Path) -> int | None:
        """The number of a folder that is indexed."""
        with self.reading() as db:
            sql = "SELECT id FROM folders WHERE path = ?"
            row = db.execute(sql, [self._relative(Path(folder))]).fetchone()
        return row[0] if row else None

    def fingerprint(self, folder: int | None) -> str:
        """Changes when a document of the folder does, is added or goes."""
        sql = "SELECT path, hash FROM documents WHERE ? IS NULL OR folder = ? ORDER BY folder, path"
        with self.reading() as db:
            return sha256(repr(db.execute(sql, [folder, folder]).fetchall()).encode()).hexdigest()[:16]

    def _relative(self, folder: Path) -> str:
        try:
            return Path(os.path.relpath(folder.resolve(), self.path.parent.resolve())).as_posix()
        except ValueError:  # another drive
            return folder.resolve().as_posix()

    def _folder(self, db: sqlite3.Connection, root: Path) -> int:
        """Its number. Citations begin with its name, with more of its path where two share it."""
        path, parts = self._relative(root), root.resolve().parts[1:] or ("documents",)
        with index_tables.writing(db, self.path):
            row = db.execute("SELECT id FROM folders WHERE path = ?", [path]).fetchone()
            if row:
                return int(row[0])
            taken = {label for (label,) in db.execute("SELECT label FROM folders")}
            names = ["/".join(parts[-size:]) for size in range(1, len(parts) + 1)]
            label = next((name for name in names if name not in taken), path)
            made = db.execute("INSERT INTO folders (path, label) VALUES (?, ?)", [path, label])
            return int(made.lastrowid or 0)


@dataclass(frozen=True, slots=True)
class _Work:
    """Bringing one folder up to date, over one connection."""

    db: sqlite3.Connection
    path: Path
    folder: int
    progress: Progress

    def texts(self, root: Path, paths: Sequence[str], left_out: Sequence[Skipped]) -> IndexReport:
        known = dict(self.db.execute("SELECT path, hash FROM documents WHERE folder = ?", [self.folder]))
        added, changed, skipped, seen = list[str](), list[str](), list(left_out), set[str]()
        for done, path in enumerate(paths):
            self.progress("indexing", done, len(paths), path)
            try:
                data = _bytes(root / path)
                digest = sha256(CUT.encode() + b"\0" + data).hexdigest()
                if known.get(path) != digest:
                    self._put(path, digest, len(data), file_readers.chunks_of(path, data))
                    (changed if path in known else added).append(path)
                seen.add(path)
            except file_readers.Unreadable as error:
                skipped.append(Skipped(path, str(error)))
        self.progress("indexing", len(paths), len(paths), "")
        gone = sorted(set(known) - seen)
        with index_tables.writing(self.db, self.path):
            sql = "DELETE FROM documents WHERE folder = ? AND path = ?"
            self.db.executemany(sql, [(self.folder, path) for path in gone])
        same = len(seen) - len(added) - len(changed)
        skipped.sort(key=lambda each: each.path)
        return IndexReport("", tuple(added), tuple(changed), tuple(gone), same, tuple(skipped))

    def vectors(self, embed: Embedder) -> int:
        """Make those that are missing or another embedder's, a batch a transaction."""
        sql = """SELECT chunks.id, heading, text FROM chunks
            JOIN documents ON documents.id = document LEFT JOIN vectors ON chunk = chunks.id AND embedder = ?
            WHERE folder = ? AND vector IS NULL ORDER BY chunks.id"""
        rows = self.db.execute(sql, [embed.name, self.folder]).fetchall()
        for start in range(0, len(rows), _BATCH):
            self.progress("embedding", start, len(rows), "")
            batch = rows[start : start + _BATCH]
            vectors = embed([Chunk(text, heading, 0, 0).shown for _, heading, text in batch])
            made = [(embed.name, _blob(vector), row[0]) for row, vector in zip(batch, vectors, strict=True)]
            with index_tables.writing(self.db, self.path):  # a chunk may be gone by now
                put = "INSERT OR REPLACE INTO vectors SELECT id, ?, ? FROM chunks WHERE id = ?"
                self.db.executemany(put, made)
        if rows:
            self.progress("embedding", len(rows), len(rows), "")
        return len(rows)

    def chunks(self) -> int:
        sql = "SELECT count(*) FROM chunks JOIN documents ON documents.id = document WHERE folder = ?"
        return int(self.db.execute(sql, [self.folder]).fetchone()[0])

    def _put(self, path: str, digest: str, size: int, chunks: Sequence[Chunk]) -> None:
        document = "INSERT INTO documents (folder, path, hash, bytes) VALUES (?, ?, ?, ?)"
        chunk = "INSERT INTO chunks (document, heading, text, first, last) VALUES (?, ?, ?, ?, ?)"
        with index_tables.writing(self.db, self.path) as db:
            db.execute("DELETE FROM documents WHERE folder = ? AND path = ?", [self.folder, path])
            made = db.execute(document, [self.folder, path, digest, size]).lastrowid
            db.executemany(chunk, [(made, each.heading, each.text, each.first, each.last) for each in chunks])


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise file_readers.Unreadable(f"cannot be read: {error.strerror}") from error


def _blob(vector: object) -> bytes:
    import numpy as np

    return np.asarray(vector, dtype="<f4").tobytes()
