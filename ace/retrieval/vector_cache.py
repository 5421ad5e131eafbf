"""An embedder with a memory: vectors that the playbook file holds, and those computed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING

from ace.store import vector_rows
from ace.store.connection import connect, connect_shared
from ace.store.store_database import Place
from ace.store.vector_rows import hash_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Embedder, Vectors

_TIMEOUT = 30.0  # seconds, for another process to let go of the file


class VectorCache:
    """Wraps an embedder, for a file that is open already. Safe to use from several threads."""

    def __init__(self, path: Place, embedder: Embedder) -> None:
        """Name the playbook file, whose vectors of this embedder are read at first use."""
        self.name = embedder.name
        self._path, self._embedder, self._lock = path, embedder, Lock()
        self._vectors: dict[str, NDArray[np.float32]] | None = None  # by key; read at first use
        self._saved: set[str] = set()
        self._computed: set[str] = set()  # since `keep`

    @property
    def pending(self) -> bool:
        """Return True if anything was computed that `keep` has not looked at."""
        return bool(self._computed)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, dimensions). Raises ModelUnavailable as the embedder does."""
        import numpy as np

        keys = [hash_text(text) for text in texts]
        with self._lock:
            if self._vectors is None:
                db = connect(self._path, create=False, read_only=True, timeout=_TIMEOUT)
                with closing(db), db.reading(self._path):
                    rows = vector_rows.read(db, self.name)
                self._vectors = {key: np.frombuffer(vector, dtype="<f4") for key, vector in rows.items()}
                self._saved = set(self._vectors)
            vectors = self._vectors
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
            if missing:
                vectors.update(zip(missing, self._embedder(list(missing.values())), strict=True))
                self._computed.update(missing)
            return np.asarray([vectors[key] for key in keys], dtype=np.float32)

    def keep(self, texts: Iterable[str]) -> int:
        """Write the vectors of `texts` that were computed and are not in the file; return their number.

        Vectors of other texts, of questions and candidates, are forgotten: a run meets any number of them.
        Raises StoreBusy where another process holds the file for more than 30 seconds.
        """
        with self._lock:
            vectors = self._vectors or {}
            wanted = {hash_text(text) for text in texts}
            new = (wanted & vectors.keys()) - self._saved
            for key in self._computed - wanted:
                vectors.pop(key, None)
            self._computed.clear()
            if not new:
                return 0
            rows = [(key, vectors[key].astype("<f4").tobytes()) for key in sorted(new)]
            db = connect_shared(self._path, timeout=_TIMEOUT)
            with closing(db), db.writing(self._path):
                vector_rows.add(db, self.name, rows)
            self._saved |= new
            return len(new)
