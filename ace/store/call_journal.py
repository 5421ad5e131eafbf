"""The journal of model calls, each written when it ends, so that a run that dies pays for none twice.

It has a connection of its own, because calls end in many threads and a store belongs to one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ace.store import call_rows
from ace.store.connection import connect_shared, disconnect, do_again
from ace.store.database import Database, Place

if TYPE_CHECKING:
    from ace.llm.client import Reply
    from ace.llm.journal import Call, Key

_WAIT = 60.0  # seconds: a reply that was paid for is worth waiting for another process's write


class CallJournal:
    """Write the calls of one run, and find the replies to calls of steps that were cut off: `paid`.

    May be used from any thread. `Store.call_journal` makes one.
    """

    def __init__(self, path: Place, run: int, paid: Mapping[Key, Reply]) -> None:
        self._path = path
        self._run = run
        self._paid = paid
        self._lock = threading.Lock()
        self._waiting: deque[Call] = deque()
        self._db: Database | None = None
        self._closed = False

    def find(self, key: Key) -> Reply | None:
        """Return the reply to a call of a step that was cut off, or None. Its `parsed` is not set."""
        return self._paid.get(key)

    def write(self, call: Call) -> None:
        """Store a call durably before returning, even after `close`.

        Calls that end while another is being written are written together, so that they wait for a slow disk
        only once. Raises StoreBusy after a minute, StoreUnwritable where the file cannot grow.
        """
        self._waiting.append(call)
        with self._lock:
            together = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not together:  # another thread has written it by now
                return
            try:
                if self._db is None:
                    self._db = connect_shared(self._path, timeout=_WAIT)
                do_again(partial(self._add, self._db, together))
            except BaseException:
                self._waiting.extendleft(reversed(together))  # their own threads raise on their turn
                raise
            finally:
                if self._closed:
                    disconnect(self._db, self._path)
                    self._db = None

    def _add(self, db: Database, calls: list[Call]) -> None:
        """Write calls in one transaction."""
        with db.writing(self._path):
            call_rows.add_calls(db, self._run, calls)

    def close(self) -> None:
        """Close the connection. A call that ends later opens it again for a moment."""
        with self._lock:
            self._closed = True
            disconnect(self._db, self._path)
            self._db = None
