"""Lessons of a large batch meet in small groups, each lesson in two of them. Pure.

What was proven alone may fail beside what others proved, and the more lessons are thrown together, the more
do. Knows places in a batch and texts of lessons; who is asked whether a group gets along is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random

from ace.playbook.model import Add, Delta, Revise
from ace.refine.similar import means_the_same, topic_key, word_key

Group = tuple[int, ...]


def groups(count: int, seed: int) -> tuple[Group, ...]:
    """The places 0 to `count` - 1, shuffled twice and each time cut into groups of about sqrt(`count`).

    Every place is in exactly two groups, in order inside each. The same seed gives the same groups.
    """
    chance = Random(seed)  # noqa: S311 (an order, not a secret)
    parts = round(math.sqrt(count))
    found: list[Group] = []
    for _ in range(2):
        order = list(range(count))
        chance.shuffle(order)
        found += [tuple(sorted(order[part::parts])) for part in range(parts)]
    return tuple(found)


def conflict(one: Delta, other: Delta) -> bool:
    """They say different things of the same words, or change one bullet into two."""
    return any(
        _same_place(a, b) and not _alike(a.content, b.content) for a, b in product(_said(one), _said(other))
    )


def _said(delta: Delta) -> Iterator[Add | Revise]:
    return (operation for operation in delta if isinstance(operation, Add | Revise))


def _same_place(a: Add | Revise, b: Add | Revise) -> bool:
    same_bullet = a.id == b.id and isinstance(a, Revise) and isinstance(b, Revise)
    return same_bullet or (bool(topic_key(a.content)) and topic_key(a.content) == topic_key(b.content))


def _alike(one: str, other: str) -> bool:
    return word_key(one) == word_key(other) or means_the_same(one, other)


def rivals(deltas: Sequence[Delta], group: Group, place: int) -> Group:
    """The other members of a group that `place` is in conflict with."""
    return tuple(other for other in group if other != place and conflict(deltas[place], deltas[other]))
