"""Lends processes in which a world runs, so that one that hangs or crashes costs one attempt.

A process serves one borrower at a time and is used again after that. There are never more than a number of
them; who wants another one waits. All are ended with this process. Knows no world.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Timer
from typing import Any

from ace.errors import WorkspaceFailed
from ace.task.limited_process import limit_command

_SECONDS_TO_WAIT = 3600.0  # for a process that somebody else uses
_SECONDS_TO_LEAVE = 2.0
_VARIABLES = ("HOME", "JAVA_HOME", "LANG", "PATH", "SYSTEMROOT", "TEMP", "TMPDIR")  # no keys among them


class WorldProcess:
    """Hold a process that runs a module, which answers requests by `serve_world.serve`."""

    def __init__(self, module: str, memory: int = 0) -> None:
        """Start it; `memory` limits its address space in megabytes, 0 is no limit. Raises OSError."""
        path = os.pathsep.join(filter(None, sys.path))
        known = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        self.owner = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            limit_command([sys.executable, "-P", "-m", module], memory=memory),
            cwd=tempfile.gettempdir(),
            env={**known, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # whatever it starts is ended with it
        )

    def ask(self, do: str, seconds: float, **values: Any) -> Any:
        """Return the answer to a request.

        Raises WorkspaceFailed where the world raises something, takes longer than `seconds`, ends, or writes
        what is no answer. The process is gone then.
        """
        pipe, output = self.process.stdin, self.process.stdout
        if pipe is None or output is None or self.process.returncode is not None:
            raise WorkspaceFailed("The process of the world is gone.")
        timer = Timer(seconds, self._kill)
        timer.start()
        try:
            pipe.write(json.dumps({"do": do, "with": values}) + "\n")
            pipe.flush()
            answer = json.loads(output.readline())
        except (OSError, ValueError) as error:
            is_late = not timer.is_alive()
            self.end()
            reason = f"took longer than {seconds:g} s" if is_late else f"ended ({self.process.returncode})"
            raise WorkspaceFailed(f"The process of the world {reason}.") from error
        except BaseException:  # an answer that nobody reads would be taken for the next one
            self.end()
            raise
        finally:
            timer.cancel()
        if not isinstance(answer, dict):
            self.end()
            raise WorkspaceFailed(f"The process of the world gave {answer!r:.60}.")
        if "error" in answer:
            self.end()
            raise WorkspaceFailed(f"The world failed: {answer['error']}")
        return answer["result"]

    def end(self) -> None:
        """Kill it with all that it started, and reap it. In a forked process only pipes are closed."""
        if self.owner == os.getpid() and self.process.returncode is None:
            self._kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_SECONDS_TO_LEAVE)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is left in a buffer has no reader
                    pipe.close()

    def _kill(self) -> None:
        """Kill the process and its group. It is not reaped yet, so its number belongs to nobody else."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()


class WorldPool:
    """Lend processes of one module. Safe to use from several threads.

    `memory` limits the address space of each, in megabytes; 0 is no limit.
    """

    def __init__(self, module: str, most: int = 4, *, memory: int = 0, reuse: bool = True) -> None:
        """Name the module, and how many processes there may be; without `reuse` each is for one borrower."""
        self.module = module
        self.reuse = reuse
        self.memory = memory
        self._free = BoundedSemaphore(most)
        self._idle: list[WorldProcess] = []
        self.close = weakref.finalize(self, _end_all, self._idle)
        """End the processes that nobody uses. Called with the end of this process, too."""

    def take(self) -> WorldProcess:
        """Return a process; it has to be given back. Raises WorkspaceFailed where none gets free in time."""
        if not self._free.acquire(timeout=_SECONDS_TO_WAIT):
            raise WorkspaceFailed(
                f"No process for a world got free in {_SECONDS_TO_WAIT:g} s.",
                hint="Allow for more `processes`, or run with fewer workers.",
            )
        try:
            while self._idle:
                with suppress(IndexError):  # another thread took the last
                    process = self._idle.pop()
                    if process.owner == os.getpid() and process.process.poll() is None:
                        return process
                    process.end()
            return WorldProcess(self.module, self.memory)
        except BaseException:
            self._free.release()
            raise

    def give_back(self, process: WorldProcess) -> None:
        """Keep a process for the next; one that is gone leaves its place to another."""
        if self.reuse and process.process.poll() is None and self.close.alive:
            self._idle.append(process)
        else:
            process.end()
        self._free.release()

    def begin(self, seconds: float, **scenario: Any) -> tuple[WorldProcess, Any]:
        """Return a process in which a world has begun, and what that said; it has to be given back.

        Raises WorkspaceFailed where it does not begin in so many seconds.
        """
        process = self.take()
        try:
            return process, process.ask("start", seconds, **scenario)
        except BaseException:
            process.end()
            self.give_back(process)
            raise

    @contextmanager
    def lend(self) -> Iterator[WorldProcess]:
        """Lend a process for a block; one that was left over an error is not used again."""
        process = self.take()
        try:
            yield process
        except BaseException:
            process.end()
            raise
        finally:
            self.give_back(process)


def _end_all(processes: list[WorldProcess]) -> None:
    """End processes that nobody has borrowed, and empty the list."""
    while processes:
        processes.pop().end()
