"""A desk of tau2-bench for one attempt: its MCP server, with a database of its own.

Barres et al., "tau2-Bench" (arXiv 2506.07982). The servers are the PyPI packages tau2-*-mcp-eval. Each writes
its whole state to a folder after every call, which is where the final database is read.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ace.errors import WorkspaceFailed
from ace.task.environments.tools.mcp_servers import McpServer, ServerCommand
from ace.task.environments.tools.mcp_workspace import McpWorkspace
from ace.task.workspace import Observation, ToolCall, ToolSpec, Workspace

if TYPE_CHECKING:
    from mcp.types import CallToolResult

STATE = "state"
"""The artifact: JSON with the records that changed, as they were `before`, and as they are `after`."""

MODULE = "tau2_{}_mcp"
"""The module of a domain's server."""

READING = ("get_", "find_", "list_", "search_", "calculate", "transfer_")
"""How the names of tools begin that leave the database as it is."""

_KEY = "state_key"  # an argument of every tool: which database it means
# They are for whoever runs the server, or for the user.
_HIDDEN = frozenset({"reset_state", "get_call_log", "check_notifications", "dismiss_notification"})
_NO_RECORDS = frozenset({"calls", "domain", "task_id"})
_SECONDS = 60.0
_MOST_CHARACTERS = 20_000  # of a result


@dataclass(slots=True)
class Tau2Workspace(Workspace):
    """Offer the agent's tools of a domain."""

    inner: McpWorkspace
    """The benchmark's server, in a process of its own."""

    folder: TemporaryDirectory[str]
    """Holds its copy of the database until the workspace is closed."""

    key: str
    """The name of that database, an argument of every tool that the agent does not see."""

    first: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The database in the beginning: a table of records by their ids, for each name."""

    bounded = True

    @classmethod
    def open(cls, domain: str, task: str) -> Tau2Workspace:
        """Start the server in the state in which a task begins. Raises WorkspaceFailed."""
        folder = TemporaryDirectory(prefix="ace-tau2-", ignore_cleanup_errors=True)
        command = ServerCommand(
            (sys.executable, "-I", "-m", f"{MODULE.format(domain)}.server"),
            Path(folder.name),
            {f"TAU2_{domain.upper()}_MCP_STATE_DIR": folder.name},
        )
        server = McpServer(
            name=f"tau2-{domain}",
            connection=command,
            start_seconds=_SECONDS,
            call_seconds=_SECONDS,
            result_chars=_MOST_CHARACTERS,
        )
        try:
            inner = McpWorkspace.open([server], read_tau2_result)
        except BaseException:
            folder.cleanup()
            raise
        workspace = cls(inner, folder, f"tau2/{domain}/{task}")
        try:
            reset = workspace._call("reset_state", {"domain": domain, "task_id": task})
            if reset.failed:
                raise WorkspaceFailed(f"tau2-{domain} does not begin: {reset.text}")
            workspace.first = workspace.read_database()
        except BaseException:
            workspace.close()
            raise
        return workspace

    def tools(self) -> Sequence[ToolSpec]:
        """Return the tools of the agent, without the argument that names the database."""
        specs: list[ToolSpec] = []
        for spec in self.inner.tools():
            if spec.name not in _HIDDEN:
                properties = dict(spec.parameters["properties"])
                properties.pop(_KEY, None)
                specs.append(replace(spec, parameters={**spec.parameters, "properties": properties}))
        return specs

    def call(self, call: ToolCall) -> Observation:
        """Return what the tool returns; of one that is not the agent's, an observation that failed."""
        if call.name in _HIDDEN:
            return Observation.error(f"there is no tool {call.name}")
        return self._call(call.name, call.arguments)

    def finish(self) -> Mapping[str, str]:
        """Return the records that changed. Raises WorkspaceFailed for a server that ended on the way."""
        if self.inner.lost:
            raise WorkspaceFailed(self.inner.lost)
        last = self.read_database()
        before: dict[str, dict[str, Any]] = {}
        after: dict[str, dict[str, Any]] = {}
        for table in sorted(self.first.keys() | last.keys()):
            old, new = self.first.get(table, {}), last.get(table, {})
            for number in sorted(old.keys() | new.keys()):
                if old.get(number) != new.get(number):
                    before.setdefault(table, {})[number] = old.get(number)
                    after.setdefault(table, {})[number] = new.get(number)
        return {STATE: json.dumps({"before": before, "after": after}, ensure_ascii=False)}

    def close(self) -> None:
        """End the server and remove its database."""
        self.inner.close()
        self.folder.cleanup()

    def read_database(self) -> dict[str, Any]:
        """Return the database as the server wrote it after its last call. Raises WorkspaceFailed."""
        try:
            digest = hashlib.sha256(self.key.encode()).hexdigest()  # a call may have opened another one
            state = json.loads(Path(self.folder.name, f"{digest}.json").read_text("utf-8"))
            database = state.get("db", state)
            return {name: table for name, table in database.items() if name not in _NO_RECORDS}
        except (OSError, ValueError, AttributeError) as error:
            raise WorkspaceFailed(f"the database of tau2 cannot be read ({error})") from error

    def _call(self, name: str, arguments: Mapping[str, Any]) -> Observation:
        """Call a tool of the server, those that are hidden too, on this workspace's database."""
        return self.inner.call(ToolCall("call", name, {**arguments, _KEY: self.key}))


def read_tau2_result(result: CallToolResult, most: int) -> Observation:
    """Return the message of a result as the benchmark's own agents read it, without what surrounds it."""
    from ace.task.environments.tools.mcp_results import read_result

    message = (result.structured_content or {}).get("tau2_tool_message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        return read_result(result, most)
    return Observation(message["content"], failed=result.is_error)
