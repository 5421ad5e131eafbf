"""The process that records and learns, seen from the one that forwards: it is started, told, and asked.

It reads what is in the spools by itself. A hint only makes it look at once. When it ends it is started again,
and nothing is lost meanwhile: the spools keep it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from ace.servers.proxy.projects import Project

MODULE = "ace.servers.proxy.recorder_main"
_PAUSE, _LONGEST = 1.0, 60.0  # seconds before it is started again; doubled each time
_LAST_SECONDS = 30.0  # for what it has to write when it is closed
_LOG = logging.getLogger("ace.proxy")


class FeedbackFate(StrEnum):
    """Name what became of feedback. Both processes know the values."""

    RECORDED = "recorded"
    UNKNOWN = "unknown"
    WAITING = "waiting"


class RecorderProcess:
    """Keep the process alive, and hear from it what became of feedback. Used by one event loop.

    It is told by its stdin what to record, with the passwords of servers: nobody sees those in a list of
    processes.
    """

    def __init__(self, projects: Sequence[Project], *, trust: bool = False) -> None:
        rows = []
        for project in projects:
            row = {name: getattr(project, name) for name in ("name", "model", "task")}
            secret = "" if isinstance(project.playbook, Path) else project.playbook.secret
            rows.append({**row, "playbook": str(project.playbook), "secret": secret})
        self._config = json.dumps({"projects": rows, "trust": trust}).encode() + b"\n"
        self._process: asyncio.subprocess.Process | None = None
        self._asked: dict[str, asyncio.Future[tuple[FeedbackFate, str]]] = {}
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process."""
        await self._spawn()
        self._life = asyncio.create_task(self._keep_alive())

    async def wait_for(self, name: str, seconds: float) -> tuple[FeedbackFate, str]:
        """Return what became of the feedback in a spool, and the episode it is about.

        After so many seconds nothing is known yet: then it waits, in the spool.
        """
        answer = self._asked[name] = asyncio.get_running_loop().create_future()
        try:
            if self._process is not None and self._process.stdin is not None:
                with suppress(OSError, RuntimeError):  # it may have ended just now
                    self._process.stdin.write(b"\n")
            return await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            return FeedbackFate.WAITING, ""
        finally:
            del self._asked[name]

    async def close(self) -> None:
        """Let the process write what waits, and end it."""
        if self._life is not None:
            self._life.cancel()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await process.wait()
        except TimeoutError:
            _LOG.warning("the recorder did not end in %g s: what is left stays in the spool", _LAST_SECONDS)
            process.kill()
            await process.wait()

    async def _spawn(self) -> None:
        """Start the process with its configuration as the first line. Raises OSError."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # an interrupt at the keyboard is for the proxy, which ends it in order
        )
        if self._process.stdin is not None:
            self._process.stdin.write(self._config)

    async def _keep_alive(self) -> None:
        """Hear what the process says; when it ends, start it again after a pause."""
        pause = _PAUSE
        while True:
            process = self._process
            if process is not None and process.stdout is not None:
                while line := await process.stdout.readline():
                    pause = _PAUSE
                    with suppress(ValueError, KeyError):  # what else it may print is no answer
                        values = json.loads(line)
                        answer = self._asked.get(values["name"])
                        if answer is not None and not answer.done():
                            answer.set_result((FeedbackFate(values["fate"]), values["episode"]))
                code = await process.wait()
                _LOG.warning("the recorder ended with %s; it is started again in %g s", code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)
            try:
                await self._spawn()
            except OSError as error:
                self._process = None
                _LOG.warning("the recorder could not be started: %s", error)
