"""The `tools` environment over MCP servers: right is the attempt that leaves what the right calls leave.

What is judged is what the servers' `state` tools return in the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ace.task.environments.tools.mcp_servers import McpServers
from ace.task.environments.tools.mcp_workspace import McpWorkspace
from ace.task.environments.tools.tools_environment import STATE, ToolsEnvironment, read_actions
from ace.task.environments.tools.ways import Way
from ace.task.types import Sample


class McpWorld(McpWorkspace):
    """Leave one state: what each `state` tool returns, by "server.tool", as JSON where it is that."""

    def finish(self) -> Mapping[str, str]:
        """Return the state. Raises WorkspaceFailed where a tool does not say it."""
        state: dict[str, Any] = {}
        for name, text in super().finish().items():
            try:
                state[name] = json.loads(text)
            except ValueError:
                state[name] = text
        return {STATE: json.dumps(state, ensure_ascii=False, sort_keys=True)}


def _refuse_world(data: Mapping[str, Any]) -> Any:
    """Stand for the class of a world, which servers have not."""
    raise TypeError("the world of these tools are MCP servers")


@dataclass(frozen=True, slots=True, eq=False)
class McpEnvironment(ToolsEnvironment):
    """Open servers instead of worlds. The right calls of a sample are followed once."""

    servers: McpServers = field(default_factory=lambda: McpServers(()))
    _ways: dict[str, Way] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    bounded = True

    @classmethod
    def of(cls, servers: McpServers, scorer: str = "short") -> McpEnvironment:
        """Return the environment of these servers."""
        return cls(_refuse_world, scorer, servers)

    def open(self, sample: Sample) -> McpWorld:
        """Start every server anew. Raises WorkspaceFailed, which names the one that cannot be used."""
        return McpWorld.open(self.servers.servers)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for actions that are no calls. They are followed when an attempt is scored."""
        read_actions(sample)

    def follow(self, sample: Sample) -> Way:
        """Return what the right calls of a sample do. Raises as `ToolsEnvironment.follow`."""
        with self._lock:
            way = self._ways.get(sample.id)
        if way is None:
            way = ToolsEnvironment.follow(self, sample)
            with self._lock:
                self._ways[sample.id] = way
        return way
