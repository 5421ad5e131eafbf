"""Text and speaker of a chat message, in the forms that OpenAI's format and its kin have for them.

What else writers call roles and contents stands in `message_names.toml`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

_DEPTH = 5  # parts within parts


def read_content(content: Any, depth: int = 0) -> str:
    """Return a text as it is, a number as text, or the texts of a list of parts, a line each.

    A part may be wrapped in another. What a model thought, what a tool returned and what is no text, such as
    a picture, are left out: "" where nothing else is there.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, int | float):
        return json.dumps(content)
    if depth > _DEPTH:
        return ""
    if isinstance(content, list):
        return "\n".join(filter(None, (read_content(part, depth + 1) for part in content)))
    if not isinstance(content, Mapping) or is_thought(content):
        return ""
    if str(content.get("type", "")).startswith(("tool", "function")):
        return ""  # a tool said it, or nobody
    texts = (read_content(content.get(name), depth + 1) for name in load_message_names()["part"])
    return next(filter(None, texts), "")


def is_thought(part: Mapping[str, Any]) -> bool:
    """Tell whether a part of a content is what a model thought."""
    kind = part.get("type")
    is_marked = part.get("thought") is True  # Gemini's
    return is_marked or (
        isinstance(kind, str) and any(word in kind for word in load_message_names()["thinking"])
    )


def read_thought(part: Mapping[str, Any]) -> str:
    """Return what a model thought as a part of a content, or an item of OpenAI's responses, holds it.

    It is "" where an endpoint shows it as a cipher only. A summary counts where there is nothing else.
    """
    for name in load_message_names()["thought_part"]:
        value = part.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list):
            texts = [entry.get("text") if isinstance(entry, Mapping) else entry for entry in value]
            lines = [text for text in texts if isinstance(text, str) and text.strip()]
            if lines:
                return "\n".join(lines)
    return ""


def read_message(message: Any) -> tuple[str, str] | None:
    """Return the role and the text of a message, whatever its writer calls them; None for what has no role.

    The role is "user", "assistant", "tool" or "system" where it is known to mean that, else as it is written.
    A refusal, and what was spoken, count as text where there is no other.
    """
    if not isinstance(message, Mapping):
        return None
    names, role = load_message_names(), ""
    known = {other: ours for ours in ("user", "assistant", "tool", "system") for other in names[ours]}
    for name in names["role"]:
        value = message.get(name)
        if isinstance(value, Mapping):  # ChatGPT's exports
            value = value.get("role")
        if not isinstance(value, str) or not value.strip():
            continue
        ours = known.get(value.strip().lower())
        if ours or name != "type":  # which also tells forms of messages apart
            role = ours or value
            break
    if not role:
        return None
    texts = (read_content(message.get(name)) for name in names["content"])
    return role, next(filter(None, texts), "")


@cache
def load_message_names() -> dict[str, list[str]]:
    """Return the lists of `message_names.toml`."""
    text = files("ace.text").joinpath("message_names.toml").read_text("utf-8")
    return tomllib.loads(text)
