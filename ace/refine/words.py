"""Words made comparable: one stem for the forms of a word, one head for its synonyms, a side for opposites.

Stems are those of Snowball's English stemmer (Porter 2, https://snowballstem.org). Built on first use.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ace.refine import lexicon, meanings

Side = tuple[str, str]  # (what two words are opposites of, which of the two)

_NO_PREFIX = re.compile(r"un(?!til|less|der|i[a-z]|to\b)(?=[a-z]{5})|non-?(?=[a-z]{4})")


@cache
def stem(word: str) -> str:
    word = word.lower()
    return str(_stemmer().stemWord(lexicon.IRREGULAR.get(word, word)))


@cache
def head(word: str) -> str:
    """The stem that stands for a word and its synonyms."""
    return _heads().get(stem(word), stem(word))


@cache
def side(word: str) -> Side | None:
    """Of a word that has an opposite."""
    return _sides().get(word.lower()) or _sides().get(stem(word))


@cache
def soft(side: Side) -> bool:
    """Whether a side counts only where the other text has one of the same pair."""
    return side[0] in meanings.SOFT.splitlines()


@cache
def faint(stem: str) -> bool:
    return stem in _faint()


@cache
def unit(word: str) -> str:
    """The name of a unit, or nothing."""
    return _units().get(word.lower(), "")


def without_prefix(word: str) -> str:
    """What "unrounded" says is not so, or nothing."""
    found = _NO_PREFIX.match(word.lower())
    return word.lower()[found.end() :] if found else ""


def akin(one: str, other: str) -> bool:
    """Two stems of one root ("approv" and "approval"): the shorter one begins the other."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 5 and long.startswith(short) and len(long) - len(short) <= 4


@cache
def _stemmer() -> Any:
    from snowballstemmer import stemmer

    return stemmer("english")


@cache
def _heads() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in meanings.SYNONYMS.splitlines():
        first, *others = line.split()
        for word in (first, *others):
            found.setdefault(stem(word), stem(first))
    return found


@cache
def is_type(stem: str) -> bool:
    return stem in _types()


@cache
def _types() -> frozenset[str]:
    return frozenset(head(word) for word in lexicon.TYPES)


@cache
def _faint() -> frozenset[str]:
    return frozenset(head(word) for word in lexicon.FAINT)


@cache
def _sides() -> dict[str, Side]:
    found: dict[str, Side] = {}
    for line in (*meanings.OPPOSITES.splitlines(), *meanings.SOFT.splitlines()):
        one, other = line.split("|")
        for words in (one, other):
            for word in words.split():
                found.setdefault(word, (line, words.strip()))
                found.setdefault(stem(word), (line, words.strip()))
    return found


@cache
def _units() -> dict[str, str]:
    lines = (line.split() for line in meanings.UNITS.splitlines())
    return {word: line[0] for line in lines for word in line}
