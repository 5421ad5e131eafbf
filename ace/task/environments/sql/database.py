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
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import Empty, LifoQueue

from ace.errors import TaskError
from ace.task.environments.sql.expansion import estimate_expansion
from ace.task.environments.sql.same_rows import Row
from ace.task.environments.sql.sqltext import compact_sql, find_words, is_query, split_tokens
from ace.task.read_text import read_text

_Fetched = tuple[tuple[str, ...], tuple[Row, ...], bool]  # columns, rows, truncated
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_DEFINITIONS = """SELECT name, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"""
_STEPS = 2_000  # virtual machine steps between two looks at the clock
_MAX_VALUE = 1_000_000  # bytes in one value: a single call such as zeroblob() never looks at the clock
_MAX_TOKENS = 300_000  # of a statement with its common table expressions in place
_MAX_BYTES = 4_000_000  # bytes of text and blobs in one result


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a statement returned, or its error. `reads` holds "table" and "table.column", lower case."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    truncated: bool = False
    error: str = ""
    reads: frozenset[str] = frozenset()


class Database:
    """One database, safe to use from several threads: each statement has a connection to itself."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], *, time_limit: float = 2.0, row_limit: int = 1000
    ) -> None:
        self._connect = connect
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        weakref.finalize(self, _close, self._idle)
        self.time_limit = time_limit
        self.row_limit = row_limit

    @classmethod
    def open(cls, path: Path, *, time_limit: float = 2.0, row_limit: int = 1000) -> Database:
        """From a SQLite file, or from a `.sql` script that is run once, into memory."""
        connect = _from_script(path) if path.suffix.lower() == ".sql" else _from_file(path)
        database = cls(connect, time_limit=time_limit, row_limit=row_limit)
        try:
            if not database.tables:
                raise TaskError("The database has no tables.", hint="Create some.", file=str(path))
        except sqlite3.Error as error:
            raise TaskError(f"Not a readable SQLite database ({error}).", file=str(path)) from error
        return database

    @cached_property
    def _definitions(self) -> tuple[tuple[str, str], ...]:
        with self._connection() as connection:
            return tuple(connection.execute(_DEFINITIONS).fetchall())

    @cached_property
    def tables(self) -> frozenset[str]:
        """Names of tables and views, in lower case."""
        return frozenset(name.lower() for name, _ in self._definitions)

    @cached_property
    def schema(self) -> str:
        """CREATE statements in order of creation, one a line, without comments."""
        return "\n".join(f"{compact_sql(sql)};" for _, sql in self._definitions)

    def run(self, sql: str) -> Result:
        """Run one SELECT. Never raises for what `sql` says or does."""
        if not is_query(sql):
            return Result(error="only one SELECT statement is allowed" if sql.strip() else "no SQL")
        if estimate_expansion(sql) > _MAX_TOKENS:
            return Result(error="too complex")
        with self._connection() as connection:
            reads: set[str] = set()
            connection.set_authorizer(_make_authorizer(reads))
            # The thread's own time: other workers must not change an outcome.
            deadline = time.thread_time() + self.time_limit
            connection.set_progress_handler(lambda: time.thread_time() > deadline, _STEPS)
            try:
                columns, rows, truncated = self._fetch(connection, sql)
            except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError) as error:
                message = str(error) or "out of memory"
                if message == "interrupted":
                    message = f"stopped after {self.time_limit:g} s"
                return Result(error=message, reads=self.tables & find_words(sql))
            finally:
                connection.set_progress_handler(None, 0)
        known = {name for name in reads if name.partition(".")[0] in self.tables}
        return Result(columns, rows, truncated, reads=frozenset(known))

    def _fetch(self, connection: sqlite3.Connection, sql: str) -> _Fetched:
        cursor = connection.execute(sql)
        try:
            columns = tuple(column[0] for column in cursor.description)
            rows: list[Row] = []
            size = 0
            for row in cursor:
                size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
                if len(rows) == self.row_limit or size > _MAX_BYTES:
                    return columns, tuple(rows), True
                rows.append(row)
            return columns, tuple(rows), False
        finally:
            cursor.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = _fence(self._connect())
        try:
            yield connection
        finally:
            self._idle.put(connection)


def _close(idle: LifoQueue[sqlite3.Connection]) -> None:
    while not idle.empty():
        idle.get_nowait().close()


def _fence(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # Foreign databases hold bytes that are not UTF-8; reading them is not the statement's fault.
    connection.text_factory = lambda value: value.decode("utf-8", "replace")
    return connection


def _make_authorizer(reads: set[str]) -> Callable[..., int]:
    """Allows reading and notes what is read: SQLite has resolved every alias by the time it asks."""

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and first:
            reads.add(first.lower())
            if second:
                reads.add(f"{first}.{second}".lower())
        # For functions the second argument is the name.
        allowed = action in _ALLOWED and (second or "").lower() != "load_extension"
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


def _from_file(path: Path) -> Callable[[], sqlite3.Connection]:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return lambda: sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def _from_script(path: Path) -> Callable[[], sqlite3.Connection]:
    image = _build(path)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        connection.deserialize(image)
        return connection

    return connect


def _build(path: Path) -> bytes:
    """Statement by statement, because only so an error has a line."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # a script makes its own database and no other file
    connection.execute("PRAGMA user_version = 1")  # without any page there is nothing to serialize
    try:
        for line, statement in _statements(read_text(path)):
            try:
                connection.execute(statement)
            except (sqlite3.Error, ValueError) as error:
                raise TaskError(f"The script fails: {error}.", file=str(path), line=line) from error
        if connection.in_transaction:
            connection.execute("COMMIT")
        return connection.serialize()
    finally:
        connection.close()


def _statements(script: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each statement. A semicolon inside a trigger ends none."""
    line, start, parts = 1, 1, list[str]()
    for kind, text in split_tokens(script):
        if parts or kind not in ("comment", "space"):
            start = start if parts else line
            parts.append(text)
        line += text.count("\n")
        if text == ";" and sqlite3.complete_statement(statement := "".join(parts)):
            yield start, statement
            parts = []
    if parts:
        yield start, "".join(parts)
