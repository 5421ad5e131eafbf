"""Words that a page breaks over two lines are joined: "depo-" and "sit" are "deposit". Pure.

Whether a hyphen at the end of a line is part of the word ("well-known") nobody has written down. The other
words of the document say it where they can, and the reading that was not chosen is kept for the search.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ace.retrieval.documents.chunks import Line

_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010\u2011][^\W\d_]+)*")
_BEFORE = re.compile(
    r"(?<![^\W\d_])(?<![-\u2010\u2011])([^\W\d_]+(?:[-\u2010\u2011][^\W\d_]+)*)([-\u2010\u2011\u00ad])$"
)
_AFTER = re.compile(r"\s*([^\W\d_]+(?:[-\u2010\u2011][^\W\d_]+)*)(\S*)\s*")
# Behind these a hyphen stands for the rest of a later word: "pre- and postwar".
_JOIN_WORDS = frozenset(
    tomllib.loads(Path(__file__).with_name("broken_words.toml").read_text("utf-8"))["join"].split()
)
# Letters that a font draws as one.
_LIGATURES = str.maketrans({code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)})
_SHORTEST = 3  # letters of a word that may stand in a compound by itself


def join_broken_words(lines: Iterable[Line]) -> tuple[list[Line], dict[str, str]]:
    """Return lines with each broken word whole on the first of its two, and the other reading of each.

    Only what goes on in lower case on the next line of the same page is joined, and in capitals where both
    lines are. Soft hyphens are left out, and letters drawn as one are several.
    """
    rows = [(number, text.rstrip().translate(_LIGATURES)) for number, text in lines]
    vocabulary = _collect_words(rows)
    readings: dict[str, str] = {}
    joined: list[Line] = []
    for number, text in rows:
        before = _BEFORE.search(joined[-1][1]) if joined and joined[-1][0] == number else None
        after = _AFTER.match(text)
        goes_on = after and (
            after[1][0].islower() or (text.isupper() and joined[-1:] and joined[-1][1].isupper())
        )
        if before and after and goes_on:
            word, other = _choose_reading(before[1], after[1], before[2], vocabulary)
            if after[1].casefold() in _JOIN_WORDS and other.replace("-", "").casefold() not in vocabulary:
                readings[before[1]] = before[1] + after[1]
                joined.append((number, text))
                continue
            readings[word] = other
            joined[-1] = (number, f"{joined[-1][1][: before.start()]}{word}{after[2]}")
            text = text[after.end() :]
            if not text:
                continue
        joined.append((number, text))
    return [(number, text.replace("\u00ad", "")) for number, text in joined], readings


def _collect_words(rows: Iterable[Line]) -> set[str]:
    """Return the words of a document in lower case, without those that the end of a line may have cut."""
    words: set[str] = set()
    is_broken = False
    for _, text in rows:
        here = [word.casefold() for word in _WORD.findall(text)]
        first = 1 if is_broken else 0
        is_broken = _BEFORE.search(text) is not None
        words.update(here[first : len(here) - is_broken])
    return words


def _choose_reading(start: str, rest: str, hyphen: str, vocabulary: set[str]) -> tuple[str, str]:
    """Return the reading of a broken word that is right, or likelier, and the other one.

    A word that the document has elsewhere decides. Else two words of the document make a compound, and
    anything else one word.
    """
    whole, compound = f"{start}{rest}", f"{start}-{rest}"
    is_compound = False
    if hyphen == "\u00ad" or whole.casefold() in vocabulary:
        is_compound = False
    elif compound.casefold() in vocabulary:
        is_compound = True
    else:
        parts = (start.rpartition("-")[2], rest.partition("-")[0])
        is_compound = all(len(part) >= _SHORTEST and part.casefold() in vocabulary for part in parts)
    return (compound, whole) if is_compound else (whole, compound)
