"""Tell what a model thinks from what it answers, where the marks of open models stand in its text.

The marks are in `thoughts.toml`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

_FENCE = "```"


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts in a text, and the rest. Never raises.

    Thoughts stand between marks, within which there may be others. They last to the end where a text, or a
    line, begins with a mark that is never closed. An end mark before any other counts: many chat templates
    write the first one themselves. In a text that is JSON as a whole, and in code, marks are data.
    """
    marks = list(_find_marks(text))
    if not marks:
        return "", text
    thoughts: list[str] = []
    answer: list[str] = []
    depth = begin = 0  # the place from which text is not assigned yet
    last_end: re.Match[str] | None = None
    if _is_end(marks[0]):
        depth = 1
    for mark in marks:
        if _is_end(mark):
            if depth == 1:
                thoughts.append(text[begin : mark.start()])
                begin, last_end = mark.end(), None
            elif depth > 1:
                last_end = mark
            depth = max(0, depth - 1)
            continue
        if depth == 0:
            answer.append(text[begin : mark.start()])
            begin = mark.end()
            opening = mark
        depth += 1
    if depth and last_end is not None:  # one more was begun than ended
        thoughts.append(text[begin : last_end.start()])
        begin = last_end.end()
    elif depth and text[: opening.start()].rpartition("\n")[2].strip():
        begin = opening.start()  # within a line: somebody speaks of the mark
    elif depth:
        thoughts.append(text[begin:])
        begin = len(text)
    answer.append(text[begin:])
    return "\n\n".join(filter(None, map(str.strip, thoughts))), "".join(answer)


def strip_ends(text: str) -> str:
    """Return a text without the marks of an end of a turn that some servers leave behind it."""
    bare = text.rstrip()
    if not bare.endswith(">"):
        return text
    for end in _load_marks()["ends"]:
        bare = bare.removesuffix(end).rstrip()
    return bare if bare != text.rstrip() else text


def mask_marks(text: str) -> str:
    """Return a thought whose own marks are words, so that none of them ends it too early or too late."""
    pattern, _ = _read_marks()
    return pattern.sub(lambda mark: f"<{mark.lastgroup} of thought>", text)


def _find_marks(text: str) -> Iterator[re.Match[str]]:
    """Yield the marks of a text in order, without those that are data."""
    pattern, words = _read_marks()
    lower = text.lower()
    if not any(word in lower for word in words):  # a long text takes seconds to be searched
        return
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            json.loads(text)
            return
        except (ValueError, RecursionError):
            pass
    has_closed_blocks = text.count(_FENCE) % 2 == 0
    has_begun = False
    place = fences = 0
    for mark in pattern.finditer(text):
        fences += text.count(_FENCE, place, mark.start())
        place = mark.start()
        before, after = text[max(0, mark.start() - 3) : mark.start()], text[mark.end() : mark.end() + 3]
        is_quoted = before.endswith("`") and after.startswith("`") and _FENCE not in (before, after)
        is_in_block = has_closed_blocks and fences % 2 == 1
        if not is_quoted and (has_begun or not is_in_block):
            has_begun = not _is_end(mark)
            yield mark


def _is_end(mark: re.Match[str]) -> bool:
    """Tell whether a mark ends a thought."""
    return mark.lastgroup == "end"


@cache
def _read_marks() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return the pattern of every mark, whose group "begin" or "end" matches, and words to look for first."""
    data = _load_marks()
    begin = "|".join(mark["begin"] for mark in data["marks"])
    end = "|".join(mark["end"] for mark in data["marks"])
    return re.compile(f"(?P<begin>{begin})|(?P<end>{end})", re.IGNORECASE), tuple(data["words"])


@cache
def _load_marks() -> dict[str, Any]:
    """Read the marks and words of `thoughts.toml`, once."""
    return tomllib.loads(files("ace.text").joinpath("thoughts.toml").read_text("utf-8"))
