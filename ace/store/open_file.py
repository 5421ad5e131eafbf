"""An open file: its connection, and transactions on it. Knows nothing about tables."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from ace.store.connection import transaction, typed_errors


class Opened:
    """Belongs to the thread that opened it. Use as a context manager, or call `close()`."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = db

    def close(self) -> None:
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

    def _look_again(self) -> None:
        """What is in memory may be out of date, even what never changes otherwise."""
