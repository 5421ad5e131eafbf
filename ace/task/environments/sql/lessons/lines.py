"""Read lessons of one form, "words people use: what is used for them", and the questions they are for.

The words are one name or several ("Cancelled orders, revoked: ord.st = 7"); what is used for them is a piece
of SQL. Heuristics on English texts only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from importlib.resources import files

from ace.text import stem_word, word_key

WORD = re.compile(r"[^\W\d_]{3,}")
"""Three letters or more, in any script."""

PREFIX = 4
"""Letters of a stem: "soap" and "soaps", "cancelled" and "cancellation" count as one word."""

PLACEHOLDERS = ("DAY", "NAME", "NUMBER")
"""What stands for a day, a name or a bound of the question that a lesson was learned from."""

# "4711": three digits or more, no part of a word or of a number with a point.
_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?!\w)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR = re.compile(r"\b\d{4}\b")
# "Ann Lee" behind another word.
_NAME = re.compile(r"(?<=\w )[A-Z][a-z]+(?: [A-Z][a-z]+)+")
# "ord.st", "SUM".
_IDENTIFIER = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
# "= 7", "IN ('a'", "LIKE '", "> NUMBER": a comparison with a number or a text.
_CONDITION = re.compile(r"(?:[=<>]|\b(?:in|is|like)\b)[\s(]*(?:-?\d|['\"]|NUMBER\b)", re.IGNORECASE)
# "> 21900": a bound.
_BOUND = re.compile(r"(?<=[<>])(=?\s*)(\d+(?:\.\d+)?)(?!\w|\.\d)")
# "219", no part of a word, a day or a longer number.
_AMOUNT = re.compile(r"(?<![\w.,-])\d+(?:\.\d+)?(?![\w-])")
_UNITS = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 60, 3_600, 24, 86_400)  # of one measure in another
# A quoted text, an identifier or a number, an operator.
_MEANING = re.compile(r"'[^']*'|(?<![\w.])[\w.]*\w|[^\s\w.,:;'\"]+")
_SYMMETRIC = "JOIN"  # its two sides may change places
_JOIN = re.compile(r"(\w+) JOIN (\w+) ON ")


def generalize_lesson(question: str, lesson: str) -> str:
    """Return the lesson with the question's own days, names and bounds replaced by DAY, NAME and NUMBER.

    A name is two words or more with capitals, inside the question. Days are replaced in the years that the
    question names. "Orders of Ann Lee: cus.name = 'Ann Lee'" becomes "Orders of NAME: cus.name = 'NAME'".
    """
    for name in _NAME.findall(question):
        lesson = lesson.replace(name, "NAME")
    lesson = _generalize_bounds(question, lesson)
    years = set(_YEAR.findall(question))
    return _DAY.sub(lambda day: "DAY" if day[0][:4] in years else day[0], lesson)


def _generalize_bounds(question: str, lesson: str) -> str:
    """Return the lesson with bounds that are the question's own in another unit put as a calculation.

    "Heavier than 39 kg: art.grams > 39000", from a question about 39 kg, becomes
    "Heavier than NUMBER kg: art.grams > NUMBER * 1000".
    """
    amounts = set(_AMOUNT.findall(question))
    head, colon, meaning = lesson.rpartition(":")
    meaning = _BOUND.sub(lambda match: match[1] + _calculate_bound(match[2], amounts), meaning)
    if PLACEHOLDERS[-1] in meaning:
        head = _AMOUNT.sub(lambda match: PLACEHOLDERS[-1] if match[0] in amounts else match[0], head)
    return f"{head}{colon}{meaning}"


def _calculate_bound(bound: str, amounts: Iterable[str]) -> str:
    """Return a bound as a calculation with NUMBER, where it is an amount in another unit; else as it is."""
    for amount in map(Fraction, amounts):
        ratio = Fraction(bound) / amount if amount > 1 else 0
        if ratio in _UNITS:
            return f"NUMBER * {ratio}"
        if ratio and 1 / ratio in _UNITS:
            return f"NUMBER / {1 / ratio}.0"
    return bound


def find_repeated_numbers(question: str, lesson: str) -> tuple[str, ...]:
    """Return numbers of three digits or more of its question that stand in a lesson's meaning, each once.

    Such a lesson is an answer key: "Order 4711: ord.no = 4711", from a question about order 4711.
    """
    asked = _NUMBER.findall(question)
    meaning = lesson.rpartition(":")[2]
    repeated = [number for number in _NUMBER.findall(meaning) if number in asked]
    return tuple(dict.fromkeys(repeated))


def find_joined_tables(fact: str) -> frozenset[str]:
    """Return the two tables of a join, lower case; none for any other fact."""
    match = _JOIN.match(fact)
    return frozenset(name.lower() for name in match.groups()) if match else frozenset()


def remove_names(question: str) -> str:
    """Return a question without the names in it: two words or more with capitals, but for its beginning."""
    return _NAME.sub("", question)


def count_conditions(lesson: str) -> int:
    """Return how many comparisons with a constant a lesson's meaning holds.

    "Cancelled orders: ord.st = 7" has one, "Kilograms: art.grams / 1000.0" none, and neither has a join.
    """
    return len(_CONDITION.findall(lesson.partition(":")[2]))


def find_stems(text: str, lists: Iterable[str] = ("asking",)) -> frozenset[str]:
    """Return the stems of the words of a text that say what it is about.

    Words are runs of three letters or more; placeholders and those of the lists are left out. "How many
    orders were cancelled?" has "orde" and "canc".
    """
    ignored = frozenset[str]().union(*map(_read_words, lists))
    stems: set[str] = set()
    for word in WORD.findall(text):
        if word.lower() not in ignored and word not in PLACEHOLDERS:
            stems.add(stem_word(word, prefix=PREFIX))
    return frozenset(stems)


def find_topics(lesson: str) -> frozenset[str]:
    """Return the topics that a lesson's meaning speaks of: its dotted identifiers, lower case.

    Of "Cancelled orders: ord.st = 7" that is "ord.st".
    """
    names = _IDENTIFIER.findall(lesson.partition(":")[2])
    return frozenset(name.lower() for name in names if "." in name)


def list_names(lesson: str) -> list[str]:
    """Return the names before the colon: "Phone tickets, letter tickets: ..." has two.

    A text without a colon is taken for one name, or for several with commas between them.
    """
    return lesson.partition(":")[0].split(", ")


def topic_key(lesson: str) -> tuple[str, ...]:
    """Return a key that is equal for lessons with the same words before the colon; empty without one.

    Neither the order of the words nor capitals count.
    """
    words, colon, _ = lesson.partition(":")
    return word_key(words) if colon else ()


def have_same_words(first: str, second: str) -> bool:
    """Return whether two lessons have the same words before the colon; not so where there is no colon."""
    key = topic_key(first)
    return bool(key) and key == topic_key(second)


def means_the_same(first: str, second: str) -> bool:
    """Return whether two lessons have the same end; the order of words counts ("a > b" is not "b > a").

    Only the two sides of a join may change places. Lessons without a colon mean nothing.
    """
    meanings = []
    for lesson in (first, second):
        words = _MEANING.findall(lesson.partition(":")[2])
        if _SYMMETRIC in words:
            words.sort()
        meanings.append(words)
    return bool(meanings[0]) and meanings[0] == meanings[1]


def find_subjects(lesson: str) -> frozenset[str]:
    """Return the topics of a lesson's meaning; where it has none, all its identifiers, lower case."""
    topics = find_topics(lesson)
    if topics:
        return topics
    names = _IDENTIFIER.findall(lesson.partition(":")[2])
    return frozenset(name.lower() for name in names)


@cache
def _read_words(name: str) -> frozenset[str]:
    """Return a list of words from the data file beside this one, lower case."""
    text = files("ace.task.environments.sql.lessons").joinpath("english.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)[name].split())
