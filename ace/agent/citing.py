"""The line in which a generator says which bullets it used. It is a claim, and no part of the answer.

Knows texts only; whether such bullets exist is for others to say.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^[ \t>*`-]*used[ \t*]*:(?P<ids>[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_ID = re.compile(r"[\w.:/-]+")


def cited(text: str) -> tuple[str, ...]:
    """What is named in such lines, in order, each once."""
    return tuple(dict.fromkeys(name for line in _LINE.finditer(text) for name in _ID.findall(line["ids"])))


def without_citations(text: str) -> str:
    """The reply without them."""
    return _LINE.sub("", text).strip()
