"""The journal of model calls: written as they end, so that a run that dies pays for none twice.

It has a connection of its own, because calls end in many threads and a store belongs to one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ace.store import call_rows
from ace.store.connection import for_many_threads, transaction, typed_errors

if TYPE_CHECKING:
    from ace.llm.client import Reply
    from ace.llm.journal import Call, Key

_WAIT = 60.0  # seconds: a reply that was paid for is worth waiting for another process's write


class CallJournal:
    """The calls of one run: those of steps that were cut off can be found, new ones are written."""

    def __init__(self, path: Path, run: int, paid: Mapping[Key, Reply]) -> None:
        self._path, self._run, self._paid = path, run, paid
        self._lock = threading.Lock()
        self._waiting: deque[Call] = deque()
        self._db: sqlite3.Connection | None = None
        self._closed = False

    @classmethod
    def open(cls, db: sqlite3.Connection, path: Path, run: int) -> CallJournal:
        """`db`: a connection inside a transaction, to read what is there."""
        return cls(path, run, call_rows.replies_cut_off(db, run))

    def find(self, key: Key) -> Reply | None:
        return self._paid.get(key)

    def write(self, call: Call) -> None:
        """Durable when this returns. A call that ends after `close` is still kept.

        Calls that end while another is being written are written together: a slow disk is waited for once.
        """
        self._waiting.append(call)
        with self._lock:
            together = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not together:  # somebody else has written it by now
                return
            try:
                self._commit(together)
            except BaseException:
                self._waiting.extendleft(reversed(together))  # for the others, who are told on their turn
                raise

    def _commit(self, together: Sequence[Call]) -> None:
        db = self._db = self._db or for_many_threads(self._path, timeout=_WAIT)
        try:
            with transaction(db, self._path, write=True):
                for call in together:
                    call_rows.add(db, self._run, call)
        finally:
            if self._closed:
                self._disconnect()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            with typed_errors(self._path):
                self._db.close()
            self._db = None
