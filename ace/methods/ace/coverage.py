"""What a right answer is made of, and which bullets say it. What none says was luck.

Knows texts only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ace.methods.ace.lesson_scope import generalised
from ace.playbook.model import Bullet
from ace.refine.similar import word_key
from ace.task.types import Fact

_LITERAL = re.compile(r"'([^']*)'|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")


def texts_of(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return the texts of facts."""
    return tuple(fact.text for fact in facts)


def teachable(question: str, parts: Iterable[str]) -> tuple[str, ...]:
    """Those that the question does not say itself."""
    return tuple(part for part in parts if not _said(question, part))


def unspoken(question: str, uses: Iterable[str], known: Iterable[Bullet]) -> tuple[str, ...]:
    """Those of `uses` that the question does not say itself and none of the bullets `known` says."""
    told = [set(word_key(bullet.content)) for bullet in known]
    return tuple(
        part
        for part in teachable(question, uses)
        if not any(set(word_key(generalised(question, part))) <= words for words in told)
    )


def vouched(bullet: Bullet, uses: Iterable[str]) -> bool | None:
    """Whether a right answer is made of what a bullet says; None where one of them does not say."""
    meaning, parts = frozenset(word_key(bullet.content.partition(":")[2])), [*uses]
    if not parts or not meaning:
        return None
    told = (frozenset(word_key(part)) for part in parts)
    return any(part <= meaning or meaning <= part for part in told)


def _said(question: str, part: str) -> bool:
    """Every constant of the part stands in the question: nothing had to be known. A join has none."""
    constants = [quoted or number for quoted, number in _LITERAL.findall(part)]
    return bool(constants) and all(
        re.search(rf"(?<!\w){re.escape(constant)}(?!\w)", question, re.IGNORECASE) for constant in constants
    )
