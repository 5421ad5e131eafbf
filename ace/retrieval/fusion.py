"""Several rankings of the same things made into one, and variety among the first of them. Pure.

Knows nothing about what is ranked: keys are anything hashable. Fusion is reciprocal-rank fusion (Cormack,
Clarke and Buettcher, SIGIR 2009): only places count, so scores that cannot be compared (BM25, cosine) need
not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def fuse(rankings: Iterable[Sequence[Key]], k: int = 60) -> list[tuple[Key, float]]:
    """(key, score), best first; a key scores the sum of 1 / (k + place) over rankings, places counted from 1.

    A key that a ranking holds twice counts for its better place. Ties keep the order in which keys were first
    met, ranking by ranking. Raises ValueError for a negative k.
    """
    if k < 0:
        raise ValueError(f"k must not be negative, found {k}")
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for place, key in enumerate(dict.fromkeys(ranking), start=1):
            scores[key] = scores.get(key, 0.0) + 1.0 / (k + place)
    return sorted(scores.items(), key=lambda pair: -pair[1])


def spread(
    ranked: Iterable[Key],
    most: int,
    *,
    group: Callable[[Key], Hashable],
    same: Callable[[Key], Hashable],
    per_group: int,
) -> list[Key]:
    """The first `most` keys, best first, without repeats: of those with equal `same` only the first counts.

    A group (a document) gives `per_group` at most as long as others have something left; what it was denied
    fills the places nobody else takes. Likeness is never a reason to leave something out: pages that are
    alike but for a number are what a reader has to tell apart.
    """
    said: dict[Hashable, Key] = {}
    for key in ranked:
        said.setdefault(same(key), key)
    first = list(said.values())
    taken: Counter[Hashable] = Counter()
    chosen, waiting = list[Key](), list[Key]()
    for key in first:
        where = group(key)
        (chosen if taken[where] < per_group else waiting).append(key)
        taken[where] += 1
    kept = set(chosen[:most]) | set(waiting[: max(0, most - len(chosen))])
    return [key for key in first if key in kept]
