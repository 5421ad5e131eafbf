"""An embedder that remembers: what the playbook file has, and what was computed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ace.store import vector_rows
from ace.store.connection import connect, for_many_threads, transaction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Embedder, Vectors

_TIMEOUT = 30.0  # seconds, for another process to let go of the file


class KnownVectors:
    """Around an embedder, for a file that is open already. Safe to use from several threads."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._path, self._embedder, self._lock = path, embedder, Lock()
        self._known: dict[str, NDArray[np.float32]] | None = None
        self._saved: set[str] = set()
        self._made: set[str] = set()  # computed since `keep`

    @property
    def pending(self) -> bool:
        """Whether anything was computed that `keep` has not looked at."""
        return bool(self._made)

    @property
    def name(self) -> str:
        return self._embedder.name

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimensions). Raises ModelUnavailable as the embedder does."""
        import numpy as np

        keys = [_key(text) for text in texts]
        with self._lock:
            known = self._loaded()
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            if missing:
                known.update(zip(missing, self._embedder(list(missing.values())), strict=True))
                self._made.update(missing)
            return np.asarray([known[key] for key in keys], dtype=np.float32)

    def keep(self, texts: Iterable[str]) -> int:
        """Write those of `texts` that were computed and are not in the file; how many those were.

        What else was computed, of questions and candidates, is forgotten: a run meets any number of them.
        """
        with self._lock:
            known, wanted = self._known or {}, {_key(text) for text in texts}
            new = (wanted & known.keys()) - self._saved
            for key in self._made - wanted:
                known.pop(key, None)
            self._made.clear()
            if not new:
                return 0
            rows = [(key, known[key].astype("<f4").tobytes()) for key in sorted(new)]
            db = for_many_threads(self._path, timeout=_TIMEOUT)
            with closing(db), transaction(db, self._path, write=True):
                vector_rows.add(db, self.name, rows)
            self._saved |= new
            return len(new)

    def _loaded(self) -> dict[str, NDArray[np.float32]]:
        if self._known is None:
            self._known = self._read()
            self._saved = set(self._known)
        return self._known

    def _read(self) -> dict[str, NDArray[np.float32]]:
        import numpy as np

        db = connect(self._path, create=False, read_only=True, timeout=_TIMEOUT)
        with closing(db), transaction(db, self._path, write=False):
            found = vector_rows.of_embedder(db, self.name)
        return {key: np.frombuffer(vector, dtype="<f4") for key, vector in found.items()}


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
