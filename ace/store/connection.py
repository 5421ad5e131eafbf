"""Opening the file, transactions, and the one boundary where SQLite's errors become ours.

Knows nothing about what the tables mean.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from json import JSONDecodeError
from pathlib import Path

from ace.errors import FormatError, NotAPlaybook, StoreBusy, StoreError, StoreUnwritable
from ace.store import schema

_ROOM = "Free some space and run the command again: everything acknowledged so far is kept."
_RIGHTS = "Check that its folder exists and that you may write to both, or give another --playbook."

_DISK = "Check its disk, quota and limit on file sizes: everything acknowledged so far is kept."

Kind = tuple[type[StoreError], str, str]
# SQLite's primary result code -> (error, what happened, what to do)
_ERRORS: dict[int, Kind] = {
    sqlite3.SQLITE_NOTADB: (NotAPlaybook, "is not a playbook file", "Give another path with --playbook."),
    sqlite3.SQLITE_CORRUPT: (NotAPlaybook, "is damaged", schema.DAMAGED),
    sqlite3.SQLITE_ERROR: (NotAPlaybook, "does not have the tables of a playbook", schema.DAMAGED),
    sqlite3.SQLITE_BUSY: (
        StoreBusy,
        "is locked by another process",
        "Try again when it is done: nothing was written.",
    ),
    sqlite3.SQLITE_FULL: (StoreUnwritable, "could not grow: the disk is full", _ROOM),
    sqlite3.SQLITE_READONLY: (StoreUnwritable, "is read-only", _RIGHTS),
    sqlite3.SQLITE_CANTOPEN: (StoreUnwritable, "cannot be opened", _RIGHTS),
    sqlite3.SQLITE_PERM: (StoreUnwritable, "cannot be opened", _RIGHTS),
    sqlite3.SQLITE_IOERR: (StoreUnwritable, "could not be read or written", _DISK),
    sqlite3.SQLITE_CONSTRAINT: (
        StoreError,
        "cannot take this row",
        "An episode id or a step number may be used once in a run, and no value may be missing.",
    ),
}
_OTHER = (StoreError, "failed", "A store serves the thread that opened it, until it is closed: open another.")


def as_ours(error: sqlite3.Error, path: Path, known: Mapping[int, Kind], other: Kind) -> StoreError:
    """An error of SQLite by its primary code, which is the low byte."""
    kind, what, hint = known.get(getattr(error, "sqlite_errorcode", -1) & 0xFF, other)
    return kind(f"{path} {what} ({error}).", hint=hint, path=str(path))


@contextmanager
def typed_errors(path: Path) -> Iterator[None]:
    """Every sqlite3 error leaves this block as one of ours."""
    try:
        yield
    except sqlite3.Error as error:
        if str(error).startswith("Could not decode"):  # what Python says of text that is not UTF-8
            raise schema.damaged(f"{path} holds a text that cannot be read ({error}).") from error
        raise as_ours(error, path, _ERRORS, _OTHER) from error
    except (FormatError, JSONDecodeError, UnicodeDecodeError) as error:  # of what a row holds
        raise schema.damaged(f"{path} holds a row that cannot be read ({error}).") from error


@contextmanager
def transaction(
    db: sqlite3.Connection,
    path: Path,
    *,
    write: bool,
    errors: Callable[[Path], AbstractContextManager[None]] = typed_errors,
) -> Iterator[sqlite3.Connection]:
    """All or nothing. A writer takes the lock at once, so what it reads cannot change before it commits.

    `errors` says what SQLite's become.
    """
    with errors(path):
        try:
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:  # false after COMMIT, and when SQLite itself rolled back
                db.execute("ROLLBACK")


def connect(path: Path, *, create: bool, read_only: bool, timeout: float) -> sqlite3.Connection:
    """Open the file, refuse what is not a playbook, and bring it to the latest schema."""
    if not path.exists() and (read_only or not create):
        raise StoreError(f"There is no playbook at {path}.", hint="`ace learn TASK` makes one.")
    with typed_errors(path):
        if read_only:
            return _open_for_reading(path, timeout)
        return _open_for_writing(path, timeout, create)


def _open_for_writing(path: Path, timeout: float, create: bool) -> sqlite3.Connection:
    db = _raw(path, "rwc" if create else "rw", timeout)
    try:
        if schema.schema_version(db, path) == 0 and not create:
            raise _empty(path)
        _use_wal(db, timeout)
        db.execute("PRAGMA synchronous = FULL")  # an acknowledged commit survives a power cut
        with transaction(db, path, write=True):
            schema.migrate(db, path)
        db.execute("PRAGMA foreign_keys = ON")  # not earlier: a migration may replace a table
    except BaseException:
        db.close()
        raise
    return db


def for_many_threads(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A second connection to a file that is open already. Whoever has it lets one thread use it at a time."""
    with typed_errors(path):
        db = _raw(path, "rw", timeout, check_same_thread=False)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db


def _use_wal(db: sqlite3.Connection, timeout: float) -> None:
    """In WAL mode readers never wait. SQLite itself does not wait its turn to switch a new file to it."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_for_reading(path: Path, timeout: float) -> sqlite3.Connection:
    """Where SQLite may not write the files it coordinates through, take the file at rest as it is."""
    try:
        return _readable(path, "ro", timeout)
    except sqlite3.OperationalError as error:
        busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        if busy or path.with_name(path.name + "-wal").exists():  # not at rest
            raise
        return _readable(path, "ro&immutable=1", timeout)


def _readable(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    db = _raw(path, mode, timeout)
    try:
        version = schema.schema_version(db, path)
        if version == 0:
            raise _empty(path)
        if version < schema.LATEST:
            return _as_if_migrated(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _as_if_migrated(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """A reader changes nothing, so a file of an older release is read from a copy in memory."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with closing(db):
        db.backup(copy)
    with transaction(copy, path, write=True):
        schema.migrate(copy, path)
    copy.execute("PRAGMA query_only = ON")
    return copy


@contextmanager
def at_rest(path: Path, timeout: float) -> Iterator[None]:
    """Fold what SQLite keeps beside the file into it, and let nobody in until the block ends.

    Raises StoreBusy while anybody has it open.
    """
    with closing(_raw(path, "rw", timeout)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "delete":  # somebody came in between the two
            raise StoreBusy(f"{path} is in use by another process.", path=str(path))
        yield


def _raw(path: Path, mode: str, timeout: float, *, check_same_thread: bool = True) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=check_same_thread
    )


def _empty(path: Path) -> NotAPlaybook:
    return NotAPlaybook(f"{path} is empty, not a playbook.", hint="Give another path with --playbook.")
