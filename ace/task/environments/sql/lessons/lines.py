"""Read lessons of one form, "words people use: what is used for them", and the questions they are for.

The words are one name or several ("Cancelled orders, revoked: ord.st = 7"); what is used for them is a piece
of SQL. Heuristics on English texts only.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from ace.text import stem_word, word_key

WORD = re.compile(r"[^\W\d_]{3,}")
PLACEHOLDERS = ("DAY", "NAME")
_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?!\w)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR = re.compile(r"\b\d{4}\b")
_NAME = re.compile(r"(?<=\w )[A-Z][a-z]+(?: [A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
_CONDITION = re.compile(r"(?:[=<>]|\b(?:in|is|like)\b)[\s(]*(?:-?\d|['\"])", re.IGNORECASE)
PREFIX = 4  # letters: "soap" and "soaps", "cancelled" and "cancellation" count as one word
_MEANING = re.compile(r"'[^']*'|[\w.]*\w|[^\s\w.,:;'\"]+")
_SYMMETRIC = "JOIN"  # its two sides may change places


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


def list_names(lesson: str) -> list[str]:
    """Return the names before the colon: "Phone tickets, letter tickets: ..." has two."""
    return lesson.partition(":")[0].split(", ")


def topic_key(lesson: str) -> tuple[str, ...]:
    """Return a key that is equal for lessons with the same words before the colon; empty without one."""
    words, colon, _ = lesson.partition(":")
    return word_key(words) if colon else ()


def means_the_same(first: str, second: str) -> bool:
    """Return whether two lessons have the same end; the order of words counts ("a > b" is not "b > a")."""
    meanings = []
    for lesson in (first, second):
        words = _MEANING.findall(lesson.partition(":")[2])
        if _SYMMETRIC in words:
            words.sort()
        meanings.append(words)
    return bool(meanings[0]) and meanings[0] == meanings[1]


def find_subjects(lesson: str) -> frozenset[str]:
    """Return the topics of a lesson's meaning; where it has none, all its identifiers."""
    return find_topics(lesson) or find_identifiers(lesson.partition(":")[2])


@cache
def _read_asking_words() -> frozenset[str]:
    text = files("ace.task.environments.sql.lessons").joinpath("english.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)["asking"].split())
