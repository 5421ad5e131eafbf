"""Compare what a right answer is made of with what bullets say. A part that none of them says was luck.

Knows texts only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ace.methods.ace.lesson_scope import generalize_lesson
from ace.playbook.model import Bullet
from ace.refine.similar import word_key
from ace.task.types import Fact

_LITERAL = re.compile(r"'([^']*)'|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")


def texts_of(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return the texts of facts."""
    return tuple(fact.text for fact in facts)


def list_teachable(question: str, parts: Iterable[str]) -> tuple[str, ...]:
    """Return those parts of a right answer that the question does not state itself.

    It states a part when every constant of the part stands in it. A part without constants can be taught.
    """
    teachable = []
    for part in parts:
        constants = [quoted or number for quoted, number in _LITERAL.findall(part)]
        patterns = [rf"(?<!\w){re.escape(constant)}(?!\w)" for constant in constants]
        stated = [pattern for pattern in patterns if re.search(pattern, question, re.IGNORECASE)]
        if not constants or len(stated) < len(constants):
            teachable.append(part)
    return tuple(teachable)


def list_unspoken(question: str, parts: Iterable[str], bullets: Iterable[Bullet]) -> tuple[str, ...]:
    """Return those parts that neither the question nor one of the bullets states."""
    contents = [set(word_key(bullet.content)) for bullet in bullets]
    unspoken = []
    for part in list_teachable(question, parts):
        words = set(word_key(generalize_lesson(question, part)))
        if not any(words <= content for content in contents):
            unspoken.append(part)
    return tuple(unspoken)


def has_part(bullet: Bullet, parts: Iterable[str]) -> bool | None:
    """Return whether a right answer is made of what a bullet says; None where one of them says nothing."""
    meaning = frozenset(word_key(bullet.content.partition(":")[2]))
    words = [frozenset(word_key(part)) for part in parts]
    if not words or not meaning:
        return None
    return any(part <= meaning or meaning <= part for part in words)
