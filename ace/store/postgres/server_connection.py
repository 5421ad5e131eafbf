"""A connection to a playbook on a PostgreSQL server: opening, transactions, news, the learner's lock.

Implements `ace.store.store_database.Database`. Statements are sent without waiting for their results until a
result is read (libpq's pipeline), so that a commit takes a few round trips, however many rows it writes.

Writers take turns by an advisory lock, which a transaction holds until it has committed. It commits without
waiting for the disk and lets the next writer in; then it waits until the disk has all of it, and only then is
it acknowledged. So many writers share one wait for the disk. Whatever a crash of the server loses was never
acknowledged, and nothing that came after it is kept either.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError, StoreBusy, StoreError, StoreUnreachable, StoreUnwritable
from ace.store.integrity import seals
from ace.store.lead_signs import Pulse, give_signs
from ace.store.postgres import server_lead, server_session, server_tables
from ace.store.postgres.dialect import escape_value, join_inserts, translate
from ace.store.postgres.server_errors import describe, is_lost, typed_errors
from ace.store.postgres.server_lead import Lead
from ace.store.postgres.server_session import lock_key
from ace.store.postgres.server_signs import SignSender
from ace.store.store_database import Rows, ServerAddress

if TYPE_CHECKING:
    import psycopg

_TOGETHER = 20  # inserts that are sent as one statement
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between tries to connect again
_FLUSH = "SELECT set_config('synchronous_commit', ?, TRUE), pg_logical_emit_message(TRUE, 'ace', '')"
_NOTIFY = "SELECT pg_notify(?, '')"
_COUNT = """INSERT INTO writers VALUES (?, ?, now())
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seen = excluded.seen"""
_TEXTS = """SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?) AND relkind = 'r' AND attnum > 0
    AND NOT attisdropped AND atttypid = 'text'::regtype ORDER BY relname, attnum"""


def open_server(address: ServerAddress, *, create: bool, read_only: bool, timeout: float) -> ServerConnection:
    """Connect to a playbook on a server, and make its tables where there are none and `create` is set.

    `timeout`: seconds to wait for another writer, and for a connection that was lost. Raises InputError
    where psycopg is not installed; StoreUnreachable, NotAPlaybook, NewerSchema, StoreBusy or StoreUnwritable;
    StoreError where there is no playbook, and for a server that cannot hold one.
    """
    db = ServerConnection(address, timeout=timeout, read_only=read_only)
    try:
        with typed_errors(address):
            server_session.check_server(db.session, address)
            is_there = server_tables.check_version(db, address)
            if not is_there and (read_only or not create):
                hint = "`ace learn TASK --playbook URL` makes one."
                raise StoreError(f"There is no playbook at {address}.", hint=hint, path=str(address))
            if not is_there:
                db.make_tables()
            if not read_only:
                server_session.check_writable(db, address)
    except BaseException:
        db.close()
        raise
    return db


def require_psycopg() -> None:
    """Import psycopg. Raises InputError where it is not installed."""
    log = logging.getLogger("psycopg")
    if log.level == logging.NOTSET:  # else somebody has chosen
        log.setLevel(logging.ERROR)  # it warns of pipelines that end with an error, which we raise
    try:
        import_module("psycopg")
    except ImportError as error:
        hint = "Install the extra `postgres`: pip install 'ace-engine[postgres]'."
        raise InputError("A playbook on a server needs the package psycopg.", hint=hint) from error


class ServerConnection:
    """Keep a playbook in a schema of a database. The connection is made again where it was lost."""

    def __init__(self, address: ServerAddress, *, timeout: float, read_only: bool) -> None:
        """Connect. Raises as `open_server` does."""
        require_psycopg()
        self.address = address
        self.losses = 0
        self._timeout = timeout
        self._read_only = read_only
        self._name = uuid.uuid4().hex
        self.unsettled: seals.Changes | None = None
        self._seals: Rows | None = None  # what was asked for when the transaction began
        self._queue: list[tuple[str, Sequence[Any]]] = []  # inserts, and news last, that were not sent yet
        self._number = 0  # of the last transaction that wrote
        self._trace: Callable[[str], object] | None = None
        self._leads: list[Lead] = []  # what this connection is the learner of
        self._signs = SignSender(address)  # of life, while it leads
        self._hears = False  # of news
        self._has_news = False  # a branch has a new head in this transaction
        self._raw: psycopg.Connection[Any]
        with typed_errors(address):
            self._raw, self._durable = server_session.open_session(address, timeout)

    @property
    def session(self) -> psycopg.Connection[Any]:
        """Return psycopg's connection as it is now, for what is asked of it beside SQL."""
        return self._raw

    # SQL

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = (), /) -> Rows:
        """Send a statement. Inside a transaction nothing is waited for until its rows are read."""
        if self._trace is not None:
            self._trace(sql)
        if self.unsettled is not None and isinstance(values, Sequence) and sql.startswith("INSERT INTO "):
            self._queue.append((sql, values))
            self._has_news = self._has_news or sql.startswith("INSERT INTO branches ")
            return None
        if sql == seals.READ and self._seals is not None:  # asked for with the lock
            asked, self._seals = self._seals, None
            return asked
        self._send()
        return self._run(sql, values)

    def _run(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> Rows:
        """Translate a statement and send it."""
        translated, names = translate(sql)
        if isinstance(values, Mapping):
            values = [values[name] for name in names]
        return self._raw.execute(translated, [escape_value(value) for value in values])

    def _send(self) -> None:
        """Send what waits: inserts that follow each other and are for different tables as one statement."""
        queue, self._queue = self._queue, []
        while queue:
            tables = set[str]()
            statements, values = list[str](), list[Any]()
            for sql, row in queue:
                table = sql.split(" ", 3)[2]
                if table in tables or len(statements) == _TOGETHER:
                    break
                tables.add(table)
                statements.append(sql)
                values += row
            del queue[: len(statements)]
            self._run(join_inserts(tuple(statements)), values)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Send a statement once for each row of values."""
        for row in rows:
            self.execute(sql, row)

    def set_trace_callback(self, callback: Callable[[str], object] | None) -> None:
        """Call a function with each statement before it is sent, as a connection of `sqlite3` does."""
        self._trace = callback

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        self._raw.close()

    def typed_errors(self, place: ServerAddress) -> AbstractContextManager[None]:
        """Convert every error of psycopg that leaves the block to one of ours."""
        return typed_errors(place)

    # Transactions

    @contextmanager
    def reading(self, place: ServerAddress) -> Iterator[ServerConnection]:
        """Run the block as a transaction that sees one moment, whatever others write meanwhile.

        Raises StoreUnreachable where the connection is lost and stays lost.
        """
        with self._transaction(place):
            self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield self
            self.execute("COMMIT")

    @contextmanager
    def writing(self, place: ServerAddress) -> Iterator[ServerConnection]:
        """Run the block as a transaction that writes all or nothing, and is on the disk when it ends.

        Raises StoreBusy where another writes for longer than the time-out, StoreUnwritable where this
        connection only reads, and StoreUnreachable where the connection is lost and stays lost. Where it is
        lost at the very end, the server is asked whether the transaction was kept.
        """
        if self._read_only:
            raise StoreUnwritable(f"{place} was opened to be read only.", path=str(place))
        number = self._number + 1
        try:
            try:
                with self._transaction(place):
                    self._begin_to_write()
                    self._seals = self.execute(seals.READ)
                    self._has_news = False
                    self.unsettled = {}
                    yield self
                    seals.settle(self)
                    self._number = number
                    self.execute(_COUNT, [self._name, number])
                    if self._has_news:
                        self._queue.append((_NOTIFY, [f"ace_{self.address.schema}"]))
                    self.execute("COMMIT")
                    self._flush()
            finally:  # before anything else is asked: it would be sent with that
                self.unsettled = self._seals = None
                self._queue.clear()
        except StoreBusy:
            if not self._raw.closed:  # else it may lead no more
                server_lead.end_silent(self, lock_key("write", place.schema), server_session.IDLE)
            raise
        except StoreUnreachable:
            if self._number != number or not self._was_kept(number):
                raise

    def _flush(self) -> None:
        """Wait until the disk has all that was committed on this connection."""
        self._run(_FLUSH, [self._durable])

    def _begin_to_write(self) -> None:
        """Begin, and take the write lock, for which the time-out says how long to wait."""
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self.execute("SELECT pg_advisory_xact_lock(?)", [lock_key("write", self.address.schema)])

    @contextmanager
    def _transaction(self, place: ServerAddress) -> Iterator[None]:
        """Run the block in one pipeline on a connection that works, and roll back what it has not committed.

        An error of the connection becomes StoreUnreachable, whose detail `again` is set.
        """
        with self._signs.busy, typed_errors(place):
            self._connect_again()
            try:
                with self._raw.pipeline():
                    yield
                if self._leads:
                    self._signs.send(self._raw)  # a pipeline's last message stops the server's timer
            except BaseException as error:
                if is_lost(error) or self._raw.closed:
                    self._raw.close()
                    if not isinstance(error, Exception) or not is_lost(error):
                        raise
                    message = f"The connection to {place} was lost ({describe(error, place)})."
                    raise StoreUnreachable(message, path=str(place), again=True) from None
                if self._raw.info.transaction_status:  # in one, or in one that failed
                    self._raw.execute("ROLLBACK")
                raise

    def _was_kept(self, number: int) -> bool:
        """Return whether the server has kept a transaction whose end was not heard of.

        Raises StoreUnreachable where it cannot be asked. The write lock is taken first, which the lost
        connection holds as long as it still works on the transaction.
        """
        with typed_errors(self.address):
            self._connect_again(doubt=" Whether the last change was kept is not known: look at the history.")
            try:
                self._begin_to_write()
                row = self.execute("SELECT number FROM writers WHERE id = ?", [self._name]).fetchone()
                self.execute("COMMIT")
                self._flush()
            finally:
                if not self._raw.closed and self._raw.info.transaction_status:
                    self._raw.execute("ROLLBACK")
        return row is not None and int(row[0]) == number

    # Connecting

    def _connect_again(self, doubt: str = "") -> None:
        """Make the connection again where it was lost, and wait for the server for as long as the time-out.

        Raises StoreUnreachable where it stays lost, with `doubt` behind what happened; LeadLost where this is
        a learner, and another has begun meanwhile.
        """
        import psycopg

        if not self._raw.closed:
            return
        deadline, pause = time.monotonic() + self._timeout, _FIRST_PAUSE
        while True:
            try:
                self._raw, self._durable = server_session.open_session(self.address, self._timeout)
                break
            except psycopg.Error as error:
                if time.monotonic() + pause > deadline:
                    words = describe(error, self.address)
                    message = f"The connection to {self.address} was lost, and stays lost ({words}).{doubt}"
                    hint = "Everything acknowledged so far is kept. Try again when the server answers."
                    raise StoreUnreachable(message, hint=hint, path=str(self.address), again=False) from None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self.losses += 1
        self._hears = False
        try:
            for lead in self._leads:
                server_lead.resume_lead(self, self.address, lead)
        except BaseException:
            self._raw.close()  # who leads no more does not write: the next try begins here again
            raise

    def make_tables(self) -> None:
        """Make the tables, unless another was faster."""
        with self._transaction(self.address):
            self._begin_to_write()
            if not server_tables.check_version(self, self.address):
                threshold, self._raw.prepare_threshold = self._raw.prepare_threshold, None
                server_tables.create_tables(self, self.address)
                self._raw.prepare_threshold = threshold  # psycopg loses count at an ALTER in a pipeline
            self.execute("COMMIT")
            self._flush()

    # What each database does in its own way

    def find_damage(self) -> Iterator[str]:
        """Compare what acts in our writes, and the columns, with those of a new playbook."""
        return server_tables.find_foreign(self, self.address)

    def text_columns(self) -> list[tuple[str, str]]:
        """Return all columns (table, column) of our schema that hold text."""
        return list(self.execute(_TEXTS, [self.address.schema]).fetchall())

    def allow_rewriting(self) -> None:
        """Let rows of history be changed until the transaction ends, and check references at its end."""
        self.execute("SELECT set_config('ace.rewriting', 'on', TRUE)")
        self.execute("SET CONSTRAINTS ALL DEFERRED")

    def scrub(self) -> bool:
        """Write the tables anew without deleted text. The server's log and backups are out of reach."""
        for table in server_tables.list_tables():
            self._raw.execute(f'VACUUM (FULL) "{table}"')
        return True

    def wait_for_change(self, seconds: float) -> bool:
        """Wait until some branch has a new head, and return whether one has. Call it outside a transaction.

        The first call may return at once: what came before it was not heard.
        """
        with typed_errors(self.address):
            self._connect_again()
            if not self._hears:
                self._raw.execute(f'LISTEN "ace_{self.address.schema}"')
                self._hears = True
                return True
            return any(self._raw.notifies(timeout=seconds, stop_after=1))

    @contextmanager
    def lead(self, place: ServerAddress, branch: str, task: str, pulse: Pulse) -> Iterator[None]:
        """Be the only learner on a branch, or of a task on it, until the block ends.

        Raises StoreBusy, which says who is. What is done inside the block raises LeadLost where the
        connection was lost and somebody else has begun to lead; nothing is written then. It is lost where
        this process gives no sign of life, as it does while `pulse` beats.
        """
        with typed_errors(place):
            self._connect_again()
            lead = server_lead.take_lead(self, place, branch, task)
            self._flush()  # else a crash of the server could lose the number of its term
        self._leads.append(lead)
        try:
            with give_signs(lambda: self._signs.send(self._raw), pulse):
                yield
        finally:
            self._signs.close()
            self._leads.remove(lead)
            if not self._raw.closed:  # a lost connection leads nothing
                with typed_errors(place):
                    server_lead.leave_lead(self, place, lead)

    def find_leader(self, place: ServerAddress, branch: str, task: str) -> str:
        """Return who learns from the feedback on a task, for people; "" for nobody."""
        with typed_errors(place):
            self._connect_again()
            return server_lead.find_leader(self, place, branch, task)

    def copy_to(self, target: Path) -> None:
        """Write one moment of the whole playbook to a file, as `ace playbook pull` does."""
        from ace.store.connection import OpenFile, connect
        from ace.store.store_transfer import TransferStore

        db = connect(target, create=True, read_only=False, timeout=self._timeout)
        with TransferStore(db, target) as copy:
            copy.pull(OpenFile(self, self.address))
            db.execute("PRAGMA journal_mode = DELETE")  # one file, without the two beside it
