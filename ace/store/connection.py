"""Opening a playbook where it is, in a file or on a server, and what everything that has one open shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import isfunction
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from weakref import finalize

from ace.errors import StoreUnreachable
from ace.store.sqlite_connection import open_again, open_file
from ace.store.store_database import Database, Place

Result = TypeVar("Result")
Reader = TypeVar("Reader", bound="OpenFile")
_TRIES = 20  # so often a transaction is begun again whose connection was lost
_MOST_IDLE = 8  # connections to a server that a pool keeps


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


def do_again(work: Callable[[], Result]) -> Result:
    """Do some work that is one transaction; again where its connection was lost before it was kept.

    Raises StoreUnreachable where the connection stays lost, or is lost again and again.
    """
    left = _TRIES
    while True:
        try:
            return work()
        except StoreUnreachable as error:
            left -= 1
            if not error.details.get("again"):
                raise
            if not left:
                error.details["again"] = False  # whoever called this does not begin anew either
                raise


class OpenFile:
    """Hold a connection for the thread that opened it. Use as a context manager, or call `close()`.

    `path` is the file, or the address of the server. What a subclass does goes through `_reading` and
    `_writing`, a transaction each. Every public method is one, or can be called again when it was cut off; so
    one whose connection to a server is lost is called again.
    """

    def __init_subclass__(cls) -> None:
        """Have each public method of the class called again where its connection is lost."""
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if isfunction(method) and not name.startswith("_"):
                setattr(cls, name, _call_again(method))

    def __init__(self, db: Database, path: Place) -> None:
        self.path = path
        self._db = db
        self._losses = db.losses

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        disconnect(self._db, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        """Begin a transaction that sees one moment of the playbook, whatever others write meanwhile."""
        with self._db.reading(self.path) as db:
            if db.losses != self._losses:
                self._look_again(db)
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        """Begin a transaction that writes all or nothing.

        Raises StoreBusy where another process holds the write lock for longer than the time-out, and
        StoreUnwritable where something that is not ours would take part.
        """
        with self._db.writing(self.path) as db:
            if db.losses != self._losses:
                self._look_again(db)
            yield db

    def _look_again(self, db: Database) -> None:
        """Take note that the connection was lost, and with it, perhaps, what was seen and never kept."""
        self._losses = db.losses

    def _drop_cache(self) -> None:
        """Forget what is in memory, because even past versions were rewritten in the file."""


class ReaderPool(Generic[Reader]):
    """Lend open playbooks that are only read, each to one thread at a time.

    Those on a server are kept for whoever comes next, because connecting takes longer than most of what is
    read; they are closed with the pool. A file is opened anew each time: another may have taken its place.
    """

    def __init__(self, place: Place, open_reader: Callable[[], Reader]) -> None:
        """Begin without connections. `open_reader` makes one to the playbook at `place`."""
        self._keeps = not isinstance(place, Path)
        self._open_reader = open_reader
        self._idle: list[Reader] = []
        finalize(self, _close_all, self._idle)

    @contextmanager
    def lend(self) -> Iterator[Reader]:
        """Lend one for a block. After an error it is closed. Raises as `open_reader` does."""
        try:
            reader = self._idle.pop()  # one step, whichever threads do so
        except IndexError:
            reader = self._open_reader()
        is_sound = False
        try:
            yield reader
            is_sound = True
        finally:
            if is_sound and self._keeps and len(self._idle) < _MOST_IDLE:
                self._idle.append(reader)
            else:
                reader.close()


def _close_all(readers: Sequence[OpenFile]) -> None:
    """Close what a pool has kept."""
    for reader in readers:
        reader.close()


def _call_again(method: Callable[..., Result]) -> Callable[..., Result]:
    """Return a method that is called again where its connection is lost."""

    @wraps(method)
    def call(*values: Any, **named: Any) -> Result:
        return do_again(lambda: method(*values, **named))

    return call
