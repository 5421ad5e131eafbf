"""Tell what a model thinks from what it answers, where the marks of open models stand in its text."""

from __future__ import annotations

import json
import re

_THINK = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
END_OF_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts at the beginning of a text, and the rest. Without an end mark there is no rest.

    A lone end mark counts: many chat templates write the first one themselves. In a text that is JSON as a
    whole it is data. Marks are `<think>` and `<thinking>`, whatever their case. Never raises.
    """
    thoughts: list[str] = []
    lone = None if _THINK.match(text) else END_OF_THOUGHT.search(text)
    if lone:
        try:
            json.loads(text)  # then the mark is data: it stands in a JSON value, and nothing else is there
        except (ValueError, RecursionError):
            thoughts.append(text[: lone.start()])
            text = text[lone.end() :]
    while opening := _THINK.match(text):
        end = END_OF_THOUGHT.search(text, opening.end())
        if end is None:
            thoughts.append(text[opening.end() :])
            text = ""
        else:
            thoughts.append(text[opening.end() : end.start()])
            text = text[end.end() :]
    return "\n\n".join(filter(None, map(str.strip, thoughts))), text
