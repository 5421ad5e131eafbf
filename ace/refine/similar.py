"""When two bullets say the same thing, and when they speak of the same thing.

Only the safest likeness counts: the same words, numbers and identifiers in whatever order. "Queue R7" and
"queue R9", "use" and "do not use" stay apart.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"'[^']*'|[\w.]*\w|[^\s\w.,:;'\"]+")


def same_words(content: str) -> tuple[str, ...]:
    """A key that is equal for contents with the same words: sorted, lower case except inside quotes."""
    words = _WORD.findall(content)
    return tuple(sorted(word if word.startswith("'") else word.lower() for word in words))


def topic(content: str) -> tuple[str, ...]:
    """What "words people use: what is used for them" is about: the words before the colon, else nothing."""
    words, colon, _ = content.partition(":")
    return same_words(words) if colon else ()


def same_meaning(one: str, other: str) -> bool:
    """Two lines "words people use: what is used for them" with the same end, whatever their words.

    The order of words counts here, "a > b" is not "b > a", but for the two sides of a join.
    """
    meanings = [_ordered(content.partition(":")[2]) for content in (one, other)]
    return bool(meanings[0]) and meanings[0] == meanings[1]


def _ordered(meaning: str) -> list[str]:
    words = _WORD.findall(meaning)
    return sorted(words) if "JOIN" in words else words
