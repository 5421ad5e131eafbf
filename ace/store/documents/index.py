"""A folder of documents in an SQLite file, kept up to date: texts first, then their vectors, file by file.

A file is read again when its bytes have changed, and forgotten when it is gone. What cannot be indexed is in
the report with the reason. Every file is a transaction, so whatever stops the work loses none of what is
done. Knows nothing about ranking.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from ace.store.documents import reading, tables
from ace.store.documents.chunks import MOST, Chunk
from ace.store.documents.folder import Skipped, documents

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

Progress = Callable[[str, int, int, str], None]  # (phase, done, total, note)
CUT = f"1 {MOST}"  # how documents are cut; another value has them all read again
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
    """The file. Any thread may use it; close it, or use `with`."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._lock = RLock()

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, timeout: float = 10.0) -> DocumentIndex:
        """Raises DocumentsError for a file that is something else, or missing when it is not to be made."""
        return cls(Path(path), tables.connect(Path(path), create=create, timeout=timeout))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> DocumentIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(
        self, folder: str | Path, embed: Embedder | None, progress: Progress = lambda *_: None
    ) -> IndexReport:
        """Bring the index to what the folder holds now; without `embed` only words can be searched.

        Raises InputError for a folder that is missing or holds no file, and where an extra is not installed:
        nothing was changed then. Raises ModelUnavailable when the embedder fails: words are indexed by then,
        and the next update makes the vectors that are missing.
        """
        root = Path(folder)
        paths, skipped = documents(root)
        reading.needs_extra(paths)
        number = self._folder(root)
        report = self._texts(root, number, paths, skipped, progress)
        embedded = self._vectors(number, embed, progress) if embed else 0
        count = "SELECT count(*) FROM chunks JOIN documents ON documents.id = document WHERE folder = ?"
        with self.reading() as db:
            return replace(report, chunks=db.execute(count, [number]).fetchone()[0], embedded=embedded)

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

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time."""
        with self._lock, tables.typed_errors(self.path):
            yield self._db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, tables.writing(self._db, self.path):
            yield self._db

    # Inside

    def _relative(self, folder: Path) -> str:
        try:
            return Path(os.path.relpath(folder.resolve(), self.path.parent.resolve())).as_posix()
        except ValueError:  # another drive
            return folder.resolve().as_posix()

    def _folder(self, root: Path) -> int:
        """Its number. Citations begin with its name, with more of its path where two share it."""
        path, parts = self._relative(root), root.resolve().parts[1:] or ("documents",)
        with self._writing() as db:
            row = db.execute("SELECT id FROM folders WHERE path = ?", [path]).fetchone()
            if row:
                return int(row[0])
            taken = {label for (label,) in db.execute("SELECT label FROM folders")}
            names = ["/".join(parts[-size:]) for size in range(1, len(parts) + 1)]
            label = next((name for name in names if name not in taken), path)
            return int(
                db.execute("INSERT INTO folders (path, label) VALUES (?, ?)", [path, label]).lastrowid or 0
            )

    def _texts(
        self, root: Path, folder: int, paths: Sequence[str], left_out: Sequence[Skipped], progress: Progress
    ) -> IndexReport:
        with self.reading() as db:
            known = dict(db.execute("SELECT path, hash FROM documents WHERE folder = ?", [folder]))
        added, changed, skipped, seen = list[str](), list[str](), list(left_out), set[str]()
        for done, path in enumerate(paths):
            progress("indexing", done, len(paths), path)
            try:
                data = _bytes(root / path)
                digest = sha256(CUT.encode() + b"\0" + data).hexdigest()
                if known.get(path) != digest:
                    self._put(folder, path, digest, len(data), reading.chunks_of(path, data))
                    (changed if path in known else added).append(path)
                seen.add(path)
            except reading.Unreadable as error:
                skipped.append(Skipped(path, str(error)))
        progress("indexing", len(paths), len(paths), "")
        gone = sorted(set(known) - seen)
        with self._writing() as db:
            db.executemany(
                "DELETE FROM documents WHERE folder = ? AND path = ?", [(folder, path) for path in gone]
            )
        same = len(seen) - len(added) - len(changed)
        skipped.sort(key=lambda each: each.path)
        return IndexReport(str(root), tuple(added), tuple(changed), tuple(gone), same, tuple(skipped))

    def _put(self, folder: int, path: str, digest: str, size: int, chunks: Sequence[Chunk]) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM documents WHERE folder = ? AND path = ?", [folder, path])
            made = db.execute(
                "INSERT INTO documents (folder, path, hash, bytes) VALUES (?, ?, ?, ?)",
                [folder, path, digest, size],
            )
            rows = [(made.lastrowid, chunk.heading, chunk.text, chunk.first, chunk.last) for chunk in chunks]
            db.executemany(
                "INSERT INTO chunks (document, heading, text, first, last) VALUES (?, ?, ?, ?, ?)", rows
            )

    def _vectors(self, folder: int, embed: Embedder, progress: Progress) -> int:
        """Make those that are missing or another embedder's, a batch a transaction."""
        sql = """SELECT chunks.id, heading, text FROM chunks
            JOIN documents ON documents.id = document LEFT JOIN vectors ON chunk = chunks.id AND embedder = ?
            WHERE folder = ? AND vector IS NULL ORDER BY chunks.id"""
        with self.reading() as db:
            rows = db.execute(sql, [embed.name, folder]).fetchall()
        for start in range(0, len(rows), _BATCH):
            progress("embedding", start, len(rows), "")
            batch = rows[start : start + _BATCH]
            vectors = embed([Chunk(text, heading, 0, 0).shown for _, heading, text in batch])
            made = [(embed.name, _blob(vector), row[0]) for row, vector in zip(batch, vectors, strict=True)]
            with self._writing() as db:  # a chunk may be gone by now
                db.executemany(
                    "INSERT OR REPLACE INTO vectors SELECT id, ?, ? FROM chunks WHERE id = ?", made
                )
        if rows:
            progress("embedding", len(rows), len(rows), "")
        return len(rows)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise reading.Unreadable(f"cannot be read: {error.strerror}") from error


def _blob(vector: object) -> bytes:
    import numpy as np

    return np.asarray(vector, dtype="<f4").tobytes()
