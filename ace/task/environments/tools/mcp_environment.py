"""The `tools` environment over MCP servers: right is the attempt that leaves what the right calls leave.

What is judged is what the servers' `state` tools return in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Self

from ace.task.environments.tools.mcp_servers import McpServers
from ace.task.environments.tools.mcp_workspace import McpWorkspace
from ace.task.environments.tools.tools_environment import ToolsEnvironment, read_actions
from ace.task.environments.tools.ways import Way
from ace.task.types import Sample


@dataclass(frozen=True, slots=True, eq=False)
class McpEnvironment(ToolsEnvironment):
    """Open servers instead of worlds. The right calls of a sample are followed once."""

    servers: McpServers = field(default_factory=lambda: McpServers(()))
    """Those that are started anew for every attempt."""

    _ways: dict[str, Way] = field(default_factory=dict)
    """What the right calls do, by the id of their sample."""

    _lock: Lock = field(default_factory=Lock)
    """Held to look at `_ways`, not while calls are made."""

    bounded = True

    @classmethod
    def of(cls, servers: McpServers, scorer: str = "short") -> Self:
        """Return the environment of these servers. `scorer` is as in `ToolsEnvironment`."""
        create: Any = servers.open  # servers take the place of a world
        return cls(create, scorer, servers)

    def open(self, sample: Sample) -> McpWorkspace:
        """Start every server anew. Raises WorkspaceFailed, which names the one that cannot be used."""
        return self.servers.open(sample)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for actions that are no calls. They are followed when an attempt is scored."""
        read_actions(sample)

    def follow(self, sample: Sample, *, watch: bool = False) -> Way:
        """Return what the right calls of a sample do, watched once for all. Raises as in a world."""
        with self._lock:
            way = self._ways.get(sample.id)
        if way is None:
            way = ToolsEnvironment.follow(self, sample, watch=True)
            with self._lock:
                self._ways[sample.id] = way
        return way
