"""Bodies of requests and replies of three interfaces, as JSON: where the system prompt is, and what was said.

Nothing that is given is changed: a body with a context is a copy of what differs. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ace.text.json_edit import append_value, extend_text, insert_value, replace_value
from ace.text.message_content import read_message

Body = Mapping[str, Any]


class Interface(StrEnum):
    """Name an interface by the end of its address."""

    CHAT = "/chat/completions"  # OpenAI's and everybody's
    RESPONSES = "/responses"  # OpenAI's newer one
    MESSAGES = "/messages"  # Anthropic's

    @property
    def items_field(self) -> str:
        """Return the field of a request that holds its conversation."""
        return "input" if self is Interface.RESPONSES else "messages"


def find_interface(url: str) -> Interface | None:
    """Return the interface that an address belongs to; None for other services."""
    path = urlsplit(url).path.rstrip("/")
    return next((interface for interface in Interface if path.endswith(interface)), None)


@dataclass(frozen=True, slots=True)
class ContextPlace:
    """Say where in a body a context goes: to the end of the text at `path`, or into the list there."""

    path: tuple[str | int, ...]
    """Keys and places, from the outside in. Nothing need be there."""

    position: int | None = None
    """Its place in the list; None where it is a text, or takes the place of nothing."""

    entry: Mapping[str, Any] | None = None
    """What is put into the list: a part of a prompt, or a message; None for a text."""


def find_place(interface: Interface, body: Body, context: str) -> ContextPlace:
    """Return the place of a context: behind the caller's system prompt, or instead of it where there is none.

    That prompt is the last message of a system or a developer at the beginning, or the field for it. Of a
    prompt in parts the last one that the caller has cached counts: what stands behind it may change.
    """
    if interface is Interface.MESSAGES:
        return _place_within(("system",), body.get("system"), {"type": "text", "text": context})
    field = interface.items_field
    items = body.get(field)
    leading = 0
    last = 0
    while isinstance(items, list) and leading < len(items):
        if (read_message(items[leading]) or ("",))[0] != "system":
            break
        if _find_cached(items[leading].get("content")):
            last = leading + 1
        leading += 1
    if leading and isinstance(items, list):
        last = (last or leading) - 1
        kind = "input_text" if interface is Interface.RESPONSES else "text"
        part = {"type": kind, "text": context}
        return _place_within((field, last, "content"), items[last].get("content"), part)
    if interface is Interface.RESPONSES:
        return ContextPlace(("instructions",))
    return ContextPlace((field,), 0, {"role": "system", "content": context})


def add_context(interface: Interface, body: Body, context: str) -> dict[str, Any]:
    """Return the body with a context at its place (`find_place`)."""
    place = find_place(interface, body, context)

    def change(holder: Any, path: Sequence[str | int]) -> Any:
        """Return a copy of a holder in which the value at a path has the context."""
        if path:
            key: Any = path[0]
            copy: Any = list(holder) if isinstance(holder, list) else {key: None, **holder}
            copy[key] = change(copy[key], path[1:])
            return copy
        if place.position is None:
            return f"{holder}\n\n{context}" if holder else context
        entries = list(holder) if isinstance(holder, list) else []
        return [*entries[: place.position], place.entry, *entries[place.position :]]

    changed: dict[str, Any] = change(body, place.path)
    return changed


def insert_context(interface: Interface, text: str, body: Body, context: str) -> str:
    """Return the JSON `text` of a body with a context at its place; all else stays byte for byte.

    `body` is the value of the text. Raises KeyError for a body that has not the form of its interface.
    """
    place = find_place(interface, body, context)
    if place.position is not None:
        return insert_value(text, place.path, place.position, place.entry)
    holder: Any = body
    for step in place.path[:-1]:
        holder = holder[step]
    name = str(place.path[-1])
    if isinstance(holder.get(name), str) and holder[name]:
        return extend_text(text, place.path, f"\n\n{context}")
    if name in holder:
        return replace_value(text, place.path, context)
    return append_value(text, place.path[:-1], context, name)


def _place_within(path: tuple[str | int, ...], content: Any, part: Mapping[str, Any]) -> ContextPlace:
    """Return the place in a content: behind its last cached part, or at its end."""
    if not isinstance(content, list):
        return ContextPlace(path)
    return ContextPlace(path, _find_cached(content) or len(content), part)


def _find_cached(content: Any) -> int:
    """Return the place behind the last part of a content that the caller marks to be cached; 0 for none."""
    behind = 0
    for place, part in enumerate(content if isinstance(content, list) else (), start=1):
        if isinstance(part, Mapping) and part.get("cache_control"):
            behind = place
    return behind


def list_request_items(interface: Interface, body: Body) -> list[Any]:
    """Return the entries of the conversation that a request holds, its system prompt left out."""
    items = body.get(interface.items_field)
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
    of_metadata = _read_user(of_metadata).get("device_id") or of_metadata
    user = body.get("user") or body.get("safety_identifier") or of_metadata
    return user if isinstance(user, str) else ""


def find_session(body: Body) -> str:
    """Return the session that a request says it belongs to; "" where it does not."""
    metadata = body.get("metadata")
    inner = metadata if isinstance(metadata, Mapping) else {}
    named = inner.get("session_id") or body.get("litellm_session_id") or body.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return named
    return str(_read_user(inner.get("user_id")).get("session_id") or "")


def _read_user(value: Any) -> Mapping[str, Any]:
    """Return what Claude Code writes into the field for a user, which is JSON; empty for a plain name."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError, RecursionError):
            fields = json.loads(value)
            return fields if isinstance(fields, dict) else {}
    return {}
