"""Several rankings of the same things fused into one, and variety among the first of them. Pure.

Knows nothing about what is ranked: keys are anything hashable. Fusion is reciprocal-rank fusion (Cormack,
Clarke and Buettcher, SIGIR 2009): only places count, so scores need not be comparable (BM25, cosine).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
FUSION_K = 60  # of the paper: the larger, the less a better place counts


def fuse(rankings: Iterable[Sequence[Key]], k: int = FUSION_K) -> list[tuple[Key, float]]:
    """Return (key, score), best first; a key scores the sum of 1 / (k + place) over rankings, from place 1.

    A key that a ranking lists twice counts for its better place. Ties keep the order in which keys were first
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
    """Return the first `most` keys, best first, without repeats: of keys with equal `same` the first counts.

    A group (a document) gives `per_group` keys at most as long as other groups have some left; its further
    keys fill the places that nobody else takes. Likeness is never a reason to leave something out: pages that
    are alike but for a number are what a reader has to tell apart.
    """
    unique: dict[Hashable, Key] = {}
    for key in ranked:
        unique.setdefault(same(key), key)
    counts: Counter[Hashable] = Counter()
    within_quota: list[Key] = []
    beyond_quota: list[Key] = []
    for key in unique.values():
        counts[group(key)] += 1
        if counts[group(key)] <= per_group:
            within_quota.append(key)
        else:
            beyond_quota.append(key)
    free = max(0, most - len(within_quota))
    chosen = {*within_quota[:most], *beyond_quota[:free]}
    return [key for key in unique.values() if key in chosen]
