"""Whether a lesson repeats a text that nobody vouches for, instead of what labels show. Pure heuristics.

A lesson in the form "words people use: what stands for them" takes its words from the question; that is what
they are for. It repeats a text when more than that comes from there: five words in a row outside such a
head, seven of the question or four of another text inside it, or, where nothing in it comes from a label
alone, most of its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

# A letter of a script without spaces; else words, names with dots and numbers, whole.
_TOKEN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\\W_]+(?:[._'\u2019][^\\W_]+)*")
_SENTENCE = re.compile("(?<=[.!?;\u3002\uff01\uff1f])\\s+|\n+")
_RUN = 5  # words
_HEAD = 7  # in a row, of the question that a lesson is about
_FOREIGN = 4  # and of anything else
_FEW = 3  # of what a sentence says: fewer may be alike by chance
_MOST = 0.6
_STEM = 5  # letters
_LITTLE = frozenset(
    _TOKEN.findall(
        "a an and are as at be been by can do does for from had has have how if in is it its many of on or"
        " that the their them then there these they this to was were what when where which who whose will"
        " with you your"
    )
)
_CLAIM = re.compile(
    r"\b(?:must|should|shall|always|never|needs? no|need not|instead|allowed|exempt|free of)\b", re.IGNORECASE
)


def copied(lesson: str, question: str, others: Iterable[str] = (), vouched: Iterable[str] = ()) -> str:
    """The first sentence of a lesson that repeats the question or one of the `others`, or nothing.

    `vouched`: what labels and the environment's own names say. What stands there is not repeated.
    """
    asked, told, right = tokens(question), [*map(tokens, others)], [*map(tokens, vouched)]
    known = set(_grams(right, _RUN))
    words = {_stem(word) for text in (asked, *told) for word in text}
    sources = _Sources(
        heads=set(_grams([asked], _HEAD)) | set(_grams(told, _FOREIGN)) - set(_grams([asked], _FOREIGN)),
        runs=set(_grams([asked, *told], _RUN)) - known,
        words=words,
        own={_stem(word) for text in right for word in text} - words,
        right=right,
    )
    found = (sentence.strip() for sentence in _SENTENCE.split(lesson) if _repeats(sentence, sources))
    return next(found, "")


class _Sources(NamedTuple):
    """Runs of words that no head may have, and nothing else; words of anybody, and words of labels alone."""

    heads: set[tuple[str, ...]]
    runs: set[tuple[str, ...]]
    words: set[str]
    own: set[str]
    right: Sequence[list[str]]


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


def _repeats(sentence: str, sources: _Sources) -> bool:
    everything = tokens(sentence)
    if _stands_in(everything, sources.right):
        return False
    head, colon, meaning = sentence.partition(":")
    said = tokens(meaning if colon else sentence)
    anchored = any(_stem(word) in sources.own for word in said) or _stands_in(said, sources.right)
    if colon and anchored and not _CLAIM.search(head):
        return _has(tokens(head), sources.heads) or _has(said, sources.runs)
    if _has(everything, sources.runs):
        return True
    told = {_stem(word) for word in everything if word not in _LITTLE}
    return not anchored and len(told & sources.words) >= max(_FEW, _MOST * len(told))


def _has(said: list[str], runs: set[tuple[str, ...]]) -> bool:
    return any(run in runs for size in {len(run) for run in runs} for run in _grams([said], size))


def _stands_in(said: list[str], right: Iterable[list[str]]) -> bool:
    """A meaning is, word for word, a part of what labels show."""
    return bool(said) and any(tuple(said) in set(_grams([text], len(said))) for text in right)


def _grams(texts: Iterable[Sequence[str]], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(text[at : at + size]) for text in texts for at in range(len(text) - size + 1))


def _stem(word: str) -> str:
    return word[:_STEM] if word.isalpha() else word
