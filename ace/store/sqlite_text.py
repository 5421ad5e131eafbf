"""Text and JSON in the form SQLite can hold.

A model can say half of a surrogate pair, which UTF-8 has no bytes for. It is kept as its escape, which
in JSON reads back as what was said. NaN is not JSON and is refused, so that every JSON reader can read
what is here.
"""

from __future__ import annotations

import json
import re

from ace.errors import FormatError

_WORD = re.compile(r"\w+")


def to_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def any_word_of(question: str, most: int = 64) -> str:
    """An FTS5 query that finds what has any of a question's first words: the question itself is no query.

    Empty where there is no word.
    """
    words = dict.fromkeys(word.casefold() for word in _WORD.findall(whole(question)))
    return " OR ".join(f'"{word}"' for word in list(words)[:most])


def whole(text: str) -> str:
    """Without half characters, for what is searched and never read back."""
    return text.encode("utf-8", "replace").decode()


def to_json(value: object) -> str:
    return to_text(json.dumps(value, ensure_ascii=False, allow_nan=False))


def strings(text: str) -> tuple[str, ...]:
    """A JSON list of texts, which is what episode ids and attempts are kept as."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise FormatError(f"{text!r:.60} is not a list.")
    return tuple(found)
