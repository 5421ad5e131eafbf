"""Text of a chat message's `content`, in the forms that OpenAI's format and its kin have for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def read_content(content: Any) -> str:
    """Return a text as it is, or the texts of a list of parts, a line each; "" for anything else."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            texts.append(text)
    return "\n".join(texts)
