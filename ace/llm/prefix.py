"""Where the part of a prompt ends that is the same for many calls, for providers that want to be told.

OpenAI, Gemini, llama.cpp and others find a common prefix by themselves. Claude, and Amazon's Nova, keep what
stands before a mark, and nothing without one; a mark below their least length (1,024 tokens or more) has no
effect and no price.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from ace.llm.providers import load_litellm

_MARK = {"type": "ephemeral"}
_ASKS_FOR_MARKS = ("claude", "amazon.nova")


@cache
def wants_mark(model: str) -> bool:
    """By the name that litellm knows the model by."""
    named = any(name in model.lower() for name in _ASKS_FOR_MARKS)
    return named and bool(load_litellm().utils.supports_prompt_caching(model=model))


def marked(payload: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages, with the end of the system message marked: it is the stable part of a context."""
    return [_marked(message) if message["role"] == "system" else message for message in payload]


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    block = {"type": "text", "text": message["content"], "cache_control": _MARK}
    return {**message, "content": [block]}
