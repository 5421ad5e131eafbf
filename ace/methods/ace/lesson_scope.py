"""Rules on the words of a lesson: it must be about more than its own sample, and about less than everything.

A lesson that repeats a date or a name of its question passes its own proof and helps nobody else. One whose
words stand in every question ("Articles: art.grp = 30", learned from a question about soaps) passes too, and
misleads all the others. Heuristics on texts only.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from ace.text.stems import stem_word

WORD = re.compile(r"[^\W\d_]{3,}")
PLACEHOLDERS = ("DAY", "NAME")
_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?!\w)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR = re.compile(r"\b\d{4}\b")
_NAME = re.compile(r"(?<=\w )[A-Z][a-z]+(?: [A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
_CONDITION = re.compile(r"(?:[=<>]|\b(?:in|is|like)\b)[\s(]*(?:-?\d|['\"])", re.IGNORECASE)
PREFIX = 4  # letters: "soap" and "soaps", "cancelled" and "cancellation" count as one word
_COMMON = 0.1  # of the questions


class Rarity:
    """Count in how many questions a word stands, to see which words set one question apart."""

    def __init__(self, questions: Iterable[str]) -> None:
        self._counts = Counter[str]()
        self._questions = 0
        for question in questions:
            self.add_question(question)

    def add_question(self, question: str) -> None:
        self._counts.update(find_stems(question))
        self._questions += 1

    def sets_apart(self, question: str, lesson: str) -> bool:
        """Return whether the words before the colon hold a rare word of the question, if it has any.

        Rare means hardly more common than its rarest one: "Orders paid" does not stand for "paid on invoice".
        Lessons that compare with no constant pass: a join or a unit is general by nature.
        """
        if not count_conditions(lesson):
            return True
        counts = {word: self._counts[word] for word in find_stems(question)}
        common = max(2, int(_COMMON * self._questions))
        most = min(common, 2 * max(1, min(counts.values(), default=0)))
        rare = {word for word, count in counts.items() if count <= most}
        return not rare or bool(rare & find_stems(lesson.partition(":")[0]))


def generalize_lesson(question: str, lesson: str) -> str:
    """Return the lesson with the question's own days and names replaced by DAY and NAME."""
    for name in _NAME.findall(question):
        lesson = lesson.replace(name, "NAME")
    return _DAY.sub("DAY", lesson) if _YEAR.search(question) else lesson


def find_repeated_numbers(question: str, lesson: str) -> tuple[str, ...]:
    """Return numbers of three digits or more of its question that stand in a lesson's meaning."""
    asked = _NUMBER.findall(question)
    numbers = _NUMBER.findall(lesson.rpartition(":")[2])
    return tuple(dict.fromkeys(number for number in numbers if number in asked))


def remove_names(question: str) -> str:
    """Return a question without the names in it."""
    return _NAME.sub("", question)


def count_conditions(lesson: str) -> int:
    """Return how many comparisons with a constant a lesson's meaning holds."""
    return len(_CONDITION.findall(lesson.partition(":")[2]))


def find_stems(text: str) -> frozenset[str]:
    """Return the stems of the words of a text that say what it is about."""
    asking = _read_asking_words()
    return frozenset(
        stem_word(word, prefix=PREFIX) for word in WORD.findall(text) if word.lower() not in asking
    )


def find_identifiers(text: str) -> frozenset[str]:
    """Return the identifiers in a text, lower case, dotted ones whole."""
    return frozenset(name.lower() for name in _IDENTIFIER.findall(text))


def find_topics(lesson: str) -> frozenset[str]:
    """Return the topics that a lesson's meaning speaks of: its dotted identifiers."""
    return frozenset(name for name in find_identifiers(lesson.partition(":")[2]) if "." in name)


@cache
def _read_asking_words() -> frozenset[str]:
    text = files("ace.methods.ace").joinpath("english.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)["asking"].split())
