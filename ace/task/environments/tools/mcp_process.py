"""Start an MCP server as a process and pass its messages on, one JSON text a line. Nothing of it is left.

The process gets a group of its own, which is killed when the session ends. A line that is no message is
counted and quoted in errors. The package `mcp` has such a transport, too: it bounds no line, and leaves what
a server started running when the server itself ends in time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from contextlib import suppress
from typing import Any

from ace.task.environments.tools.mcp_servers import ServerCommand
from ace.task.environments.tools.mcp_transport import LONGEST_MESSAGE
from ace.text.sizes import format_size

_QUOTED = 500  # bytes of the end of its stderr, and of a line that is no message
_GRACE = 1.0  # seconds to end by itself once nobody writes to it any more
_PAUSE = 0.01


class ServerProcess:
    """Hold one process: an async context manager that yields a stream of its messages, and one to it."""

    def __init__(self, command: ServerCommand) -> None:
        """Remember the command; entering the context starts it."""
        self.command = command
        self.process: Process | None = None
        self.problem = ""
        self.noise = 0
        self.last_noise = b""
        self.errors = bytearray()
        self._tasks: list[asyncio.Task[None]] = []
        self._streams: list[Any] = []
        self._transport: asyncio.SubprocessTransport | None = None

    async def __aenter__(self) -> tuple[Any, Any]:
        """Start the process. Raises OSError for a program that cannot be started."""
        from anyio import create_memory_object_stream

        loop = asyncio.get_running_loop()
        self._transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(LONGEST_MESSAGE, loop),
            *self.command.words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.command.folder,
            env=self.command.environment(),
            start_new_session=True,
        )
        self.process = Process(self._transport, protocol, loop)
        incoming, read = create_memory_object_stream[Any](0)
        write, outgoing = create_memory_object_stream[Any](0)
        self._streams = [incoming, read, write, outgoing]
        works = (self._read_messages(incoming), self._write_messages(outgoing), self._read_errors())
        self._tasks = [loop.create_task(work) for work in works]
        return read, write

    async def __aexit__(self, *error: object) -> None:
        """Close its input, ask it to end where that is not enough, and kill what is left of its group."""
        if self.process is None or self._transport is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await self._wait_for_end(_GRACE)
            if not self.ended:
                self.kill(signal.SIGTERM)
                await self._wait_for_end(_GRACE)
        finally:
            self.kill()
            self._transport.close()
            for task in self._tasks:
                task.cancel()
            for stream in self._streams:
                stream.close()
        await asyncio.wait(self._tasks, timeout=2 * _GRACE)  # they see that it is gone, which reaps it

    @property
    def ended(self) -> bool:
        """Return whether it has ended."""
        return self.process is not None and self.process.returncode is not None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process and what it started, from any thread; nothing left is fine."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, how)

    def describe(self) -> str:
        """Return what is known of how it goes: how it ended, what it wrote that is no message, its stderr."""
        parts: list[str] = []
        code = self.process.returncode if self.process is not None else None
        if self.problem:
            parts.append(self.problem)
        elif code is not None and code < 0:
            names = {int(known): known.name for known in signal.Signals}
            parts.append(f"it was ended by {names.get(-code, f'signal {-code}')}")
        elif code is not None:
            parts.append(f"it ended with exit code {code}")
        if self.noise:
            last = self.last_noise[:_QUOTED].decode("utf-8", "replace")
            parts.append(f"{self.noise:,} lines of its stdout are no message, the last: {last!r}")
        errors = self.errors.decode("utf-8", "replace").strip()
        if errors:
            parts.append(f"its stderr ends: {errors}")
        return "; ".join(parts)

    async def _read_messages(self, incoming: Any) -> None:
        """Pass on every line that is a message, until its stdout ends."""
        from mcp.shared.message import SessionMessage
        from mcp.types import jsonrpc_message_adapter

        assert self.process is not None and self.process.stdout is not None  # noqa: S101 (PIPE above)
        try:
            while line := await self.process.stdout.readline():
                for text in (line, _repair_line(line)):
                    with suppress(ValueError):
                        message = jsonrpc_message_adapter.validate_json(text, by_name=False)
                        await incoming.send(SessionMessage(message))
                        break
                else:
                    if line.strip():
                        self.noise += 1
                        self.last_noise = line.strip()
        except ValueError:  # of readline
            self.problem = f"it wrote a line of more than {format_size(LONGEST_MESSAGE)}"
            self.kill()
        except OSError as error:
            self.problem = f"its stdout cannot be read ({error})"
        finally:
            await self._wait_for_end(_GRACE)  # what waits for an answer is told only then, and why
            incoming.close()

    async def _write_messages(self, outgoing: Any) -> None:
        """Write every message as one line, until there is no more, or nobody reads it."""
        assert self.process is not None and self.process.stdin is not None  # noqa: S101 (PIPE above)
        with suppress(OSError):  # its stdout ends as well then, or calls run out of time
            async for each in outgoing:
                line = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                self.process.stdin.write(line.encode() + b"\n")
                await self.process.stdin.drain()

    async def _read_errors(self) -> None:
        """Keep the end of its stderr, however much that is."""
        assert self.process is not None and self.process.stderr is not None  # noqa: S101 (PIPE above)
        with suppress(OSError):
            while chunk := await self.process.stderr.read(65_536):
                self.errors.extend(chunk)
                del self.errors[:-_QUOTED]

    async def _wait_for_end(self, seconds: float) -> None:
        """Wait until it has ended and its stderr is read, at most so long.

        `Process.wait` would wait for whoever has inherited its pipes, too.
        """
        assert self.process is not None  # noqa: S101 (its only callers run after the start)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            errors_are_read = all(task.done() for task in self._tasks[2:])
            if self.process.returncode is not None and errors_are_read:
                return
            await asyncio.sleep(_PAUSE)


def _repair_line(line: bytes) -> bytes:
    """Return JSON without bytes and escapes that are no text; what is no JSON as it is."""
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return line
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
