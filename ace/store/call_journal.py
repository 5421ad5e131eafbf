"""The journal of model calls, each written when it ends, so that a run that dies pays for none twice.

It has a connection of its own, because calls end in many threads and a store belongs to one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ace.store import call_rows
from ace.store.connection import connect_shared, disconnect, do_again
from ace.store.store_database import Database, Place

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
        self._lock = threading.Lock()  # for what waits; never held while the file is written
        self._file = threading.Lock()  # for the connection
        self._waiting: dict[threading.Event, Call] = {}  # by the turns of their threads, in order
        self._unwritten: list[Call] = []
        self._db: Database | None = None
        self._closed = False

    def find(self, key: Key) -> Reply | None:
        """Return the reply to a call of a step that was cut off, or None. Its `parsed` is not set."""
        return self._paid.get(key)

    def write(self, call: Call) -> None:
        """Store a call durably before returning, even after `close`.

        Calls that end while others are being written are written together, by one of their threads, so that
        they wait for a slow disk only once; the others sleep until then, each by itself, since threads that
        wait for one lock wake one after the other. What could not be written is written with the next call.
        Raises StoreBusy after a minute, StoreUnwritable where the file cannot grow.
        """
        turn = threading.Event()
        with self._lock:
            self._waiting[turn] = call
            if len(self._waiting) == 1:
                turn.set()
        written: list[threading.Event] = []
        try:
            turn.wait()
            with self._lock:
                together = dict(self._waiting)
            if turn not in together:  # another thread has written it by now
                return
            with self._file:
                if self._db is None:
                    self._db = connect_shared(self._path, timeout=_WAIT)
                do_again(partial(self._add, self._db, [*self._unwritten, *together.values()]))
                written += together
                self._unwritten.clear()
        finally:
            with self._lock:
                if turn in self._waiting and turn not in written:
                    self._unwritten.append(self._waiting.pop(turn))
                for turn_of_call in written:
                    del self._waiting[turn_of_call]
                    turn_of_call.set()
                first = next(iter(self._waiting), None)
                if first is not None:  # it writes what is left, or raises in its own thread
                    first.set()
            if self._closed:
                self.close()

    def _add(self, db: Database, calls: list[Call]) -> None:
        """Write calls in one transaction."""
        with db.writing(self._path):
            call_rows.add_calls(db, self._run, calls)

    def close(self) -> None:
        """Close the connection. A call that ends later opens it again for a moment."""
        with self._file:
            self._closed = True
            disconnect(self._db, self._path)
            self._db = None
