"""A folder of documents in an SQLite file, kept up to date: texts first, then their vectors, file by file.

A file is read again when its bytes have changed, and forgotten when it is deleted. The report names each file
that cannot be indexed, with the reason. Every file is a transaction, so finished work is never lost. Knows
nothing about ranking.
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
from ace.retrieval.documents.document_folder import SkippedFile, list_documents
from ace.store.store_database import require_file
from ace.text.plain_file import find_obstacle

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

Progress = Callable[[str, int, int, str], None]  # (phase, done, total, note)
CUT = f"3 {MOST}"  # how documents are cut; another value has them all read again
_BATCH = 64  # texts an embedder is given at once


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Hold the outcome of an update."""

    folder: str
    """The path of the folder of documents."""

    added: tuple[str, ...] = ()
    """New documents, as paths below the folder."""

    changed: tuple[str, ...] = ()
    """Documents that were read again, as paths below the folder."""

    removed: tuple[str, ...] = ()
    """Documents that are no longer there, as paths below the folder."""

    unchanged: int = 0
    """How many documents were in the index already, as they are."""

    skipped: tuple[SkippedFile, ...] = ()
    """What is in the folder and not in the index, by path."""

    chunks: int = 0
    """How many chunks the folder has in the index now."""

    embedded: int = 0
    """How many vectors this update computed."""

    @property
    def documents(self) -> int:
        """Return the number of documents in the index."""
        return len(self.added) + len(self.changed) + self.unchanged


@dataclass(frozen=True, slots=True)
class Document:
    """Describe a file that is in the index."""

    path: str
    """As citations have it: it begins with the label of its folder."""

    folder: str
    """The path of its folder, from that of the index file."""

    bytes: int
    chunks: int

    vectors: int
    """How many of its chunks have one."""


class DocumentIndex:
    """The index file. It is opened for each piece of work and closed after it, so any thread may use it.

    Methods raise DocumentsError for a file that is damaged or gone, StoreBusy where another process holds it
    for longer than the timeout, and StoreUnwritable where it cannot be written.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        """Name the file, which must be there: `open` makes sure of it."""
        self.path = path
        self._timeout = timeout

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, timeout: float = 10.0) -> DocumentIndex:
        """Open an index; `timeout` is in seconds, for another process to let go of the file.

        Raises DocumentsError for a file that is something else, or missing when it is not to be made.
        """
        index = cls(require_file(path, "An index of documents"), timeout)
        index_tables.connect(index.path, create=create, timeout=timeout).close()
        return index

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for a block of work; every error in the block is one of ours.

        It is closed when the block ends. Transactions are the caller's.
        """
        db = index_tables.connect(self.path, create=False, timeout=self._timeout)
        with closing(db), index_tables.typed_errors(self.path):
            yield db

    def update(
        self, folder: str | Path, embed: Embedder | None, progress: Progress = lambda *_: None
    ) -> IndexReport:
        """Bring the index up to date with the folder; without `embed` only words can be searched.

        Raises InputError for a folder that is missing or empty, and where an extra is not installed; nothing
        was changed then. Raises ModelUnavailable when the embedder fails: words are indexed by then, and the
        next update makes the vectors that are missing.
        """
        root = Path(folder)
        paths, skipped = list_documents(root)
        file_readers.require_extras(paths)
        with self.connect() as db:
            update = _FolderUpdate(db, self.path, self._register_folder(db, root), progress)
            report = update.index_texts(root, paths, skipped)
            embedded = update.embed_chunks(embed) if embed else 0
            sql = "SELECT count(*) FROM chunks JOIN documents ON documents.id = document WHERE folder = ?"
            (chunks,) = db.execute(sql, [update.folder]).fetchone()
            return replace(report, chunks=chunks, embedded=embedded)

    def documents(self) -> list[Document]:
        """List the documents of all folders in the index, in the order of citations."""
        sql = """SELECT label || '/' || documents.path, folders.path, bytes, count(chunks.id),
            count(vectors.chunk) FROM documents JOIN folders ON folders.id = folder
            LEFT JOIN chunks ON document = documents.id LEFT JOIN vectors ON chunk = chunks.id
            GROUP BY documents.id ORDER BY 1"""
        with self.connect() as db:
            return [Document(*row) for row in db.execute(sql)]

    def embedder(self) -> str | None:
        """Return the name of the embedder whose vectors are here; of several, the one with most of them."""
        sql = "SELECT embedder FROM vectors GROUP BY embedder ORDER BY count(*) DESC, embedder LIMIT 1"
        with self.connect() as db:
            (name,) = db.execute(sql).fetchone() or (None,)
        return name

    def folder_id(self, folder: str | Path) -> int | None:
        """Return the number of a folder that is indexed; None for any other."""
        sql = "SELECT id FROM folders WHERE path = ?"
        with self.connect() as db:
            (number,) = db.execute(sql, [self._make_relative(Path(folder))]).fetchone() or (None,)
        return number

    def fingerprint(self, folder: int | None) -> str:
        """Return a hash that changes when a document of the folder does, is added or is deleted.

        `folder` is its number; None stands for all folders. The hash has 16 hex digits.
        """
        sql = "SELECT path, hash FROM documents WHERE ? IS NULL OR folder = ? ORDER BY folder, path"
        with self.connect() as db:
            rows = db.execute(sql, [folder, folder]).fetchall()
        return sha256(repr(rows).encode()).hexdigest()[:16]

    def _make_relative(self, folder: Path) -> str:
        """Return the path of a folder from that of the index file, so that both can be moved together."""
        try:
            return Path(os.path.relpath(folder.resolve(), self.path.parent.resolve())).as_posix()
        except ValueError:  # another drive
            return folder.resolve().as_posix()

    def _register_folder(self, db: sqlite3.Connection, root: Path) -> int:
        """Return the number of a folder, which is added if it is new.

        Citations begin with its name, with more of its path where two folders share a name.
        """
        path = self._make_relative(root)
        parts = root.resolve().parts[1:] or ("documents",)
        with index_tables.writing(db, self.path):
            row = db.execute("SELECT id FROM folders WHERE path = ?", [path]).fetchone()
            if row:
                return int(row[0])
            labels = {label for (label,) in db.execute("SELECT label FROM folders")}
            names = ["/".join(parts[-size:]) for size in range(1, len(parts) + 1)]
            label = next((name for name in names if name not in labels), path)
            cursor = db.execute("INSERT INTO folders (path, label) VALUES (?, ?)", [path, label])
            return int(cursor.lastrowid or 0)


@dataclass(frozen=True, slots=True)
class _FolderUpdate:
    """Brings one folder up to date, over one connection."""

    db: sqlite3.Connection

    path: Path
    """The index file, for messages."""

    folder: int
    """Its number in the index."""

    progress: Progress
    """Whom to tell of progress."""

    def index_texts(self, root: Path, paths: Sequence[str], left_out: Sequence[SkippedFile]) -> IndexReport:
        """Read the files that are new or changed, and forget those that were deleted or became unreadable."""
        rows = self.db.execute("SELECT path, hash FROM documents WHERE folder = ?", [self.folder])
        digests: dict[str, str] = dict(rows)
        readable: set[str] = set()
        added: list[str] = []
        changed: list[str] = []
        skipped = list(left_out)
        for place, path in enumerate(paths):
            self.progress("indexing", place, len(paths), path)
            try:
                differs = self._index_file(root, path, digests.get(path))
            except file_readers.Unreadable as error:
                skipped.append(SkippedFile(path, str(error)))
                continue
            readable.add(path)
            if differs and path in digests:
                changed.append(path)
            elif differs:
                added.append(path)
        self.progress("indexing", len(paths), len(paths), "")
        removed = sorted(set(digests) - readable)
        with index_tables.writing(self.db, self.path):
            sql = "DELETE FROM documents WHERE folder = ? AND path = ?"
            self.db.executemany(sql, [(self.folder, path) for path in removed])
        return IndexReport(
            str(root),
            added=tuple(added),
            changed=tuple(changed),
            removed=tuple(removed),
            unchanged=len(readable) - len(added) - len(changed),
            skipped=tuple(sorted(skipped, key=lambda file: file.path)),
        )

    def embed_chunks(self, embed: Embedder) -> int:
        """Make vectors that are missing or another embedder's, a batch a transaction; return their number."""
        import numpy as np

        sql = """SELECT chunks.id, heading, text FROM chunks
            JOIN documents ON documents.id = document LEFT JOIN vectors ON chunk = chunks.id AND embedder = ?
            WHERE folder = ? AND vector IS NULL ORDER BY chunks.id"""
        insert = "INSERT OR REPLACE INTO vectors SELECT id, ?, ? FROM chunks WHERE id = ?"
        rows = self.db.execute(sql, [embed.name, self.folder]).fetchall()
        for start in range(0, len(rows), _BATCH):
            self.progress("embedding", start, len(rows), "")
            batch = rows[start : start + _BATCH]
            vectors = embed([Chunk(text, heading, 0, 0).full_text for _, heading, text in batch])
            values = []
            for (chunk, *_), vector in zip(batch, vectors, strict=True):
                values.append((embed.name, np.asarray(vector, dtype="<f4").tobytes(), chunk))
            with index_tables.writing(self.db, self.path):
                self.db.executemany(insert, values)  # nothing for a chunk that was deleted in the meantime
        if rows:
            self.progress("embedding", len(rows), len(rows), "")
        return len(rows)

    def _index_file(self, root: Path, path: str, digest: str | None) -> bool:
        """Index a file unless its hash is `digest`; return whether it was. Raises Unreadable."""
        obstacle = find_obstacle(root / path)  # it may have changed since the folder was listed
        if obstacle:
            raise file_readers.Unreadable(f"cannot be read: {obstacle}")
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            raise file_readers.Unreadable(f"cannot be read: {error.strerror}") from error
        new_digest = sha256(CUT.encode() + b"\0" + data).hexdigest()
        if new_digest == digest:
            return False
        chunks = file_readers.read_chunks(path, data)
        document = "INSERT INTO documents (folder, path, hash, bytes) VALUES (?, ?, ?, ?)"
        chunk_sql = """INSERT INTO chunks (document, heading, text, first, last, terms)
            VALUES (?, ?, ?, ?, ?, ?)"""
        with index_tables.writing(self.db, self.path) as db:
            db.execute("DELETE FROM documents WHERE folder = ? AND path = ?", [self.folder, path])
            key = db.execute(document, [self.folder, path, new_digest, len(data)]).lastrowid
            rows = [
                (key, chunk.heading, chunk.text, chunk.first, chunk.last, chunk.terms) for chunk in chunks
            ]
            db.executemany(chunk_sql, rows)
        return True
