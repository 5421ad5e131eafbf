"""All bullets in the order in which they bear on one question, found as far as it is asked for.

Places in a ranking by words and in one by nearness of meaning are fused, weighted by how much a bullet helps,
and varied among the first. The order is the same however far it is found: what is not looked at yet cannot
come before what was given out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from ace.playbook.model import Bullet
from ace.retrieval.fusion import FUSION_K
from ace.retrieval.ranking import AMONG, BEST_RATE, vary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Vectors

_FEW = 5  # vectors that are multiplied with up to 200 others at once
_ROUNDING = 2e-5  # by so much, at most, a cosine may be wrong before it is refined
_NEAREST = 2_048  # bullets that are sorted at first; then eight times as many each time


class Shelf(Protocol):
    """Hold what is known of each bullet, by its place."""

    positions: NDArray[np.int64]
    rates: NDArray[np.float64]
    vectors: Vectors
    bullets: dict[int, Bullet]


@dataclass(slots=True)
class QuestionOrder:
    """Iterate over places of bullets, that of the bullet that bears most on the question first."""

    shelf: Shelf
    """What is known of the bullets; it must not change as long as the order is in use."""

    eligible: NDArray[np.bool_]
    """By place, whether a bullet is ordered."""

    vector: NDArray[np.float32]
    """The question's."""

    nearness: NDArray[np.float32]
    """By place, the cosine with the question. It is changed."""

    by_words: Sequence[int]
    """The eligible places that share words with the question, the best first."""

    _order: list[int] = field(default_factory=list)
    """As far as it is found."""

    _sorted: int = 0
    """How many of the nearest bullets were sorted."""

    _total: int = field(init=False)
    """How many bullets are ordered."""

    def __post_init__(self) -> None:
        import numpy as np

        self._total = int(np.count_nonzero(self.eligible))
        self.nearness = np.where(self.eligible, self.nearness[: len(self.eligible)], np.float32(-np.inf))

    def __len__(self) -> int:
        """Count the bullets that are ordered."""
        return self._total

    def __iter__(self) -> Iterator[int]:
        number = 0
        while number < len(self._order) or self._extend():
            following = self._order[number:]
            yield from following
            number += len(following)

    def _extend(self) -> bool:
        """Find the order further; return whether there was more."""
        before, total = len(self._order), self._total
        if before == total:
            return False
        ordered: list[int] = []
        while len(ordered) < min(max(before + 1, AMONG), total):
            self._sorted = min(total, max(_NEAREST, 8 * self._sorted))
            ordered, worths = self._sort_nearest()
        if not before:
            self._order = self._vary(ordered[:AMONG], worths)
        self._order += ordered[len(self._order) :]
        return True

    def _sort_nearest(self) -> tuple[list[int], NDArray[np.float64]]:
        """Return the beginning of the order, without variety, with what bullets are worth by place.

        The nearest bullets and those with words of the question are sorted. It ends where another could come.
        """
        import numpy as np

        least = np.partition(self.nearness, -self._sorted)[-self._sorted]
        nearest = np.flatnonzero(self.nearness >= least)  # with all that are as near as the last one
        self._refine(nearest)
        nearest = self._sort(nearest, self.nearness)
        ranks = dict(zip(nearest.tolist(), range(1, len(nearest) + 1), strict=True))
        ranks |= self._find_far({place for place in self.by_words if place not in ranks})
        places, worths = self._weigh(ranks)
        if len(nearest) < self._total:  # what is farther, and shares no word, is worth less than this
            places = places[worths[places] > (1 + BEST_RATE) / (FUSION_K + len(nearest) + 1)]
        return self._sort(places, worths).tolist(), worths

    def _weigh(self, ranks: dict[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return places as an array, and by place what they are worth, from their ranks by nearness."""
        import numpy as np

        places = np.array(list(ranks), dtype=np.int64)
        worths = np.zeros(len(self.eligible))
        worths[places] = 1.0 / (FUSION_K + np.array(list(ranks.values())))
        if self.by_words:
            words = np.array(self.by_words, dtype=np.int64)
            worths[words] = 1.0 / (FUSION_K + np.arange(1, len(words) + 1)) + worths[words]
        worths[places] *= 1 + self.shelf.rates[places]
        return places, worths

    def sort_few(self, places: Sequence[int]) -> list[int]:
        """Return a few places in the order, without finding what stands between them.

        They must not be among the first, which are varied.
        """
        import numpy as np

        self._refine(np.array(places))
        ranks = {}
        for place in places:
            nearness = self.nearness[place]
            self._refine(np.flatnonzero(np.abs(self.nearness - nearness) <= _ROUNDING))
            better = int(np.count_nonzero(self.nearness > nearness))
            equals = self._sort(np.flatnonzero(self.nearness == nearness), self.nearness)
            ranks[place] = better + 1 + equals.tolist().index(place)
        ordered: list[int] = self._sort(*self._weigh(ranks)).tolist()
        return ordered

    def _refine(self, places: NDArray[np.int64]) -> None:
        """Compute nearness anew, so that its last digit does not depend on what was compared together."""
        import numpy as np

        vectors = self.shelf.vectors[places]
        self.nearness[places] = np.einsum("ij,j->i", vectors, self.vector, dtype=np.float64)

    def _sort(self, places: NDArray[np.int64], worths: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return places by their worths, the highest first, and the older first of equals."""
        import numpy as np

        worth, position = worths[places], self.shelf.positions[places]
        order = np.lexsort((position, -worth))
        worth, position = worth[order], position[order]
        if not ((worth[1:] == worth[:-1]) & (position[1:] == position[:-1])).any():
            return places[order]
        rows = [
            (-float(worths[place]), int(self.shelf.positions[place]), self.shelf.bullets[place].id, place)
            for place in places.tolist()
        ]
        return np.array([place for *_, place in sorted(rows)], dtype=np.int64)

    def _find_far(self, places: set[int]) -> dict[int, int]:
        """Map places beyond the nearest to their ranks by nearness: one more than have a better one."""
        import numpy as np

        if not places:
            return {}
        far = np.array(sorted(places))
        ascending = np.sort(self.nearness)
        worse = np.searchsorted(ascending, self.nearness[far], side="left")
        not_better = np.searchsorted(ascending, self.nearness[far], side="right")
        ranks = len(ascending) - not_better + 1
        shared = far[not_better - worse > 1]
        if len(shared):
            equals = np.flatnonzero(np.isin(self.nearness, self.nearness[shared]))
            equals = self._sort(equals, self.nearness)
            falling = -self.nearness[equals]
            before = np.zeros(len(self.nearness), dtype=np.int64)
            before[equals] = np.arange(len(equals)) - np.searchsorted(falling, falling, side="left")
            ranks += before[far]
        return dict(zip(far.tolist(), ranks.tolist(), strict=True))

    def _vary(self, first: list[int], worths: NDArray[np.float64]) -> list[int]:
        """Return the first of an order with variety: each at a loss for being like one before it.

        Where a number, a name or a "not" differs, two are not alike: the same words say another thing.
        """
        import numpy as np

        contents = [self.shelf.bullets[place].content for place in first]
        texts = {content: number for number, content in enumerate(dict.fromkeys(contents))}
        rows = [texts[content] for content in contents]  # the same text must be the same row
        marks: dict[frozenset[str], int] = {}
        kinds = np.array([marks.setdefault(find_marks(text), len(marks)) for text in texts])
        if len(marks) == len(first):  # nothing is alike
            return first
        places = dict(zip(rows, first, strict=True))
        vectors = self.shelf.vectors[[places[row] for row in range(len(texts))]]
        # A few at a time: for more, threads are woken that cost more than they save.
        columns = [vectors @ vectors[start : start + _FEW].T for start in range(0, len(vectors), _FEW)]
        alike = np.maximum(np.concatenate(columns, axis=1).astype(np.float64), 0.0)
        alike *= kinds[:, None] == kinds[None, :]
        varied = vary(worths[first], alike[np.ix_(rows, rows)])
        return [first[number] for number in varied]


@lru_cache(maxsize=131_072)
def find_marks(content: str) -> frozenset[str]:
    """Return what tells a bullet from those that are like it."""
    return frozenset(word.lower() for word in _compile_distinctive().findall(content))


@cache
def _compile_distinctive() -> re.Pattern[str]:
    """Compile what tells two like lessons apart; words of contrast come from a data file.

    It matches quoted text, numbers and codes, names with a dot or an underscore, and those words.
    """
    text = files("ace.retrieval").joinpath("contrast_words.toml").read_text("utf-8")
    contrasts = tomllib.loads(text)
    forms = [
        *map(re.escape, contrasts["words"]),
        *(rf"{re.escape(prefix)}\w+" for prefix in contrasts["prefixes"]),
        *(rf"\w+{re.escape(suffix)}" for suffix in contrasts["suffixes"]),
    ]
    # A word is looked at from its beginning only: else a long one without digits takes quadratic time.
    named = r"(?:(?<!\w)\w*)?[\d_.]\w+|(?:(?<!\w)\w*)?\d\w*"
    return re.compile(rf"'[^']*'|{named}|\b(?:{'|'.join(forms)})\b", re.IGNORECASE)
