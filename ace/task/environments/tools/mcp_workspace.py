"""A workspace whose tools are those of MCP servers: each attempt has sessions and processes of its own.

The package `mcp` is asynchronous. Its clients run in an event loop in a thread of the workspace: a server in
this process that blocks its loop harms no other attempt. What a server says is data, whatever stands in it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ace.errors import TaskError, WorkspaceFailed
from ace.task.environments.tools.mcp_results import describe_tool, name_tool, read_result
from ace.task.environments.tools.mcp_servers import McpServer
from ace.task.environments.tools.mcp_session import STOP_SECONDS, McpSession
from ace.task.environments.tools.tools_environment import STATE
from ace.task.workspace import Observation, ToolCall, ToolSpec

if TYPE_CHECKING:
    from mcp.types import Tool

    from ace.task.environments.tools.mcp_results import ReadResult

Result = TypeVar("Result")

_MARGIN = 5.0  # seconds in which a loop that nobody blocks reports that a limit is over


class McpWorkspace:
    """Hold the sessions of one attempt. Its methods may be called from any thread, one at a time."""

    bounded = True
    """It limits its own time."""

    def __init__(self, servers: Sequence[McpServer], read: ReadResult = read_result) -> None:
        """Start the event loop; `open` starts the servers."""
        self._read = read
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="mcp", daemon=True)
        self._thread.start()
        self._sessions = [McpSession(server) for server in servers]
        self._tools: dict[McpSession, list[Tool]] = {}
        self._names: dict[tuple[str, str], str] = {}  # by server and tool: a name stays what it is
        self._targets: dict[str, tuple[McpSession, str]] = {}
        self._is_old = False
        self._is_closed = False
        self._blocked = ""

    @classmethod
    def open(cls, servers: Sequence[McpServer], read: ReadResult = read_result) -> Self:
        """Start the servers, all at once, and list their tools. `read` makes an observation of a result.

        Raises WorkspaceFailed for the first that cannot be used, also where it lacks a tool that is to be
        used; TaskError where the package `mcp` is missing.
        """
        try:
            import mcp  # noqa: F401
        except ImportError as error:
            raise TaskError(
                "MCP servers need the package mcp.", hint="pip install ace-engine[mcp]"
            ) from error
        workspace = cls(servers, read)
        sessions = workspace._sessions
        seconds = max((server.start_seconds for server in servers), default=0.0)
        try:
            results = workspace._run(_gather([session.start for session in sessions]), seconds)
            for session, result in zip(sessions, results, strict=True):
                if isinstance(result, BaseException):
                    raise result
                workspace._tools[session] = result
                listed = [tool.name for tool in result]
                for name in (*(session.server.tools or ()), *session.server.state):
                    if name not in listed:
                        message = f"the MCP server {session.server.name!r} has no tool {name!r}"
                        if name in session.left_out:
                            message += f" that can be used ({session.left_out[name]})"
                        raise WorkspaceFailed(f"{message}; it has {', '.join(listed) or 'none'}")
        except BaseException:
            workspace.close()
            raise
        workspace._choose_names()
        return workspace

    def tools(self) -> Sequence[ToolSpec]:
        """Return the tools, listed anew after each call; the last list of a server that does not answer."""
        if self._is_old and not self._is_closed:
            self._is_old = False
            for session in self._sessions:
                if not session.lost:
                    try:
                        self._tools[session] = self._run(session.list_tools(), session.server.call_seconds)
                    except WorkspaceFailed:
                        continue  # a call of it will say so
            self._choose_names()
        specs: list[ToolSpec] = []
        tools = {(session, tool.name): tool for session, listed in self._tools.items() for tool in listed}
        for name, target in self._targets.items():
            specs.append(describe_tool(name, tools[target]))
        return tuple(specs)

    def call(self, call: ToolCall) -> Observation:
        """Return what the tool returns, or an observation that failed."""
        target = self._targets.get(call.name)
        if target is None:
            names = ", ".join(self._targets)
            odd = [session.left_out[call.name] for session in self._sessions if call.name in session.left_out]
            why = f" that can be used ({odd[0]})" if odd else ""
            return Observation.error(f"there is no tool {call.name}{why}; there are {names}")
        session, tool = target
        try:
            json.dumps(call.arguments, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            return Observation.error(f"the arguments are no JSON ({error})")
        try:
            return self._call_tool(session, tool, call.arguments, session.server.result_chars)
        except WorkspaceFailed as error:
            return Observation.error(error.message)

    def finish(self) -> Mapping[str, str]:
        """Return what the `state` tools return now, as one JSON object: texts, or JSON, by "server.tool".

        Raises WorkspaceFailed where one of them fails: then nobody knows the state.
        """
        state: dict[str, Any] = {}
        for session in self._sessions:
            for tool in session.server.state:
                observation = self._call_tool(session, tool, {}, sys.maxsize)
                name = f"{session.server.name}.{tool}"
                if observation.failed:
                    raise WorkspaceFailed(f"the state {name} cannot be read: {observation.text}")
                try:
                    state[name] = json.loads(observation.text)
                except ValueError:
                    state[name] = observation.text
        return {STATE: json.dumps(state, ensure_ascii=False, sort_keys=True)}

    @property
    def lost(self) -> str:
        """Return why a server cannot be used any more, or its process has ended; "" where all can."""
        for session in self._sessions:
            if session.lost:
                return session.lost
            if session.process is not None and session.process.ended:
                return f"the MCP server {session.server.name!r} has ended: {session.process.describe()}"
        return ""

    def close(self) -> None:
        """End all sessions. No process is left, whatever it does."""
        if self._is_closed:
            return
        self._is_closed = True
        with suppress(WorkspaceFailed):  # a loop that is blocked; the processes are killed all the same
            self._run(_gather([session.stop for session in self._sessions]), STOP_SECONDS)
        for session in self._sessions:
            session.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_MARGIN)
        if not self._thread.is_alive():
            self._loop.close()

    def _choose_names(self) -> None:
        """Name each tool that may be used. Where several servers have one, their names stand before it."""
        offered = [
            (session, tool.name)
            for session, listed in self._tools.items()
            for tool in listed
            if session.server.offers(tool.name)
        ]
        offered = list(dict.fromkeys(offered))
        servers_with = Counter(tool for _, tool in offered)
        self._targets = {}
        for session, tool in offered:
            key = (session.server.name, tool)
            if key not in self._names:
                text = f"{session.server.name}_{tool}" if servers_with[tool] > 1 else tool
                self._names[key] = name_tool(text, set(self._names.values()))
            self._targets[self._names[key]] = (session, tool)

    def _call_tool(
        self, session: McpSession, tool: str, arguments: Mapping[str, Any], most: int
    ) -> Observation:
        """Return what a tool returns. Raises WorkspaceFailed where that is nothing."""
        if session.lost or self._is_closed:
            raise WorkspaceFailed(session.lost or f"the MCP server {session.server.name!r} is closed")
        result = self._run(session.call(tool, arguments), session.server.call_seconds)
        self._is_old = True
        observation = self._read(result, most)
        return replace(observation, text=session.server.hide(observation.text))

    def _run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """Return what a coroutine of the loop returns, or raise what it raises.

        It has a limit of its own. Raises WorkspaceFailed where a server in this process blocks the loop.
        """
        if self._blocked:
            work.close()
            raise WorkspaceFailed(self._blocked)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds + _MARGIN)
        except TimeoutError as error:
            future.cancel()
            self._blocked = f"the event loop of the MCP servers was blocked for more than {seconds:g} s"
            raise WorkspaceFailed(self._blocked) from error


async def _gather(works: Sequence[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
    """Return what each of the works returns or raises; they are done at the same time."""
    return await asyncio.gather(*(work() for work in works), return_exceptions=True)
