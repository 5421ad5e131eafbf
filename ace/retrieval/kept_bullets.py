"""The bullets in use of a playbook, kept in the orders in which they are chosen for prompts.

What is kept follows from playbook to playbook at the cost of what differs. A question costs a few passes of
numpy over one number a bullet; Python looks only at those that may be chosen. What is chosen depends on the
playbook and the question alone, whatever was looked at before.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING

from ace.context.item import Item
from ace.context.render import Rendered, list_item, measure_heading
from ace.playbook.ancestry import find_changed
from ace.playbook.model import Bullet, Playbook, Status
from ace.retrieval.bullet_index import BulletIndex
from ace.retrieval.question_order import QuestionOrder
from ace.retrieval.ranking import AMONG, rate_worth
from ace.text.tokens import CountTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Vectors

    Flags = NDArray[np.bool_]
    Numbers = NDArray[np.float32]

_FIRST = 256  # places to begin with; then twice as many each time
_QUESTIONS = 64  # whose likenesses with all bullets are kept
_AT_ONCE = 32  # questions that are compared with all bullets together
_FEW = 32  # bullets that are looked for in an order one by one
_PATIENCE = 32  # that are passed over before it is looked whether anything can still be chosen


class KeptBullets:
    """Hold each bullet in use in a place of its own. Not for several threads at once.

    `embed` turns texts into vectors of length 1. `count` counts the tokens of a line, which has an id where
    `ids` says so. `expected` are questions that will be asked, in their order: they are compared together.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Vectors], count: CountTokens, *, ids: bool) -> None:
        import numpy as np

        self._embed, self._count, self.ids = embed, count, ids
        self.expected: Sequence[str] = ()
        self._playbook = Playbook()
        self._places: dict[str, int] = {}  # of ids
        self._free: list[int] = []
        self.bullets: dict[int, Bullet] = {}  # by place, as all that follows
        self.costs: NDArray[np.int64] = np.zeros(_FIRST, dtype=np.int64)
        self.rates: NDArray[np.float64] = np.zeros(_FIRST)
        self.positions: NDArray[np.int64] = np.zeros(_FIRST, dtype=np.int64)
        self.sections: NDArray[np.int64] = np.zeros(_FIRST, dtype=np.int64)  # numbers of section names
        self.alive: Flags = np.zeros(_FIRST, dtype=bool)
        self.vectors: Vectors = np.zeros((_FIRST, 0), dtype=np.float32)
        self._by_use: list[tuple[bool, float, int, str]] = []  # what stands in the core first
        self._section_numbers: dict[str, int] = {}
        self._headings: list[int] = []  # tokens, by section number
        self._cheapest: list[int] = []  # tokens of the shortest line that a section ever had, by its number
        self._items: dict[int, Item] = {}  # those that were asked for
        self.tokens = 0  # of all lines
        self._not_embedded: set[int] = set()
        self._asked: dict[str, tuple[Numbers, Numbers]] = {}  # questions: their vectors and their likenesses
        self._index = BulletIndex(())
        self._not_indexed: set[int] = set()
        self._indexed_core: frozenset[int] = frozenset()
        self.core: tuple[int, Rendered] | None = None
        """What stands in every prompt of this playbook with so many tokens of room, once it was chosen."""

    def __len__(self) -> int:
        """Count the bullets in use."""
        return len(self._places)

    def follow(self, playbook: Playbook) -> None:
        """Hold the bullets in use of `playbook` from now on."""
        if playbook is self._playbook:
            return
        dropped: list[Bullet] = []
        new: list[Bullet] = []
        for name in find_changed(self._playbook, playbook):
            after = playbook.bullets.get(name)
            place = self._places.get(name)
            before = None if place is None else self.bullets[place]
            if after is not None and after.status is not Status.ACTIVE:
                after = None
            if before == after:
                continue
            if before is not None:
                dropped.append(before)
            if after is not None:
                new.append(after)
        is_rebuilt = 8 * (len(dropped) + len(new)) > len(self._by_use)
        for bullet in dropped:
            self._drop(bullet, keep_order=not is_rebuilt)
        for bullet in new:
            self._put(bullet, keep_order=not is_rebuilt)
        if is_rebuilt:
            self._by_use = sorted(_rank_use(self.bullets[place]) for place in self._places.values())
        self._playbook = playbook
        self.core = None

    def _drop(self, bullet: Bullet, *, keep_order: bool) -> None:
        """Empty the place of a bullet."""
        place = self._places.pop(bullet.id)
        del self.bullets[place]
        self._items.pop(place, None)
        self.alive[place] = False
        self.tokens -= int(self.costs[place])
        self._free.append(place)
        self._not_indexed.add(place)
        self._not_embedded.discard(place)
        if keep_order:
            del self._by_use[bisect_left(self._by_use, _rank_use(bullet))]

    def _put(self, bullet: Bullet, *, keep_order: bool) -> None:
        """Give a bullet a place. All tables double when they are full."""
        import numpy as np

        place = self._free.pop() if self._free else len(self.bullets)
        if place == len(self.alive):
            self.costs, self.rates, self.positions, self.sections, self.alive = (
                np.concatenate([table, np.zeros_like(table)])
                for table in (self.costs, self.rates, self.positions, self.sections, self.alive)
            )
        section = self._section_numbers.setdefault(bullet.section, len(self._headings))
        if section == len(self._headings):
            self._headings.append(measure_heading(bullet.section, self._count))
            self._cheapest.append(sys.maxsize)
        cost = self._count(list_item(bullet.content, bullet.id if self.ids else ""))
        self._cheapest[section] = min(self._cheapest[section], cost)
        self._places[bullet.id] = place
        self.bullets[place] = bullet
        self.costs[place], self.rates[place] = cost, rate_worth(bullet)
        self.positions[place], self.sections[place] = bullet.position, section
        self.alive[place] = True
        self.tokens += cost
        self._not_indexed.add(place)
        self._not_embedded.add(place)
        if keep_order:
            insort(self._by_use, _rank_use(bullet))

    def may_fit(self, room: int) -> bool:
        """Return whether the text of all bullets may take no more than `room` tokens.

        A tokenizer need not add up, but no text takes less than half of what its lines take.
        """
        return self.tokens <= 2 * room

    def get_place(self, name: str) -> int:
        """Return the place of a bullet by its id."""
        return self._places[name]

    def make_item(self, place: int) -> Item:
        """Return the bullet in a place as an item for one question, with what its line costs."""
        item = self._items.get(place)
        if item is not None:
            return item
        bullet = self.bullets[place]
        item = self._items[place] = Item(
            text=bullet.content,
            tokens=int(self.costs[place]),
            source=bullet.id,
            section=bullet.section,
            pinned=bullet.pinned,
            volatile=True,
            provenance=bullet.id if self.ids else "",
        )
        return item

    def choose_core(self, room: int) -> list[int]:
        """Return the places of the bullets that stand in every prompt, first those of most use.

        They are taken in the order of pins, helpfulness and age, as long as any has room with the heading of
        its section.
        """
        import numpy as np

        chosen: list[int] = []
        unopened = np.array(self._headings, dtype=np.int64)
        free = self.alive.copy()
        order: Iterator[int] = (self._places[key[-1]] for key in self._by_use)
        missed, patience = 0, _PATIENCE
        while (place := next(order, None)) is not None:
            section = self.sections[place]
            cost = int(self.costs[place] + unopened[section])
            if cost > room:
                missed += 1
                if missed == patience:  # go on among those that have room; all others stay without
                    fitting = np.flatnonzero(free & (self.costs + unopened[self.sections] <= room)).tolist()
                    order = iter(sorted(fitting, key=lambda place: _rank_use(self.bullets[place])))
                    missed, patience = 0, 2 * patience
                continue
            unopened[section] = 0
            room -= cost
            free[place] = False
            chosen.append(place)
        return chosen

    def choose_for_question(
        self, order: QuestionOrder, room: int, most: int | None, *, quota: float = 0.75
    ) -> list[int]:
        """Return the places of bullets that fit into `room` tokens, in an order.

        With `most` only the first ones of it count. A section gets more than its `quota` of the room only
        after all others had their turn.
        """
        import numpy as np

        chosen: dict[int, None] = {}
        spent, total = [0] * len(self._headings), 0
        for share in (room * quota, room):
            missed, patience = 0, _PATIENCE
            places: Iterator[int] = islice(order, most)
            for number in count():
                place = next(places, None)
                if place is None:
                    break
                if place in chosen:
                    continue
                section, cost = int(self.sections[place]), int(self.costs[place])
                if spent[section] + cost <= share and total + cost <= room:
                    chosen[place] = None
                    spent[section] += cost
                    total += cost
                    continue
                missed += 1
                if missed == patience:
                    patience *= 2
                    allowed = np.minimum(share - np.array(spent), room - total)
                    if (allowed < self._cheapest).all():
                        break
                    free = order.eligible & (self.costs <= allowed[self.sections])
                    free[list(chosen)] = False
                    left = np.flatnonzero(free).tolist()
                    if not left:
                        break
                    if most is None and number >= AMONG and len(left) <= _FEW:
                        places = iter(order.sort_few(left))
        return list(chosen)

    def rank(self, question: str, core: Iterable[int]) -> QuestionOrder:
        """Return the order of the bullets outside of the core; what bears most on the question is first."""
        import numpy as np

        excluded = frozenset(core)
        eligible = self.alive.copy()
        eligible[list(excluded)] = False
        if not eligible.any():
            nothing = np.zeros(len(eligible), dtype=np.float32)
            return QuestionOrder(self, eligible, nothing[:0], nothing, ())
        vector, nearness = self._compare(question)
        by_words = [self._places[name] for name in self._search(question, excluded)]
        return QuestionOrder(self, eligible, vector, nearness, by_words)

    def _search(self, question: str, core: frozenset[int]) -> list[str]:
        """Return ids that share a word with the question, best first, of the bullets outside of the core."""
        changed = self._not_indexed | (core ^ self._indexed_core)
        new: dict[int, Bullet] = {}
        for place in changed:
            bullet = self.bullets.get(place)
            if bullet is not None and place not in core:
                new[place] = bullet
        self._index.replace(changed, new)
        self._not_indexed, self._indexed_core = set(), core
        return self._index.search(question)

    def _compare(self, question: str) -> tuple[Numbers, Numbers]:
        """Return the vector of a question, and its likeness with the bullet in every place.

        Likenesses are kept for questions that are asked again, as of a sample that is attempted several
        times, and found for several expected ones at once.
        """
        import numpy as np

        changed = sorted(self._not_embedded)
        if changed:
            vectors = self._embed([self.bullets[place].content for place in changed])
            if self.vectors.shape != (len(self.alive), vectors.shape[1]):
                table = np.zeros((len(self.alive), vectors.shape[1]), dtype=np.float32)
                table[: len(self.vectors), : self.vectors.shape[1]] = self.vectors
                self.vectors = table
            self.vectors[changed] = vectors
            self._not_embedded.clear()
        if self._asked and changed:
            asked_before = list(self._asked.items())
            updates = self.vectors[changed] @ np.array([vector for _, (vector, _) in asked_before]).T
            for number, (text, (vector, likeness)) in enumerate(asked_before):
                grown = len(self.vectors) - len(likeness)
                if grown:
                    likeness = np.concatenate([likeness, np.zeros(grown, dtype=np.float32)])
                likeness[changed] = updates[:, number]
                self._asked[text] = vector, likeness
        if question not in self._asked:
            self._compare_several(question)
        known = self._asked.pop(question)
        self._asked[question] = known  # the one asked last is dropped last
        return known

    def _compare_several(self, question: str) -> None:
        """Compare a question with all bullets, and those that are expected after it."""
        following: list[str] = []
        if question in self.expected:
            start = self.expected.index(question)
            upcoming = self.expected[start + 1 : start + _AT_ONCE]
            following = [text for text in dict.fromkeys(upcoming) if text not in self._asked]
        asked = [*(text for text in reversed(following) if text != question), question]
        vectors = self._embed(asked)
        for text, vector, likeness in zip(asked, vectors, vectors @ self.vectors.T, strict=True):
            self._asked[text] = vector.copy(), likeness.copy()
        for text in list(self._asked)[: max(0, len(self._asked) - _QUESTIONS)]:
            del self._asked[text]


def _rank_use(bullet: Bullet) -> tuple[bool, float, int, str]:
    """Return what sorts bullets by pin, helpfulness and age, for the core."""
    return not bullet.pinned, -rate_worth(bullet), bullet.position, bullet.id
