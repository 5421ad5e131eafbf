"""Stand between an MCP server and its session: bodies have a size, and one odd tool does not cost the others.

The package `mcp` reads a response in JSON whole, however long it is, and refuses a list of tools of which one
has no schema.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from ace.text.sizes import format_size

LONGEST_MESSAGE = 64_000_000
"""Bytes that one message of a server may have: a line, an event, the body of a response."""

_LONGEST_PROBLEM = 200  # characters

LeaveOut = Callable[[str, str], None]
"""Is told the name of a tool that cannot be used, and why."""


async def bound_body(response: Any) -> None:
    """Let the body of a response of `httpx2` be read up to LONGEST_MESSAGE bytes; more is a StreamError.

    One that is compressed is not read: it was not asked for, and nobody knows its size. A stream of events
    has no end, and each of its events a limit of its own.
    """
    import httpx2

    inner = response.stream
    headers = response.headers
    if headers.get("content-type", "").lower().startswith("text/event-stream"):
        return

    class BoundedBody(httpx2.AsyncByteStream):
        """Passes on the bytes of a body, and counts them."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
                raise httpx2.StreamError("it answered in a compressed form that it was not asked for")
            size = 0
            async for chunk in inner:
                size += len(chunk)
                if size > LONGEST_MESSAGE:
                    raise httpx2.StreamError(f"it answered with more than {format_size(LONGEST_MESSAGE)}")
                yield chunk

        async def aclose(self) -> None:
            await inner.aclose()

    response.stream = BoundedBody()


@asynccontextmanager
async def drop_odd_tools(
    transport: Any, leave_out: LeaveOut, find_version: Callable[[], str]
) -> AsyncIterator[tuple[Any, Any]]:
    """Enter a transport and yield its streams; what is no tool is left out of the lists that come by them.

    `find_version` returns that of the protocol: what a tool must have depends on it.
    """
    from anyio import create_memory_object_stream, create_task_group

    async with transport as (source, write), create_task_group() as tasks:
        send, read = create_memory_object_stream[Any](0)

        async def pass_on() -> None:
            """Pass on each message until there is no more."""
            async with send:
                async for item in source:
                    result = getattr(getattr(item, "message", None), "result", None)
                    if isinstance(result, dict) and isinstance(result.get("tools"), list):
                        result["tools"] = _choose_tools(result, find_version(), leave_out)
                    await send.send(item)

        tasks.start_soon(pass_on)
        yield read, write
        tasks.cancel_scope.cancel()


def _choose_tools(listing: Mapping[str, Any], version: str, leave_out: LeaveOut) -> list[Any]:
    """Return the rows of a list that are tools; all of them, where the list is none with whatever tools."""
    from mcp.types import Tool
    from mcp_types.methods import validate_server_result
    from pydantic import ValidationError

    rows: list[Any] = listing["tools"]
    try:
        validate_server_result("tools/list", version, {**listing, "tools": []})
    except (ValueError, KeyError):
        return rows
    tools = []
    for number, row in enumerate(rows, start=1):
        try:
            validate_server_result("tools/list", version, {**listing, "tools": [row]})
            Tool.model_validate(row, by_name=False)
        except ValidationError as error:
            name = row.get("name") if isinstance(row, dict) else None
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"] if part not in ("tools", 0))
            problem = f"{place}: {first['msg']}".removeprefix(": ")
            leave_out(name if isinstance(name, str) else f"number {number}", problem[:_LONGEST_PROBLEM])
            continue
        tools.append(row)
    return tools


def find_schema_problem(tool: Any) -> str:
    """Return why a schema of a tool is none, by the draft that it names; "" where both are schemas."""
    for name, schema in (("inputSchema", tool.input_schema), ("outputSchema", tool.output_schema)):
        problem = _check_schema(json.dumps(schema)) if schema else ""
        if problem:
            return f"{name}{problem}"[:_LONGEST_PROBLEM]
    return ""


@lru_cache(maxsize=4_096)
def _check_schema(text: str) -> str:
    """Return the place and the words of what is wrong with a schema, ""  where nothing is."""
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    schema = json.loads(text)
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        place = "".join(f".{part}" for part in error.path)
        return f"{place}: {error.message}"
    except RecursionError:
        return ": it is nested too deeply"
    return ""
