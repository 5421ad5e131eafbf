"""Hold one session with one MCP server: start it, list its tools, call them, end it.

All of it runs in the event loop of a workspace. What goes wrong is a WorkspaceFailed that names the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from ace.errors import WorkspaceFailed
from ace.safety.secrets import hide_secrets
from ace.task.environments.tools.mcp_process import ServerProcess
from ace.task.environments.tools.mcp_servers import McpServer, ServerAddress, ServerCommand
from ace.task.environments.tools.mcp_transport import (
    LONGEST_MESSAGE,
    bound_body,
    drop_odd_tools,
    find_schema_problem,
)

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, Tool

_LOG = logging.getLogger("ace.tools")
_VERSION = "2025-11-25"  # of the protocol, as long as none is agreed on
_MOST_TOOLS = 1_000
_MOST_PAGES = 100
_LONGEST_REASON = 1_000  # characters
STOP_SECONDS = 5.0
"""The time for a session to end. Then its process is killed."""


class McpSession:
    """Hold a session. Its methods are coroutines of one event loop, but for `kill`."""

    def __init__(self, server: McpServer) -> None:
        """Remember the server; `start` reaches it."""
        self.server = server
        self.process: ServerProcess | None = None
        self.lost = ""
        """Why it cannot be used any more; "" as long as it can."""

        self.left_out: dict[str, str] = {}
        """Tools that it lists and that cannot be used, with the reason of each."""

        self._client: Client | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> list[Tool]:
        """Reach the server and return its tools. Raises WorkspaceFailed, also where that takes too long."""
        self._task = asyncio.create_task(self._hold())
        try:
            async with asyncio.timeout(self.server.start_seconds):
                while self._client is None:
                    if self._task.done():
                        self._task.result()
                    await asyncio.wait({self._task}, timeout=0.01)
                return await self._list_pages()
        except Exception as error:
            raise self._failure("does not start", error, self.server.start_seconds) from error

    async def list_tools(self) -> list[Tool]:
        """Return the tools as they are now. Raises WorkspaceFailed."""
        try:
            async with asyncio.timeout(self.server.call_seconds):
                return await self._list_pages()
        except Exception as error:
            raise self._failure("does not list its tools", error, self.server.call_seconds) from error

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Return what a tool returns. Raises WorkspaceFailed where there is no result in time."""
        try:
            if self._client is None or self._task is None or self._task.done():
                raise ConnectionError("its session has ended")
            async with asyncio.timeout(self.server.call_seconds):
                return await self._client.call_tool(tool, dict(arguments))
        except Exception as error:
            raise self._failure(f"gives no result of {tool}", error, self.server.call_seconds) from error

    async def stop(self) -> None:
        """End the session, and the process. Never raises, and takes no longer than STOP_SECONDS."""
        self._stop.set()
        if self._task is None:
            return
        _, waiting = await asyncio.wait({self._task}, timeout=STOP_SECONDS / 2)
        if waiting:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_SECONDS / 2)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # what ended it was told already
        self.kill()

    def kill(self) -> None:
        """Kill the process, if there is one, from any thread."""
        if self.process is not None:
            self.process.kill()

    async def _hold(self) -> None:
        """Enter the session, wait until it is to stop, and leave it: all of that in one task."""
        from mcp import Client

        def find_version() -> str:
            """Return the version of the protocol that was agreed on."""
            client = self._client
            return (client.session.protocol_version if client else None) or _VERSION

        connection = self.server.connection
        target: Any
        async with AsyncExitStack() as stack:
            if isinstance(connection, ServerCommand):
                self.process = ServerProcess(connection)
                target = drop_odd_tools(self.process, self._leave_out, find_version)
            elif isinstance(connection, ServerAddress):
                import httpx2
                from mcp.client.streamable_http import streamable_http_client

                timeout = httpx2.Timeout(self.server.start_seconds, read=None)  # calls have their own limits
                headers = {"Accept-Encoding": "identity", **connection.headers}
                hooks = {"response": [bound_body]}
                http = httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks)
                await stack.enter_async_context(http)
                inner = streamable_http_client(
                    connection.url, http_client=http, max_sse_event_size=LONGEST_MESSAGE
                )
                target = drop_odd_tools(inner, self._leave_out, find_version)
            else:
                target = connection.server() if callable(connection.server) else connection.server
            self._client = await stack.enter_async_context(Client(target))
            await self._stop.wait()

    async def _list_pages(self) -> list[Tool]:
        """Return the tools of all pages. Raises ValueError for too many."""
        assert self._client is not None  # noqa: S101 (set by `start`)
        tools: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._client.list_tools(cursor=cursor, cache_mode="refresh")
            for tool in page.tools:
                problem = find_schema_problem(tool)
                if problem:
                    self._leave_out(tool.name, problem)
                else:
                    tools.append(tool)
                    self.left_out.pop(tool.name, None)
            cursor = page.next_cursor
            if not cursor:
                return tools
            if len(tools) > _MOST_TOOLS:
                raise ValueError(f"it lists more than {_MOST_TOOLS:,} tools")
        raise ValueError(f"its list of tools has more than {_MOST_PAGES} pages")

    def _leave_out(self, tool: str, problem: str) -> None:
        """Note that a tool cannot be used, and say so once."""
        problem = hide_secrets(self.server.hide(problem))
        if self.left_out.get(tool) != problem:
            _LOG.warning("the MCP server %r: its tool %s is left out: %s", self.server.name, tool, problem)
        self.left_out[tool] = problem

    def _failure(self, what: str, error: BaseException, seconds: float) -> WorkspaceFailed:
        """Return the error that names the server, says what failed, and all that is known of why.

        A server whose session has ended is lost.
        """
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, TimeoutError):
            reason = f"it took more than {seconds:g} s"
        if self.process is not None:
            with suppress(ValueError):
                known = self.process.describe()
                reason = f"{reason}; {known}" if known else reason
        reason = hide_secrets(self.server.hide(reason))[:_LONGEST_REASON]
        message = f"the MCP server {self.server.name!r} {what}: {reason}"
        has_ended = self.process is not None and self.process.ended
        if has_ended or self._task is None or self._task.done():
            self.lost = message
        return WorkspaceFailed(message)
