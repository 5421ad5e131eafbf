"""The [tools] table of task.toml: the class of the world, or MCP servers, and how answers are compared."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ace.errors import describe_error
from ace.task.environments.scorers import SCORERS
from ace.task.environments.tools.tools_environment import ToolsEnvironment
from ace.task.own_module import load_class
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class ToolsTable(TomlModel):
    """Name the world, or its servers."""

    world: Annotated[
        str, Field(pattern=r"^[\w.]+:\w+$", description="'module:Class', a class of the task's")
    ] = ""
    """Left out where there are servers."""

    mcpServers: Annotated[dict[str, Any], Field(default_factory=dict)]  # noqa: N815 (as all clients call it)
    """Tables, each of which has a model of its own."""

    scorer: str = "short"
    """How an answer in words is compared, where rows have a right one."""


def load_tools_environment(table: TomlTable) -> ToolsEnvironment:
    """Return the environment that the table describes. Raises TaskError for a class that does not load."""
    settings = table.validate(ToolsTable)
    if settings.scorer not in SCORERS:
        raise table.problem("scorer", f"Expected one of {', '.join(SCORERS)}, found {settings.scorer!r}.")
    if bool(settings.world) == bool(settings.mcpServers):
        raise table.problem("world", "Expected either a world or the table mcpServers.")
    if settings.mcpServers:
        from ace.task.environments.tools.mcp_environment import McpEnvironment
        from ace.task.environments.tools.mcp_toml import load_mcp_servers

        return McpEnvironment.of(load_mcp_servers(table.table("mcpServers")), settings.scorer)
    try:
        world = load_class(table.file.parent.resolve(), settings.world)
    except (Exception, SystemExit) as error:  # of the user's own code: this is the field to look at
        reason = describe_error(error)
        raise table.problem("world", f"{settings.world} does not load ({reason}).") from error
    missing = [method for method in ("tools", "state") if not callable(getattr(world, method, None))]
    if missing:
        hint = "`tools()` returns functions, `state()` what is judged."
        raise table.problem("world", f"{settings.world} has no method {', '.join(missing)}.", hint)
    return ToolsEnvironment(world, settings.scorer)
