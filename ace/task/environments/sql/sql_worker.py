"""The program of a worker process: it opens one database at a time and runs statements nobody trusts.

They may read; on the image of a database, which is this process's own copy, they may change rows where that
is asked for. Imports the standard library only, and starts in a few milliseconds. Requests and replies are
frames: the sizes of a JSON value and of bytes behind it, then both. A worker ends with its input, so also
with its parent.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import struct
import sys
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

HEADER = struct.Struct(">II")
"""The bytes of a frame's JSON, and the bytes behind it."""

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_WRITES = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT,
}
_DEFINITIONS = """SELECT name, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"""
_NATIVE = ("load_extension", "fts3_tokenizer")  # functions that take addresses of code, or files with it
_STEPS = 2_000  # virtual machine steps between two looks at the clock
_GRACE = 0.2  # seconds of computing until a statement that never looks at the clock ends this process
_MAX_VALUE = 1_000_000  # bytes in one value
_MAX_BYTES = 4_000_000  # bytes of one result; a number counts as eight
_LONGEST_ERROR = 500  # characters
TIMERS: dict[int, int] = {}
"""The signal that each timer sends to a statement that takes too long."""
if hasattr(signal, "setitimer"):  # not on Windows
    TIMERS = {signal.ITIMER_PROF: signal.SIGPROF, signal.ITIMER_REAL: signal.SIGALRM}


@dataclass
class Worker:
    """Holds the database that is open, none at first, and answers requests about it."""

    connection: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    """To an empty database in memory until one is opened."""

    writes: bool = False
    """Whether statements may change rows, of an image: they are this process's own copy."""

    def answer(self, request: dict[str, Any], image: bytes) -> tuple[dict[str, Any], bytes]:
        """Do what a request asks, within its limits of time; return the reply and the bytes behind it.

        A reply has "error" in SQLite's words, and "over" with the limit that was reached: "time" or "memory".
        """
        deadline = time.process_time() + request["seconds"]
        for timer, seconds in zip(TIMERS, (request["seconds"] + _GRACE, request["clock"]), strict=False):
            signal.setitimer(timer, seconds)
        try:
            match request["do"]:
                case "open":
                    return self.open(request["uri"], image, request.get("writes", False)), b""
                case "build":
                    return build_image(request["statements"], deadline)
                case _:
                    return self.run(request["sql"], request["rows"], deadline), b""
        except MemoryError:
            return {"error": "out of memory", "over": "memory"}, b""
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            return describe_error(error), b""
        finally:
            for timer in TIMERS:
                signal.setitimer(timer, 0)

    def open(self, uri: str, image: bytes, writes: bool = False) -> dict[str, Any]:
        """Open a file read-only, or the image of a database, behind its fences; return its definitions."""
        self.connection.close()
        self.writes = writes and not uri
        if uri:
            self.connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)
        else:
            self.connection = sqlite3.connect(":memory:", isolation_level=None)
            self.connection.deserialize(image)
        # Foreign databases hold bytes that are not UTF-8; reading them is not the statement's fault.
        self.connection.text_factory = lambda value: value.decode("utf-8", "replace")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        if not self.writes:
            self.connection.execute("PRAGMA query_only = ON")
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        return self.read_rows(_DEFINITIONS, sys.maxsize)

    def run(self, sql: str, most_rows: int, deadline: float) -> dict[str, Any]:
        """Run one statement, which may do nothing but what is allowed; say what it reads and changes."""
        reads: set[str] = set()
        allowed = _ALLOWED | _WRITES if self.writes else _ALLOWED
        self.connection.set_authorizer(partial(authorize, reads, allowed))
        # This process's own time: what others do must not change an outcome.
        self.connection.set_progress_handler(lambda: time.process_time() > deadline, _STEPS)
        before = self.connection.total_changes
        reply = self.read_rows(sql, most_rows)
        return {**reply, "reads": list(reads), "changes": self.connection.total_changes - before}

    def read_rows(self, sql: str, most_rows: int) -> dict[str, Any]:
        """Return the columns and rows of a statement, and whether there was more than may be returned."""
        rows: list[tuple[Any, ...]] = []
        size, truncated = 0, False
        with closing(self.connection.execute(sql)) as cursor:
            columns = [column[0] for column in cursor.description or ()]
            for row in cursor:
                size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
                truncated = len(rows) == most_rows or size > _MAX_BYTES
                if truncated:
                    break
                rows.append(row)
        return {"columns": columns, "rows": rows, "truncated": truncated}


def authorize(
    reads: set[str],
    allowed: Collection[int],
    action: int,
    first: str | None,
    second: str | None,
    *_: str | None,
) -> int:
    """Allow some actions and note what is read: SQLite has resolved every alias by the time it asks.

    SQLite calls this with an action and its arguments while it compiles a statement. Functions may be called,
    but for those that load native code. For a table that a function makes, as json_each, SQLite asks to
    change its own list of tables; it may, with nothing changed.
    """
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        return sqlite3.SQLITE_IGNORE
    if action == sqlite3.SQLITE_READ and first:
        reads.add(first.lower())
        if second:
            reads.add(f"{first}.{second}".lower())
    # For functions the second argument is the name.
    is_allowed = action in allowed and (second or "").lower() not in _NATIVE
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def build_image(statements: list[str], deadline: float) -> tuple[dict[str, Any], bytes]:
    """Run the statements of a script in memory; return the database as bytes.

    The reply to one that fails has its number, from 0, as "statement".
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        # A script makes its own database and no other file.
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.execute("PRAGMA temp_store = MEMORY")
        # Without any page there is nothing to serialize.
        connection.execute("PRAGMA user_version = 1")
        connection.set_progress_handler(lambda: time.process_time() > deadline, _STEPS)
        for number, statement in enumerate(statements):
            try:
                connection.execute(statement)
            except MemoryError:
                return {"error": "out of memory", "over": "memory", "statement": number}, b""
            except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
                return {**describe_error(error), "statement": number}, b""
        if connection.in_transaction:
            connection.execute("COMMIT")
        return {}, connection.serialize()


def describe_error(error: Exception) -> dict[str, Any]:
    """Return the reply for a statement that failed, or was stopped at its deadline."""
    code = getattr(error, "sqlite_errorcode", None)
    reply: dict[str, Any] = {"error": str(error)[:_LONGEST_ERROR] or type(error).__name__}
    if code == sqlite3.SQLITE_INTERRUPT:
        reply["over"] = "time"
    return reply


def encode_frame(value: Any, content: bytes) -> bytes:
    """Return a frame: bytes within the value become an object {"hex": ...}."""
    text = json.dumps(value, default=lambda cell: {"hex": cell.hex()}).encode()
    return HEADER.pack(len(text), len(content)) + text + content


def read_frame(pipe: IO[bytes]) -> tuple[Any, bytes] | None:
    """Return the value and the bytes of the next frame; None at the end of the input."""
    header = pipe.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, size = HEADER.unpack(header)
    text, content = pipe.read(length), pipe.read(size)
    if len(text) < length or len(content) < size:
        return None
    return json.loads(text), content


def main() -> None:
    """Answer requests until the input ends."""
    for number in TIMERS.values():  # they end the process, whatever the parent ignored
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    worker = Worker()
    while frame := read_frame(sys.stdin.buffer):
        sys.stdout.buffer.write(encode_frame(*worker.answer(*frame)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
