"""Lends workers: processes with limits of memory, computing and time, in which statements run.

Nothing inside SQLite can exceed what the operating system allows: a worker that goes over is killed, and the
next statement has a new one. A worker serves one thread at a time; those that are idle wait for the next.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ace.task.environments.sql import sql_worker
from ace.task.environments.sql.sql_worker import HEADER, TIMERS, encode_frame
from ace.task.limited_process import clock_time, limit_command

_PROGRAM = Path(sql_worker.__file__)
_FILES = 64
_OUTPUT = 1  # megabytes of a file that it may write: the shared memory of a database in WAL mode
_MOST_IDLE = 8
_LONGEST_REPLY = 1_000_000_000  # bytes; the worker's memory is less, as a rule
_CHUNK = 1 << 20
_PATIENCE = 2.0  # seconds on the clock beyond its own limit until a worker is killed


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """Limit one statement, or all statements of a script together."""

    seconds: float = 2.0
    """Of computing."""

    memory: int = 512
    """Megabytes of address space of the process that it runs in."""

    rows: int = 1000
    """That it may return."""

    def explain(self, over: str) -> str:
        """Return what was too much, in words; "" where nothing was."""
        words = {
            "time": f"ran longer than {self.seconds:g} s",
            "memory": f"needed more than {self.memory} MB",
        }
        return words.get(over, "")


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """Name what a worker opens: a file, or the image of a database."""

    uri: str = ""
    """Of a file, for SQLite; "" for an image."""

    image: bytes = b""
    """The bytes of a database; empty for a file."""

    number: int = field(default_factory=count(1).__next__)
    """Each is another one."""


class WorkerProcess:
    """Hold a worker, and the number of the source that it has open; 0 for none."""

    def __init__(self, memory: int) -> None:
        """Start it, with so many megabytes of address space. Raises OSError where it cannot be started."""
        command = [sys.executable, "-I", "-S", str(_PROGRAM)]
        self.memory = memory
        self.owner = os.getpid()
        self.source = 0
        self.process = subprocess.Popen(  # noqa: S603 (our own interpreter and script)
            limit_command(command, memory=memory, output=_OUTPUT, files=_FILES, alone=True),
            env={"LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the terminal is for us
        )

    def exchange(
        self, request: Mapping[str, Any], limits: SqlLimits, content: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        """Return the reply to a request, and the bytes behind it.

        A worker that ends over it is a reply with an error: `over` says which limit was reached, "" for none.
        """
        clock = clock_time(limits.seconds)
        message = encode_frame({**request, "seconds": limits.seconds, "clock": clock}, content)
        pipe, output = self.process.stdin, self.process.stdout
        if pipe is None or output is None:
            raise AssertionError("a worker has pipes")
        deadline = time.monotonic() + clock + _PATIENCE
        try:
            pipe.write(message)
            pipe.flush()
            length, size = HEADER.unpack(self._read(HEADER.size, deadline))
            text, content = self._read(length, deadline), self._read(size, deadline)
            reply: dict[str, Any] = json.loads(
                text, object_hook=lambda value: bytes.fromhex(value["hex"]) if "hex" in value else value
            )
            return reply, content
        except (OSError, EOFError, ValueError):
            return self._describe_end(time.monotonic() > deadline), b""

    def end(self) -> None:
        """Kill it, and reap it. In a process that was forked from its owner only the pipes are closed."""
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is left in a buffer has no reader
                    pipe.close()

    def _read(self, size: int, deadline: float) -> bytes:
        """Return so many bytes of its output. Raises EOFError where it ends before, or at the deadline."""
        if size > _LONGEST_REPLY or self.process.stdout is None:
            raise EOFError
        descriptor = self.process.stdout.fileno()
        chunks: list[bytes] = []
        while size:
            if hasattr(select, "poll"):  # not on Windows
                ready = select.poll()
                ready.register(descriptor, select.POLLIN)
                if not ready.poll(1000 * max(deadline - time.monotonic(), 0.0)):
                    raise EOFError
            chunk = os.read(descriptor, min(size, _CHUNK))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _describe_end(self, is_late: bool) -> dict[str, Any]:
        """Kill what is left of it; return the reply for a worker that ended over a request."""
        code = 0
        if not is_late:
            with suppress(subprocess.TimeoutExpired):
                code = -self.process.wait(_PATIENCE)
        self.end()
        if code in TIMERS.values() or is_late:
            return {"error": "stopped", "over": "time"}
        names = {int(known): known.name for known in signal.Signals}
        reason = names.get(code, f"exit code {-code}")
        return {"error": f"the process that runs SQL ended ({reason})"}


@dataclass
class WorkerPool:
    """Lends workers to threads, and keeps those that nobody uses. Safe to use from several threads.

    In a forked process the workers of its parent are left to that.
    """

    _idle: list[WorkerProcess] = field(default_factory=list)
    """At most `_MOST_IDLE`; each may have the source of its last request open."""

    def ask(self, source: Source, request: Mapping[str, Any] | None, limits: SqlLimits) -> dict[str, Any]:
        """Return a worker's reply to a request about a source, which is opened first where it is not open.

        Without a request that is all, and the reply has the definitions. What cannot be opened is a reply
        with an error, too.
        """
        worker = self._take(source, limits.memory)
        try:
            reply: dict[str, Any] = {}
            if worker.source != source.number or request is None:
                worker.source = 0
                opening = {"do": "open", "uri": source.uri}
                reply, _ = worker.exchange(opening, limits, source.image)
                if not reply.get("error"):
                    worker.source = source.number
            if request is not None and not reply.get("error"):
                reply, _ = worker.exchange(request, limits)
        except BaseException:
            worker.end()  # it still works on a request that nobody waits for
            raise
        is_sound = worker.process.returncode is None and reply.get("over") != "memory"
        if is_sound and len(self._idle) < _MOST_IDLE:
            self._idle.append(worker)
        else:
            worker.end()
        return reply

    def build(self, statements: list[str], limits: SqlLimits) -> tuple[dict[str, Any], bytes]:
        """Return the reply to a script, and the image of the database that it makes."""
        worker = WorkerProcess(limits.memory)
        try:
            return worker.exchange({"do": "build", "statements": statements}, limits)
        finally:
            worker.end()

    def close(self) -> None:
        """End the workers that nobody uses."""
        while self._idle:
            with suppress(IndexError):  # another thread took the last
                self._idle.pop().end()

    def _take(self, source: Source, memory: int) -> WorkerProcess:
        """Return an idle worker, one with this source open first of all, or a new one.

        No lock is needed: of two threads that choose the same worker, one cannot remove it.
        """
        by_fitness = sorted(self._idle, key=lambda worker: worker.source != source.number)
        for worker in by_fitness:
            is_ours = worker.owner == os.getpid()
            if is_ours and worker.memory != memory:
                continue
            with suppress(ValueError):
                self._idle.remove(worker)
                if is_ours and worker.process.poll() is None:
                    return worker
                worker.end()
        return WorkerProcess(memory)


POOL = WorkerPool()
"""The workers of this process."""

atexit.register(POOL.close)
