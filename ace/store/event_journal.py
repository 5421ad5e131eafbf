"""The journal of episodes of somebody else's agent: each event is in the file when it has been written.

It has a connection of its own, because such an agent works in many threads and a store belongs to one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ace.errors import StoreBusy, StoreUnwritable
from ace.runs.records import AnswerFeedback
from ace.store.connection import connect_shared, disconnect, do_again
from ace.store.episode_events import EpisodeRow, begin_run, write_row
from ace.store.store_database import Database, Place

_WAIT = 2.0  # seconds, for another process's write: an agent waits as long, and rows can wait in memory
_MOST = 10_000  # rows that wait in memory for a file that can be written again


class EpisodeJournal:
    """Write rows of episodes, in the order in which they come: from any thread, and even after `close`.

    `run` is the number of the run that episodes belong to: of kind "agent", begun with the first of them.
    Rows that the file could not take wait in memory: they are written with the next one.
    """

    def __init__(self, path: Place, task: str, config: Mapping[str, Any], *, waits: bool = True) -> None:
        """Name the file, and the task and the configuration (JSON) of the run that the episodes belong to.

        Without `waits` no row waits in memory: whoever gets the error writes it again, or not.
        """
        self._path = path
        self._task, self._config = task, config
        self.run: int | None = None
        self._waits = waits
        self._lock = threading.Lock()
        self._rows: list[EpisodeRow] = []
        self._db: Database | None = None
        self._closed = False

    def write(self, *rows: EpisodeRow) -> None:
        """Store rows durably before returning, in one transaction, and what waits before them.

        Raises StoreBusy or StoreUnwritable where the file cannot be written: then they wait, as many as have
        room in memory; the error says how many had none and are lost. Raises
        UnknownVersion for feedback on an episode that is not in the file; that does not wait.
        """
        with self._lock:
            batch = [*self._rows, *rows]
            try:
                if self._db is None:
                    self._db = connect_shared(self._path, timeout=_WAIT)
                self.run = do_again(partial(self._add, self._db, batch))
                self._rows = []
            except (StoreBusy, StoreUnwritable) as error:
                if not self._waits:
                    raise
                self._rows = batch[:_MOST]
                lost = len(batch) - len(self._rows)
                if lost:
                    raise StoreUnwritable(
                        f"{error.message} {_MOST} rows wait in memory, and {lost} more are lost.",
                        hint=error.hint,
                        **error.details,
                    ) from error
                raise
            finally:
                if self._closed:
                    disconnect(self._db, self._path)
                    self._db = None

    def _add(self, db: Database, rows: list[EpisodeRow]) -> int | None:
        """Write rows in one transaction, and return the number of the run that episodes belong to."""
        run = self.run
        with db.writing(self._path):
            for row in rows:
                if not isinstance(row, AnswerFeedback):
                    run = run or begin_run(db, "agent", self._task, self._config)
                    row = replace(row, run=run)
                write_row(db, row)
        return run

    def close(self) -> None:
        """Write what waits, and close the connection. A row that comes later opens it again for a moment.

        Raises as `write` does.
        """
        self._closed = True
        if self._rows:
            self.write()
        with self._lock:
            disconnect(self._db, self._path)
            self._db = None
