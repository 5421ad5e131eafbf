"""Text and JSON in the form SQLite can hold.

A model can say half of a surrogate pair, which UTF-8 has no bytes for. It is kept as its escape, which
in JSON reads back as what was said. NaN is not JSON and is refused, so that every JSON reader can read
what is here.
"""

from __future__ import annotations

import json

from ace.errors import FormatError


def to_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def to_json(value: object) -> str:
    return to_text(json.dumps(value, ensure_ascii=False, allow_nan=False))


def strings(text: str) -> tuple[str, ...]:
    """A JSON list of texts, which is what episode ids and attempts are kept as."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise FormatError(f"{text!r:.60} is not a list.")
    return tuple(found)
