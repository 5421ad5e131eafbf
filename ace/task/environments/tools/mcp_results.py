"""Put what an MCP server says into text for a model: names of tools, descriptions, results.

All of it is data from somebody else. Nothing in it is markup for us.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ace.task.trajectory import shorten_middle
from ace.task.workspace import Observation, ToolSpec

if TYPE_CHECKING:
    from mcp.types import CallToolResult, Tool

ReadResult = Callable[["CallToolResult", int], Observation]
"""Make an observation, of about so many characters, of what a tool returned."""

_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 4_000
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST = 8


def name_tool(text: str, others: Collection[str]) -> str:
    """Return a name that models can take, and that no other tool has: letters, digits, "_" and "-".

    A name that is too long ends with a digest of the whole.
    """
    name = _NOT_IN_NAMES.sub("_", text).strip("_") or "tool"
    if not (name[0].isalpha() or name[0] == "_"):
        name = f"tool_{name}"
    if len(name) > _LONGEST_NAME or name in others:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST]
        name = f"{name[: _LONGEST_NAME - _DIGEST - 1]}_{digest}"
    return name


def describe_tool(name: str, tool: Tool) -> ToolSpec:
    """Return the tool as a model is told of it: under its own name, and with a schema that is an object's."""
    schema: dict[str, Any] = {**tool.input_schema, "type": "object"}
    schema.setdefault("properties", {})
    description = tool.description or tool.title or ""
    return ToolSpec(name, shorten_middle(description, _LONGEST_DESCRIPTION), schema)


def read_result(result: CallToolResult, most: int) -> Observation:
    """Return a result as a model reads it, of about `most` characters: its middle is cut out and counted."""
    text = "\n".join(_read_block(block) for block in result.content)
    if not text.strip() and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if not text.strip():
        text = "(nothing)"
    text = shorten_middle(text, most)
    return Observation.error(text) if result.is_error else Observation(text)


def _read_block(block: Any) -> str:
    """Return a text as it is, and of anything else a line that says what it is."""
    resource: Any = getattr(block, "resource", None)
    encoded = getattr(block, "data", "") or getattr(resource, "blob", "")
    size = f"{len(encoded.rstrip('=')) * 3 // 4:,} bytes"  # of base64
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return f"[{block.type}: {block.mime_type}, {size}]"
        case "resource":
            place = f"{resource.uri}, {resource.mime_type or 'unknown type'}"
            if hasattr(resource, "text"):
                return f"[resource: {place}]\n{resource.text}"
            return f"[resource: {place}, {size}]"
        case "resource_link":
            return f"[resource: {block.uri}, {block.name}, {block.mime_type or 'unknown type'}]"
    return f"[{block.type}]"
