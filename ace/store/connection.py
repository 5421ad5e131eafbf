"""Opening a playbook where it is, in a file or on a server, and what everything that has one open shares."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from ace.store.database import Database, Place
from ace.store.sqlite_connection import open_again, open_file


def connect(place: Place, *, create: bool, read_only: bool, timeout: float, shared: bool = False) -> Database:
    """Open a playbook and bring it to the latest schema. `timeout`: seconds to wait for another writer.

    With `shared` several threads may use it, one at a time.
    What is only read is never changed: a file of an older release is migrated in memory. Raises NotAPlaybook,
    NewerSchema, StoreBusy or StoreUnwritable; StoreError where there is none.
    """
    if isinstance(place, Path):
        return open_file(place, create=create, read_only=read_only, timeout=timeout, shared=shared)
    from ace.store.postgres.server_connection import open_server

    return open_server(place, create=create, read_only=read_only, timeout=timeout)


def connect_shared(place: Place, *, timeout: float) -> Database:
    """Open a second connection to an open playbook, for several threads: the caller lets in one at a time.

    It has the latest schema already. `timeout`: seconds to wait for another writer.
    """
    if isinstance(place, Path):
        return open_again(place, timeout=timeout)
    from ace.store.postgres.server_connection import open_server

    return open_server(place, create=False, read_only=False, timeout=timeout)


def disconnect(db: Database | None, place: Place) -> None:
    """Close a connection to a playbook, if there is one."""
    if db is not None:
        with db.typed_errors(place):
            db.close()


class OpenFile:
    """Hold a connection for the thread that opened it. Use as a context manager, or call `close()`.

    `path` is the file, or the address of the server. What a subclass does goes through `_reading` and
    `_writing`, a transaction each.
    """

    def __init__(self, db: Database, path: Place) -> None:
        self.path = path
        self._db = db

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        disconnect(self._db, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reading(self) -> AbstractContextManager[Database]:
        """Begin a transaction that sees one moment of the playbook, whatever others write meanwhile."""
        return self._db.reading(self.path)

    def _writing(self) -> AbstractContextManager[Database]:
        """Begin a transaction that writes all or nothing.

        Raises StoreBusy where another process holds the write lock for longer than the time-out, and
        StoreUnwritable where something that is not ours would take part.
        """
        return self._db.writing(self.path)

    def _drop_cache(self) -> None:
        """Forget what is in memory, because even past versions were rewritten in the file."""
