"""Whether a lesson only repeats its own sample: then it passes its own proof and helps nobody else.

A heuristic on the texts of question and lesson: a number of three digits or more, or a quoted name of
more than one word, that stands in both belongs to the question.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?![\w])")
_QUOTED = re.compile(r"['\"]([^'\"]{4,80})['\"]")


def repeated(question: str, lesson: str) -> tuple[str, ...]:
    """What a lesson repeats of its question, in order of appearance."""
    asked = question.lower()
    numbers = set(_NUMBER.findall(question))
    names = (name for name in _QUOTED.findall(lesson) if " " in name.strip())
    found = [n for n in _NUMBER.findall(lesson) if n in numbers] + [n for n in names if n.lower() in asked]
    return tuple(dict.fromkeys(found))
