"""Whether a lesson is about more than its own sample, and about less than everything. Heuristics on texts.

A lesson that repeats a date or a name of its question passes its own proof and helps nobody else. One whose
words stand in every question ("Articles: art.grp = 30", learned from a question about soaps) passes too, and
misleads all the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?!\w)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME = re.compile(r"(?<=\w )[A-Z][a-z]+(?: [A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
_CONDITION = re.compile(r"(?:[=<>]|\b(?:in|is|like)\b)[\s(]*(?:-?\d|['\"])", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]{3,}")
_STEM = 4  # letters: "soap" and "soaps", "cancelled" and "cancellation" are one word
_COMMON = 0.1  # of the questions
PLACEHOLDERS = ("DAY", "NAME")
# These say that something is asked, and not what.
_ASKING = frozenset(
    WORD.findall(
        "all and are been count did does for from had has have how list many much name names show that the"
        " their them there they this was were what when where which who why with"
    )
)


def generalised(question: str, lesson: str) -> str:
    """The lesson with the question's own days and names replaced by DAY and NAME."""
    for name in _NAME.findall(question):
        lesson = lesson.replace(name, "NAME")
    return _DAY.sub("DAY", lesson) if re.search(r"\b\d{4}\b", question) else lesson


def repeated(question: str, lesson: str) -> tuple[str, ...]:
    """Numbers of three digits or more of its question that stand in a lesson's meaning."""
    meaning = lesson.rpartition(":")[2]
    return tuple(dict.fromkeys(n for n in _NUMBER.findall(meaning) if n in _NUMBER.findall(question)))


def unnamed(question: str) -> str:
    """A question without the names in it."""
    return _NAME.sub("", question)


def conditions(lesson: str) -> int:
    """How many comparisons with a constant a lesson's meaning holds."""
    return len(_CONDITION.findall(lesson.partition(":")[2]))


class Rarity:
    """Which words set a question apart from the others that are asked."""

    def __init__(self, questions: Iterable[str]) -> None:
        self._found = Counter[str]()
        self._told = 0
        for question in questions:
            self.meet(question)

    def meet(self, question: str) -> None:
        self._found.update(stems(question))
        self._told += 1

    def sets_apart(self, question: str, lesson: str) -> bool:
        """The words before the colon hold a rare word of the question, if it has any.

        Rare: hardly more common than its rarest one: "Orders paid" does not stand for "paid on invoice".
        Asked only of lessons that compare with a constant: a join or a unit is general by nature.
        """
        if not conditions(lesson):
            return True
        found = {word: self._found[word] for word in stems(question)}
        most = min(max(2, int(_COMMON * self._told)), 2 * max(1, min(found.values(), default=0)))
        rare = {word for word in found if found[word] <= most}
        return not rare or bool(rare & stems(lesson.partition(":")[0]))


def stems(text: str) -> frozenset[str]:
    """The words of a text that say what it is about, cut to their first letters, lower case."""
    return frozenset(stem(word) for word in WORD.findall(text) if word.lower() not in _ASKING)


def stem(word: str) -> str:
    return word[:_STEM].lower()


def mentioned(content: str) -> frozenset[str]:
    """The names in a text, lower case, dotted ones whole."""
    return frozenset(name.lower() for name in _IDENTIFIER.findall(content))


def names(lesson: str) -> frozenset[str]:
    """The columns that a lesson's meaning speaks of."""
    return frozenset(name for name in mentioned(lesson.partition(":")[2]) if "." in name)
