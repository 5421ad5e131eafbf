"""Bodies of requests and replies of three interfaces, as JSON: where the system prompt is, and what was said.

Nothing that is given is changed: a body with a context is a copy of what differs. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ace.text.message_content import read_message

Body = Mapping[str, Any]


class Interface(StrEnum):
    """Name an interface by the end of its address."""

    CHAT = "/chat/completions"  # OpenAI's and everybody's
    RESPONSES = "/responses"  # OpenAI's newer one
    MESSAGES = "/messages"  # Anthropic's


def find_interface(url: str) -> Interface | None:
    """Return the interface that an address belongs to; None for other services."""
    path = urlsplit(url).path.rstrip("/")
    return next((interface for interface in Interface if path.endswith(interface)), None)


def add_context(interface: Interface, body: Body, context: str) -> dict[str, Any]:
    """Return the body with a context after the caller's system prompt, or in its place where there is none.

    That prompt is the last message of a system or a developer at the beginning, or the field for it.
    """
    field = "input" if interface is Interface.RESPONSES else "messages"
    if interface is Interface.MESSAGES:
        return {**body, "system": _append(body.get("system"), context)}
    items = body.get(field)
    leading = 0
    if isinstance(items, list):
        while leading < len(items) and (read_message(items[leading]) or ("",))[0] == "system":
            leading += 1
    if leading and isinstance(items, list):
        last = items[leading - 1]
        part = "input_text" if interface is Interface.RESPONSES else "text"
        changed = {**last, "content": _append(last.get("content"), context, part)}
        return {**body, field: [*items[: leading - 1], changed, *items[leading:]]}
    if interface is Interface.RESPONSES:
        return {**body, "instructions": _append(body.get("instructions"), context)}
    messages = items if isinstance(items, list) else []
    return {**body, field: [{"role": "system", "content": context}, *messages]}


def _append(content: Any, context: str, part: str = "text") -> Any:
    """Return a text, or a list of parts, with a context behind it. `part` is the type of a part of text."""
    if isinstance(content, list):
        return [*content, {"type": part, "text": context}]
    return f"{content}\n\n{context}" if content else context


def list_request_items(interface: Interface, body: Body) -> list[Any]:
    """Return the entries of the conversation that a request holds, its system prompt left out."""
    field = "input" if interface is Interface.RESPONSES else "messages"
    items = body.get(field)
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    items = list(items) if isinstance(items, list | tuple) else []
    return [item for item in items if (read_message(item) or ("",))[0] != "system"]


def list_reply_items(interface: Interface, reply: Body) -> list[Any]:
    """Return the entries that a reply adds to its conversation; the first choice, where there are several."""
    if interface is Interface.RESPONSES:
        output = reply.get("output")
        return list(output) if isinstance(output, list) else []
    if interface is Interface.MESSAGES:
        return [{"role": "assistant", "content": reply.get("content")}]
    choices = reply.get("choices") or []
    return [choices[0]["message"]] if choices and choices[0].get("message") else []


def find_earlier(body: Body) -> str:
    """Return the id of the reply, or the conversation, that a request continues; "" where it holds it all."""
    earlier = body.get("previous_response_id") or body.get("conversation") or ""
    if isinstance(earlier, Mapping):
        earlier = earlier.get("id") or ""
    return str(earlier)


def find_user(body: Body) -> str:
    """Return for whom a request says that it is; "" where it does not."""
    metadata = body.get("metadata")
    of_metadata = metadata.get("user_id") if isinstance(metadata, Mapping) else ""
    user = body.get("user") or body.get("safety_identifier") or of_metadata
    return user if isinstance(user, str) else ""
