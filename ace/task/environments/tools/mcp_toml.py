"""The [tools.mcpServers.NAME] tables of task.toml, in the form that clients of MCP share.

Imported on first use only, because pydantic is.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ace.errors import describe_error
from ace.task.environments.tools.mcp_servers import (
    McpServer,
    McpServers,
    ServerAddress,
    ServerCommand,
    ServerObject,
)
from ace.task.own_module import load_class
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable

_SERVER = McpServer(name="", connection=ServerObject(None))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_KINDS = ("command", "url", "server")

Seconds = Annotated[float, Field(gt=0, le=3_600)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, description="names")]

Texts = Annotated[dict[str, str], Field(default_factory=dict, description="a table of texts")]


class LimitsTable(TomlModel):
    """Hold what every server may set; the fields are those of `McpServer`."""

    tools: Names | None = None
    state: Names = ()
    start_seconds: Seconds = _SERVER.start_seconds
    call_seconds: Seconds = _SERVER.call_seconds
    result_chars: Annotated[int, Field(ge=100)] = _SERVER.result_chars


class CommandTable(LimitsTable):
    """Start a server: see `ServerCommand`."""

    type: Literal["stdio"] = "stdio"
    """May be left out: a table with a command is of this type."""

    command: Annotated[str, Field(min_length=1)]
    """A program that is installed, or with a "/" a file of the task folder."""

    args: Annotated[tuple[str, ...], Field(strict=False, description="a list of texts")] = ()
    """Its arguments."""

    env: Texts
    """Its environment variables; "${NAME}" in a value is that variable of this process."""

    cwd: str = "."
    """Where it runs: a folder, seen from the one of the task."""


class AddressTable(LimitsTable):
    """Reach a server by its address: see `ServerAddress`."""

    type: Literal["http", "streamable-http", "streamableHttp"] = "http"
    """May be left out: a table with an address is of this type."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]", description="an address as 'http://host/mcp'")]
    """Where the server is reached by streamable HTTP."""

    headers: Texts
    """Sent with every request; "${NAME}" in a value is that variable of this process."""


class ObjectTable(LimitsTable):
    """Make a server with a function of the task's folder."""

    server: Annotated[str, Field(pattern=r"^[\w.]+:\w+$", description="'module:function'")]
    """Returns a new server of the package `mcp` for each attempt."""


def load_mcp_servers(table: TomlTable) -> McpServers:
    """Return the servers of a table, each of which is a table under its own name.

    Raises TaskError for what does not fit: it names the server and the key.
    """
    return McpServers(tuple(_load_server(name, table) for name in table.values))


def _load_server(name: str, servers: TomlTable) -> McpServer:
    """Return one server. Raises TaskError."""
    if not _NAME.fullmatch(name):
        message = "Not a usable name of a server."
        raise servers.problem(name, message, "Use at most 40 letters, digits, '_', '-' and '.'.")
    table = servers.table(name)
    kinds = [key for key in _KINDS if key in table.values]
    if len(kinds) != 1:
        found = f"found {' and '.join(kinds)}" if kinds else "found none of them"
        raise servers.problem(name, f"Expected one of {', '.join(_KINDS)}, {found}.")
    secrets: list[str] = []
    settings: CommandTable | AddressTable | ObjectTable
    connection: ServerCommand | ServerAddress | ServerObject
    match kinds[0]:
        case "command":
            settings = table.validate(CommandTable)
            env = _fill_variables(table.table("env"), settings.env, secrets)
            connection = _load_command(table, settings, env)
        case "url":
            settings = table.validate(AddressTable)
            headers = _fill_variables(table.table("headers"), settings.headers, secrets)
            for key, value in headers.items():
                if not (value.isascii() and value.isprintable()):
                    raise table.table("headers").problem(key, "Expected printable ASCII characters.")
            connection = ServerAddress(settings.url, headers)
        case _:
            settings = table.validate(ObjectTable)
            try:
                connection = ServerObject(load_class(table.file.parent.resolve(), settings.server))
            except (Exception, SystemExit) as error:  # of the user's own code: this is the field to look at
                reason = describe_error(error)
                raise table.problem("server", f"{settings.server} does not load ({reason}).") from error
    return McpServer(
        name=name,
        connection=connection,
        secrets=tuple(secrets),
        tools=settings.tools,
        state=settings.state,
        start_seconds=settings.start_seconds,
        call_seconds=settings.call_seconds,
        result_chars=settings.result_chars,
    )


def _load_command(table: TomlTable, settings: CommandTable, env: Mapping[str, str]) -> ServerCommand:
    """Return the command. A program with a "/" is a file of the task folder, any other one is installed.

    Raises TaskError for a program that is not there.
    """
    folder = table.resolve_path("cwd", settings.cwd, folder=True).resolve()
    command = ServerCommand((settings.command, *settings.args), folder, env)
    program = settings.command
    if "/" in program and not Path(program).is_absolute():
        program = str(table.resolve_path("command", program).resolve())
    found = shutil.which(program, path=command.environment()["PATH"])
    if found is None:
        message = f"No such program, or none that can be run: {settings.command!r}."
        raise table.problem("command", message, "Install it, or correct it; arguments stand in args.")
    return ServerCommand((found, *settings.args), folder, env)


def _fill_variables(table: TomlTable, values: Mapping[str, str], secrets: list[str]) -> dict[str, str]:
    """Return the values with each "${NAME}" replaced by that variable of this process.

    What was filled in is added to `secrets`. Raises TaskError for a variable that is not set.
    """
    filled: dict[str, str] = {}
    for key, value in values.items():
        if not key.strip() or "=" in key or "\0" in key + value:
            raise table.problem(key, "Not a usable name or value.")
        for name in _VARIABLE.findall(value):
            if name not in os.environ:
                raise table.problem(key, f"The environment variable {name} is not set.", "Set it.")
            secrets.append(os.environ[name])
        filled[key] = _VARIABLE.sub(lambda match: os.environ[match[1]], value)
    return filled
