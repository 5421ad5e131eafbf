"""A SQLite database that can only be read, by statements nobody trusts.

Four fences, so that none has to be perfect: the file is opened read-only (a script's database is a private
copy in memory), `query_only` is on, an authorizer allows nothing but reading, and time, rows and bytes
are limited. Knows nothing about samples or gold answers.
"""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, LifoQueue

from ace.errors import TaskError
from ace.task.environments.sql.expansion import estimate_expansion
from ace.task.environments.sql.same_rows import Row
from ace.task.environments.sql.sqltext import compact_sql, is_query, split_tokens
from ace.task.read_text import read_text

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_DEFINITIONS = """SELECT name, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"""
_STEPS = 2_000  # virtual machine steps between two looks at the clock
_MAX_VALUE = 1_000_000  # bytes in one value: a single call such as zeroblob() never looks at the clock
_MAX_TOKENS = 300_000  # of a statement with its common table expressions in place
_MAX_BYTES = 4_000_000  # bytes of text and blobs in one result


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a statement returned, or its error."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    truncated: bool = False
    """Whether there was more than may be returned."""

    error: str = ""
    """Why there are no rows, in SQLite's words; "" for none."""

    reads: frozenset[str] = frozenset()
    """What the statement reads: "table" and "table.column", lower case; after an error its tables only."""


class Database:
    """One database, safe to use from several threads: each statement has a connection to itself.

    `tables` are the names of its tables and views, lower case. `schema` is how they are defined.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], *, time_limit: float = 2.0, row_limit: int = 1000
    ) -> None:
        """Read the schema. `time_limit` is in seconds of computing, for one statement.

        `connect` makes a connection that any thread may use. Raises sqlite3.Error for what is no database.
        """
        self._connect = connect
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        weakref.finalize(self, _close, self._idle)
        self.time_limit = time_limit
        self.row_limit = row_limit
        with self._connection() as connection:
            definitions = connection.execute(_DEFINITIONS).fetchall()
        self.tables = frozenset(name.lower() for name, _ in definitions)  # and views
        # In order of creation, one statement a line, without comments.
        self.schema = "\n".join(f"{compact_sql(sql)};" for _, sql in definitions)

    @classmethod
    def open(cls, path: Path, *, time_limit: float = 2.0, row_limit: int = 1000) -> Database:
        """Open a SQLite file, or a `.sql` script that is run once, into memory.

        Raises TaskError for a file that is no database, one without tables, and a script that fails.
        """
        uri = f"{path.resolve().as_uri()}?mode=ro"
        image = _build_image(path) if path.suffix.lower() == ".sql" else None

        def connect() -> sqlite3.Connection:
            if image is None:
                return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
            connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            connection.deserialize(image)
            return connection

        try:
            database = cls(connect, time_limit=time_limit, row_limit=row_limit)
        except sqlite3.Error as error:
            raise TaskError(f"Not a readable SQLite database ({error}).", file=str(path)) from error
        if not database.tables:
            raise TaskError("The database has no tables.", hint="Create some.", file=str(path))
        return database

    def run(self, sql: str) -> Result:
        """Run one SELECT. Never raises for what `sql` says or does.

        It returns at most `row_limit` rows, and 4 MB of text and bytes. What takes longer than `time_limit`
        is stopped.
        """
        if not sql.strip():
            return Result(error="no SQL")
        if not is_query(sql):
            return Result(error="only one SELECT statement is allowed")
        if estimate_expansion(sql) > _MAX_TOKENS:
            return Result(error="too complex")
        with self._connection() as connection:
            reads: set[str] = set()
            connection.set_authorizer(partial(_authorize, reads))
            # The thread's own time: other workers must not change an outcome.
            deadline = time.thread_time() + self.time_limit
            connection.set_progress_handler(lambda: time.thread_time() > deadline, _STEPS)
            columns: tuple[str, ...] = ()
            rows: list[Row] = []
            size, truncated = 0, False
            try:
                with closing(connection.execute(sql)) as cursor:
                    columns = tuple(column[0] for column in cursor.description)
                    for row in cursor:
                        size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
                        truncated = len(rows) == self.row_limit or size > _MAX_BYTES
                        if truncated:
                            break
                        rows.append(row)
            except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
                message = str(error) or "out of memory"
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                    message = f"stopped after {self.time_limit:g} s"
                words = {text.strip('"`[]').lower() for _, text in split_tokens(sql)}
                return Result(error=message, reads=self.tables & words)
            finally:
                connection.set_progress_handler(None, 0)
        own_reads = frozenset(name for name in reads if name.partition(".")[0] in self.tables)
        return Result(columns, tuple(rows), truncated, reads=own_reads)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend an idle connection, or a new one behind its fences.

        It goes back to the idle ones when the block ends, whatever happened in it.
        """
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            # Foreign databases hold bytes that are not UTF-8; reading them is not the statement's fault.
            connection.text_factory = lambda value: value.decode("utf-8", "replace")
        try:
            yield connection
        finally:
            self._idle.put(connection)


def _close(idle: LifoQueue[sqlite3.Connection]) -> None:
    """Close what is left of a database that nobody uses any more. No method: that would keep it alive."""
    while not idle.empty():
        idle.get_nowait().close()


def _authorize(reads: set[str], action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow reading and note what is read: SQLite has resolved every alias by the time it asks.

    SQLite calls this with an action and its arguments while it compiles a statement. Functions may be called,
    but for the one that loads native code.
    """
    if action == sqlite3.SQLITE_READ and first:
        reads.add(first.lower())
        if second:
            reads.add(f"{first}.{second}".lower())
    # For functions the second argument is the name.
    is_allowed = action in _ALLOWED and (second or "").lower() != "load_extension"
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _build_image(path: Path) -> bytes:
    """Run a script statement by statement, because only so an error has a line, and return the database.

    Raises TaskError, with that line, for a statement that fails.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # a script makes its own database and no other file
    connection.execute("PRAGMA user_version = 1")  # without any page there is nothing to serialize
    try:
        for line, statement in _split_statements(read_text(path)):
            try:
                connection.execute(statement)
            except (sqlite3.Error, ValueError) as error:
                raise TaskError(f"The script fails: {error}.", file=str(path), line=line) from error
        if connection.in_transaction:
            connection.execute("COMMIT")
        return connection.serialize()
    finally:
        connection.close()


def _split_statements(script: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each statement. A semicolon inside a trigger ends none.

    The line is that on which the statement begins, from 1; comments before it do not count.
    """
    line = 1
    start = 1  # of the statement in `parts`
    parts: list[str] = []
    for kind, text in split_tokens(script):
        if not parts and kind not in ("comment", "space"):
            start = line
        if parts or kind not in ("comment", "space"):
            parts.append(text)
        line += text.count("\n")
        if text != ";":
            continue
        statement = "".join(parts)
        if sqlite3.complete_statement(statement):
            yield start, statement
            parts = []
    if parts:
        yield start, "".join(parts)
