"""Selection of bullets when not all of them fit: a stable core, then those that bear on the question.

The core stands in the prefix: pinned bullets, then those that help most, then the oldest. The rest of the
room goes to the question: full-text search and nearness of meaning fused, weighted by helpfulness, with
variety and quotas for sections. Those bullets stand in the volatile part, so the prefix is the same for every
question.

Votes count in quarters only, so that a single vote hardly ever changes the core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from ace.context.pack import LeftOut
from ace.context.render import Rendered, render_best, render_playbook
from ace.playbook.model import Playbook
from ace.retrieval.kept_bullets import KeptBullets
from ace.retrieval.question_order import QuestionOrder
from ace.text.tokens import CountTokens, estimate_tokens

if TYPE_CHECKING:
    from ace.llm.embedding import Vectors

CORE_SHARE = 0.5  # of the room, for bullets that every question is shown
NAMED = 50  # bullets without room that are named; of further ones the number is told
_KEPT = 4  # ways to count that bullets are kept for: a run has one


@dataclass(frozen=True, slots=True)
class HybridSelector:
    """Selects by words and by meaning. Safe to use from several threads."""

    vectors: Callable[[Sequence[str]], Vectors]
    """An embedder: one row of length 1 for each text."""

    _kept: dict[tuple[CountTokens, bool], KeptBullets] = field(default_factory=dict, compare=False)
    """What follows the playbook, by how lines are counted."""

    _expected: list[str] = field(default_factory=list, compare=False)
    """Questions that will be asked."""

    _lock: Lock = field(default_factory=Lock, compare=False)
    """Held while bullets are chosen: they are kept for one playbook at a time."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes one for which nothing is kept yet: a copy in another process has its own."""
        return HybridSelector, (self.vectors,)

    def expect(self, questions: Iterable[str]) -> None:
        """Take note of questions that will be asked, in their order. That saves time, and changes nothing."""
        with self._lock:
            self._expected[:] = questions

    def __call__(
        self,
        playbook: Playbook,
        question: str,
        room: int,
        count: CountTokens,
        *,
        ids: bool = False,
        most: int | None = None,
    ) -> Rendered:
        """Return a core as text and bullets for the question in `specific`, together within `room` tokens.

        `count` counts tokens, of which `room` is a number. `ids` labels each bullet with its id, so that it
        can be cited. With `most` there is no core, and at most so many bullets are for the question. Raises
        ModelUnavailable as the embedder does.
        """
        share = CORE_SHARE if most is None else 0.0
        with self._lock:
            shelf = self._follow(playbook, count, ids=ids)
            core = _render_core(shelf, playbook, int(room * share), count)
            core_places = [shelf.get_place(name) for name in core.bullets]
            order = shelf.rank(question, core_places)
            chosen = shelf.choose_for_question(order, room - core.tokens, most)
            specific = [shelf.make_item(place) for place in chosen]
            left_out = _list_left_out(shelf, order, {*core_places, *chosen})
        positions = {item.source: playbook.bullets[item.source].position for item in specific}
        specific.sort(key=lambda item: (positions[item.source], item.source))  # the oldest first
        return Rendered(core.text, core.tokens, core.bullets, left_out, tuple(specific))

    def render(
        self, playbook: Playbook, question: str, room: int, count: CountTokens, *, ids: bool = False
    ) -> Rendered:
        """Return the whole playbook where it fits into `room` tokens, else what is selected."""
        with self._lock:
            whole = _render_whole(self._follow(playbook, count, ids=ids), playbook, room, count)
        if whole is not None:
            return whole
        return self(playbook, question, room, count, ids=ids)

    def search(self, playbook: Playbook, question: str, most: int) -> list[str]:
        """Return ids of at most so many bullets in use, the one that bears most on the question first."""
        with self._lock:
            shelf = self._follow(playbook, estimate_tokens, ids=False)
            return [shelf.bullets[place].id for place in islice(shelf.rank(question, ()), most)]

    def _follow(self, playbook: Playbook, count: CountTokens, *, ids: bool) -> KeptBullets:
        """Return what is kept of the bullets, up to date for a playbook."""
        key = count, ids
        shelf = self._kept.pop(key, None)
        if shelf is None:
            shelf = KeptBullets(self.vectors, count, ids=ids)
            shelf.expected = self._expected
        self._kept[key] = shelf
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        shelf.follow(playbook)
        return shelf


def _render_whole(shelf: KeptBullets, playbook: Playbook, room: int, count: CountTokens) -> Rendered | None:
    """Return the whole playbook as a text; None where it takes more than `room` tokens.

    A text may take less than its lines do one by one, so the whole can fit where packing would leave one out.
    """
    if not shelf.may_fit(room):
        return None
    whole = render_playbook(playbook, room, count, ids=shelf.ids)
    return None if whole.left_out else whole


def _render_core(shelf: KeptBullets, playbook: Playbook, room: int, count: CountTokens) -> Rendered:
    """Return the bullets that stand in every prompt as a text, made once for a playbook."""
    if shelf.core is not None and shelf.core[0] == room:
        return shelf.core[1]
    core = _render_whole(shelf, playbook, room, count)
    if core is None:
        best = [shelf.bullets[place] for place in shelf.choose_core(room)]
        core = render_best(playbook, best, room, count, ids=shelf.ids)
    shelf.core = room, core
    return core


def _list_left_out(shelf: KeptBullets, order: QuestionOrder, shown: set[int]) -> tuple[LeftOut, ...]:
    """Name the bullets without room that bear most on the question, and tell how many more there are.

    `shown` are the places of the others: of the core, and of those for this question.
    """
    missing = len(shelf) - len(shown)
    numbered = ((number, place) for number, place in enumerate(order, 1) if place not in shown)
    left_out = []
    for number, place in islice(numbered, min(NAMED, missing)):
        reason = f"number {number} of {len(order)} for this question: no room"
        left_out.append(LeftOut(shelf.bullets[place].id, int(shelf.costs[place]), reason))
    if missing > NAMED:
        tokens = shelf.tokens - int(shelf.costs[list(shown)].sum())
        tokens -= sum(item.tokens for item in left_out)
        more = missing - NAMED
        left_out.append(LeftOut(f"{more} more", tokens, "they bear less on this question: no room", more))
    return tuple(left_out)
