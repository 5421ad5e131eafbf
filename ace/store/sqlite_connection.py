"""Playbook files: opening one, transactions, and the one boundary where SQLite's errors become ours.

Implements `ace.store.store_database.Database`. Knows nothing about what the tables mean.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from ace.errors import FormatError, NotAPlaybook, StoreBusy, StoreError
from ace.store import file_lead, schema
from ace.store.file_lead import FileLead
from ace.store.integrity import foreign, seals
from ace.store.lead_signs import Pulse, SilenceCounter
from ace.store.sqlite_errors import ErrorKind, convert_error, list_machine_errors
from ace.store.sqlite_text import read_column
from ace.text.plain_file import find_obstacle

_ASK = 0.002  # seconds: a writer that waits for its turn asks at least so often
_LOOK = 0.05  # seconds between looks for a commit of somebody else
_OTHER_PATH = "Give another path with --playbook."

_ERRORS: dict[int, ErrorKind] = {
    **list_machine_errors("--playbook"),
    sqlite3.SQLITE_NOTADB: (NotAPlaybook, "is not a playbook file", _OTHER_PATH),
    sqlite3.SQLITE_CORRUPT: (NotAPlaybook, "is damaged", schema.DAMAGED),
    sqlite3.SQLITE_ERROR: (NotAPlaybook, "does not have the tables of a playbook", schema.DAMAGED),
    sqlite3.SQLITE_CONSTRAINT: (
        StoreError,
        "cannot take this row",
        "An episode id or a step number may be used once in a run, and no value may be missing.",
    ),
}
_OTHER = (StoreError, "failed", "A store serves the thread that opened it, until it is closed: open another.")


@contextmanager
def typed_errors(path: Path) -> Iterator[None]:
    """Convert every sqlite3 error that leaves the block to one of ours, which names the file at `path`.

    JSON and text in a column that cannot be read is damage, too: NotAPlaybook.
    """
    try:
        yield
    except sqlite3.Error as error:
        # sqlite3 gives text that is not UTF-8 no code of its own.
        if str(error).startswith("Could not decode"):
            raise schema.damage_error(f"{path} holds a text that cannot be read ({error}).") from error
        raise convert_error(error, path, _ERRORS, _OTHER) from error
    except (FormatError, JSONDecodeError, UnicodeDecodeError) as error:  # in the value of a column
        raise schema.damage_error(f"{path} holds a row that cannot be read ({error}).") from error


@contextmanager
def transaction(
    db: sqlite3.Connection,
    path: Path,
    *,
    write: bool,
    errors: Callable[[Path], AbstractContextManager[None]] = typed_errors,
) -> Iterator[sqlite3.Connection]:
    """Run the block as one transaction, which an error rolls back.

    A writer takes the lock at once, so that what it reads cannot change before it commits. `errors` converts
    SQLite's errors.
    """
    with errors(path):
        try:
            if write:
                _begin_to_write(db)
            else:
                db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:  # false after COMMIT, and when SQLite itself rolled back
                db.execute("ROLLBACK")


def _begin_to_write(db: sqlite3.Connection) -> None:
    """Take the write lock, for which SQLite's time-out says how long to wait.

    SQLite itself asks at ever longer intervals, so that who came last goes first, and writers in a loop keep
    all others out for seconds. Here all ask often, at random.
    """
    (milliseconds,) = db.execute("PRAGMA busy_timeout").fetchone()
    began = time.monotonic()
    db.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - began
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited * 1000 > milliseconds:
                    raise
            shortest = _ASK / 4 if waited < 1 else _ASK  # a second is more than a commit takes: an import
            time.sleep(random.uniform(shortest, 4 * shortest))  # noqa: S311 (no secret)
    finally:
        db.execute(f"PRAGMA busy_timeout = {milliseconds}")


class PlaybookConnection(sqlite3.Connection):
    """Keep a playbook in a file. It remembers what was seen of the file at the last write."""

    losses = 0  # a file is never lost
    unsettled: seals.Changes | None = None
    checked_schema = -1  # SQLite's counter of changes to the schema
    data_version = -1  # SQLite's counter of commits through other connections
    takes_turns = False  # others have written between our last two writes
    leads: tuple[FileLead, ...] = ()  # what this connection is the learner of

    def __init__(self, *values: Any, **named: Any) -> None:
        """Open the file, as a `sqlite3.Connection` does."""
        super().__init__(*values, **named)
        self.silences = defaultdict[tuple[str, str], SilenceCounter](SilenceCounter)

    def typed_errors(self, place: Path) -> AbstractContextManager[None]:
        """Convert every sqlite3 error that leaves the block to one of ours."""
        return typed_errors(place)

    @contextmanager
    def reading(self, place: Path) -> Iterator[PlaybookConnection]:
        """Run the block as a transaction that sees one moment of the file, whatever others write.

        Raises LeadLost where this is a learner, and another process has taken its place.
        """
        self._check_leads()
        with transaction(self, place, write=False):
            yield self

    @contextmanager
    def writing(self, place: Path) -> Iterator[PlaybookConnection]:
        """Run the block as a transaction that writes all or nothing.

        Where others write at the same time, it lets one of them go first. Raises StoreBusy where another
        process holds the write lock for longer than the time-out, and StoreUnwritable where the file holds a
        trigger, or anything else, that would act in it; LeadLost where this is a learner, and another process
        has taken its place.
        """
        if self.takes_turns:
            time.sleep(_ASK)  # in which everybody who waits has asked
        with transaction(self, place, write=True):
            self._check_leads()  # nobody takes a lead while another writes
            (commits,) = self.execute("PRAGMA data_version").fetchone()
            self.takes_turns = self.data_version not in (-1, commits)
            self.data_version = commits
            (state,) = self.execute("PRAGMA schema_version").fetchone()
            if state != self.checked_schema:
                foreign.check_writable(self, place)
                self.checked_schema = state
            self.unsettled = {}
            try:
                yield self
                seals.settle(self)
            finally:
                self.unsettled = None

    def find_damage(self) -> Iterator[str]:
        """Ask SQLite itself, and compare all definitions with those of a new file."""
        for (line,) in self.execute("PRAGMA integrity_check"):
            if line != "ok":
                yield f"SQLite finds the file damaged: {line}"
        for table, row, parent, _ in self.execute("PRAGMA foreign_key_check"):
            where = f"Row {row} of {table}" if row is not None else f"A row of {table}"
            yield f"{where} points to a row of {parent} that is not there."
        for item in foreign.find_foreign(self):
            yield item.problem

    def text_columns(self) -> list[tuple[str, str]]:
        """Return all columns (table, column) of the file that may hold text."""
        tables = """SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
            AND name NOT GLOB 'sqlite_*' ORDER BY name"""
        columns = "SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT' OR type = ''"
        pairs = []
        for table in read_column(self, tables):
            pairs += [(table, column) for column in read_column(self, columns, [table])]
        return pairs

    def allow_rewriting(self) -> None:
        """Overwrite with zeros what is deleted from now on, and check foreign keys when the work is done."""
        self.execute("PRAGMA secure_delete = ON")
        self.execute("PRAGMA defer_foreign_keys = ON")  # a section has its name in two tables

    def scrub(self) -> bool:
        """Write the file anew without deleted text, and empty its log; False where somebody has it open."""
        self.execute("PRAGMA secure_delete = ON")
        self.execute("PRAGMA temp_store = MEMORY")  # VACUUM's copy must not stay on a disk
        self.execute("VACUUM")
        busy, _, _ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def wait_for_change(self, seconds: float) -> bool:
        """Look at SQLite's count of other connections' commits until it has moved, or the time is up."""
        deadline = time.monotonic() + seconds
        (before,) = self.execute("PRAGMA data_version").fetchone()
        while time.monotonic() < deadline:
            time.sleep(min(_LOOK, seconds))
            if self.execute("PRAGMA data_version").fetchone() != (before,):
                return True
        return False

    def lead(self, place: Path, branch: str, task: str, pulse: Pulse) -> AbstractContextManager[None]:
        """Be the only one that learns from the feedback on a task until the block ends.

        Without a task anybody may learn: who shares a file is on one machine, and sees the others. What is
        done inside the block raises LeadLost where another process has taken the lead meanwhile.
        """
        return self._lead_task(place, branch, task, pulse) if task else nullcontext()

    @contextmanager
    def _lead_task(self, place: Path, branch: str, task: str, pulse: Pulse) -> Iterator[None]:
        """Lead a task on a branch until the block ends."""
        turn = partial(transaction, self, place, write=True)
        counter = self.silences[branch, task]
        with file_lead.lead_on_file(place, branch, task, counter, turn, pulse=pulse) as lead:
            self.leads = (*self.leads, lead)
            try:
                yield
            finally:
                self.leads = tuple(other for other in self.leads if other is not lead)

    def _check_leads(self) -> None:
        """Raise LeadLost where another process has taken what this connection was the learner of."""
        for lead in self.leads:
            lead.check()

    def find_leader(self, place: Path, branch: str, task: str) -> str:
        """Return which process learns from the feedback on a task, for people; "" for none."""
        return file_lead.find_leader(place, branch, task)

    def copy_to(self, target: Path) -> None:
        """Copy one moment of the file to another, which has no files beside it."""
        with typed_errors(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            self.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")


def open_file(
    path: Path, *, create: bool, read_only: bool, timeout: float, shared: bool = False
) -> PlaybookConnection:
    """Open the file and bring it to the latest schema. `timeout`: seconds to wait for another writer.

    With `shared` several threads may use it, one at a time.
    A file that is only read is never changed: one of an older release is migrated in memory. Raises
    NotAPlaybook, NewerSchema, StoreBusy or StoreUnwritable; StoreError where there is no file.
    """
    if not path.exists() and (read_only or not create):
        raise StoreError(f"There is no playbook at {path}.", hint="`ace learn TASK` makes one.")
    with typed_errors(path):
        if not read_only:
            return _open_for_writing(path, timeout, create, shared)
        try:
            return _open_for_reading(path, "ro", timeout)
        except sqlite3.OperationalError as error:
            # Where SQLite may not write its side files, the file is read as one that never changes.
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            in_use = path.with_name(path.name + "-wal").exists()
            if busy or in_use:
                raise
            return _open_for_reading(path, "ro&immutable=1", timeout)


def open_again(path: Path, *, timeout: float) -> PlaybookConnection:
    """Open a second connection to an open file, for several threads: the caller lets in one at a time.

    The file has the latest schema already. `timeout`: seconds to wait for another writer.
    """
    with typed_errors(path):
        db = _connect_raw(path, "rw", timeout, check_same_thread=False)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        return db


@contextmanager
def exclusive_access(path: Path, timeout: float) -> Iterator[None]:
    """Fold SQLite's side files into the file, and lock everybody out until the block ends.

    Raises StoreBusy while anybody has it open.
    """
    with closing(_connect_raw(path, "rw", timeout)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        if mode != "delete":  # somebody came in between the two
            raise StoreBusy(f"{path} is in use by another process.", path=str(path))
        yield


def _open_for_writing(path: Path, timeout: float, create: bool, shared: bool) -> PlaybookConnection:
    """Open the file, or make it, with write-ahead log and durable commits, and migrate it."""
    db = _connect_raw(path, "rwc" if create else "rw", timeout, check_same_thread=not shared)
    try:
        if schema.schema_version(db, path) == 0 and not create:
            raise NotAPlaybook(f"{path} is empty, not a playbook.", hint=_OTHER_PATH)
        _use_wal(db, timeout)
        db.execute("PRAGMA synchronous = FULL")  # an acknowledged commit survives a power cut
        with db.writing(path):
            schema.migrate(db, path)
        db.execute("PRAGMA foreign_keys = ON")  # not earlier: a migration may replace a table
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection, timeout: float) -> None:
    """Switch to WAL mode, in which readers never wait. For this switch SQLite itself does not wait."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_for_reading(path: Path, mode: str, timeout: float) -> PlaybookConnection:
    """Open the file; a reader changes nothing, so a file of an older release is migrated in memory."""
    db = _connect_raw(path, mode, timeout)
    try:
        version = schema.schema_version(db, path)
        if version == 0:
            raise NotAPlaybook(f"{path} is empty, not a playbook.", hint=_OTHER_PATH)
        if version == schema.LATEST:
            return db
    except BaseException:
        db.close()
        raise
    copy = sqlite3.connect(":memory:", isolation_level=None, factory=PlaybookConnection)
    with closing(db):
        db.backup(copy)
    with transaction(copy, path, write=True):
        foreign.drop_triggers(copy)
        schema.migrate(copy, path)
    copy.execute("PRAGMA query_only = ON")
    return copy


def _connect_raw(
    path: Path, mode: str, timeout: float, *, check_same_thread: bool = True
) -> PlaybookConnection:
    """Open a connection whose transactions are ours to begin. `mode` is SQLite's: ro, rw or rwc."""
    obstacle = find_obstacle(path)
    if obstacle:
        raise NotAPlaybook(f"{path} is no playbook: {obstacle}.", hint=_OTHER_PATH, path=str(path))
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=check_same_thread,
        factory=PlaybookConnection,
    )
