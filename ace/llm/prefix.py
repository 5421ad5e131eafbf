"""Mark where the part of a prompt ends that is the same for many calls, for providers that want it marked.

OpenAI, Gemini, llama.cpp and others find a common prefix by themselves. Claude, and Amazon's Nova, keep what
stands before a mark, and nothing without one; a mark below their least length (1,024 tokens or more) has no
effect and no price.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from ace.llm.providers import load_litellm

_ASKS_FOR_MARKS = ("claude", "amazon.nova")


@cache
def wants_mark(model: str) -> bool:
    """Tell whether a model wants the mark, by the name that litellm knows it by."""
    named = any(name in model.lower() for name in _ASKS_FOR_MARKS)
    return named and bool(load_litellm().utils.supports_prompt_caching(model=model))


def mark_prefix(payload: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mark the end of the system message: it is the stable part of a context."""
    marked = []
    for message in payload:
        if message["role"] == "system":
            block = {"type": "text", "text": message["content"], "cache_control": {"type": "ephemeral"}}
            message = {**message, "content": [block]}
        marked.append(message)
    return marked
