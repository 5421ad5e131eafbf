"""An open playbook file: its connection, and transactions on it. Knows nothing about tables."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from ace.store.connection import transaction, typed_errors


class OpenFile:
    """Hold a connection for the thread that opened it. Use as a context manager, or call `close()`."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = db

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        with typed_errors(self.path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db, self.path, write=False)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db, self.path, write=True)

    def _drop_cache(self) -> None:
        """Forget what is in memory, because even past versions were rewritten in the file."""
