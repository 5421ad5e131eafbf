"""Say which MCP servers an attempt may use, how they are reached, and their limits. Speaks no protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError
from ace.safety.secrets import hide_values
from ace.task.types import Sample

if TYPE_CHECKING:
    from ace.task.environments.tools.mcp_workspace import McpWorkspace

_SHORTEST_SECRET = 6  # characters
_INHERITED = ("HOME", "USER", "LOGNAME")


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """Reach a server by starting it: one process for each attempt, which speaks on stdin and stdout."""

    words: tuple[str, ...]
    """The program and its arguments."""

    folder: Path | None = None
    """Where it runs; the working directory where there is none."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Its environment variables, beside the few of `environment`."""

    def environment(self) -> dict[str, str]:
        """Return all variables of the process: where programs and home are, UTF-8, and its own."""
        path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        variables = {"PATH": os.pathsep.join(path), "LANG": "C.UTF-8"}
        for name in _INHERITED:
            if name in os.environ:
                variables[name] = os.environ[name]
        return {**variables, **self.env}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Reach a server by streamable HTTP: one session for each attempt."""

    url: str
    """Begins with http:// or https://."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request: they may hold a key, so they are not shown."""


@dataclass(frozen=True, slots=True)
class ServerObject:
    """Reach a server in this process."""

    server: Any
    """A server of the `mcp` package, or a function that returns a new one for each attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """Describe one server."""

    name: str
    """Stands before the names of its tools where several servers have one of the same name."""

    connection: ServerCommand | ServerAddress | ServerObject
    """How it is reached."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that stand in no message and no result."""

    tools: tuple[str, ...] | None = None
    """The names of the tools that may be used; None for all."""

    state: tuple[str, ...] = ()
    """Tools that are called without arguments when an attempt ends. What they return is its final state."""

    start_seconds: float = 30.0
    """The time until it has said which tools it has."""

    call_seconds: float = 30.0
    """The time for one call."""

    result_chars: int = 8_000
    """A longer result loses its middle."""

    def offers(self, tool: str) -> bool:
        """Return whether a model may use the tool."""
        if self.tools is None:
            return tool not in self.state
        return tool in self.tools

    def hide(self, text: str) -> str:
        """Return the text without the values of `secrets`, but for those that could be a word."""
        values = [value for value in self.secrets if len(value) >= _SHORTEST_SECRET]
        return hide_values(text, values) if values else text


@dataclass(frozen=True, slots=True)
class McpServers:
    """Hold the servers of a task."""

    servers: tuple[McpServer, ...]
    """In the order of the task's file."""

    def __post_init__(self) -> None:
        names = [server.name for server in self.servers]
        if len(set(names)) < len(names):
            raise InputError(
                f"Two MCP servers have one name: {', '.join(names)}.", hint="Rename one of them."
            )

    @classmethod
    def of(cls, **servers: Any) -> McpServers:
        """Return servers of this process by their names: objects, or functions that make them."""
        return cls(
            tuple(McpServer(name=name, connection=ServerObject(each)) for name, each in servers.items())
        )

    def open(self, sample: Sample | None = None) -> McpWorkspace:
        """Start every server anew and return a workspace with their tools; the same for every sample.

        Raises WorkspaceFailed, which names the server that cannot be used, and TaskError where the package
        `mcp` is missing. No process is left then.
        """
        from ace.task.environments.tools.mcp_workspace import McpWorkspace

        return McpWorkspace.open(self.servers)
