"""Keys by which two bullets say the same thing, or speak of the same thing.

Only the safest likeness counts: the same words, numbers and identifiers in whatever order. "Queue R7" and
"queue R9", "use" and "do not use" stay apart.
"""

from __future__ import annotations

import re

from ace.refine.lexicon import read_word_list

_WORD = re.compile(r"'[^']*'|[\w.]*\w|[^\s\w.,:;'\"]+")


def word_key(content: str) -> tuple[str, ...]:
    """Return a key that is equal for contents with the same words: sorted, lower case except in quotes."""
    words = []
    for word in _WORD.findall(content):
        words.append(word if word.startswith("'") else word.lower())
    return tuple(sorted(words))


def topic_key(content: str) -> tuple[str, ...]:
    """Return the key of the words before the colon in "words people use: what is used for them"."""
    words, colon, _ = content.partition(":")
    return word_key(words) if colon else ()


def means_the_same(first: str, second: str) -> bool:
    """Return whether two lines "words people use: what is used for them" have the same end.

    The order of words counts there ("a > b" is not "b > a"), except with a symmetric operator of the lexicon.
    """
    meanings = []
    for content in (first, second):
        words = _WORD.findall(content.partition(":")[2])
        if read_word_list("symmetric").intersection(words):
            words.sort()
        meanings.append(words)
    return bool(meanings[0]) and meanings[0] == meanings[1]
