"""Which bullets a question is shown when not all of them fit: a stable core, and those that bear on it.

The core stands in the prefix: pinned bullets, then those that help most, then the oldest. The rest of the
room goes to the question: full-text search and nearness of meaning fused, weighted by helpfulness, with
variety and quotas for sections. Those stand in the volatile part: the prefix is the same for every question.

Votes count in quarters only, so that a vote hardly ever changes the core.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ace.context.item import Item
from ace.context.pack import LeftOut
from ace.context.render import Rendered, list_item, render_playbook
from ace.playbook.model import Bullet, Playbook
from ace.retrieval.bullet_index import BulletIndex
from ace.retrieval.fusion import fuse
from ace.retrieval.ranking import helpfulness, varied, within
from ace.text.tokens import CountTokens

if TYPE_CHECKING:
    from ace.llm.embedding import Vectors

CORE = 0.5  # of the room, for bullets that every question is shown
_EXACT = re.compile(
    r"'[^']*'|\w*[\d_.]\w+|\w*\d\w*|\b(?:not|no|never|without|except|un\w+|\w+n't)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Chooses by words and by meaning; `vectors` is an embedder. Safe to use from several threads."""

    vectors: Callable[[Sequence[str]], Vectors]

    def __call__(
        self, playbook: Playbook, question: str, room: int, count: CountTokens, *, ids: bool = False
    ) -> Rendered:
        """A core in the text, bullets for the question in `specific`, together within `room` tokens."""
        core = render_playbook(playbook, int(room * CORE), count, ids=ids, utility=worth)
        rest = {b.id: b for b in playbook.active if b.id not in frozenset(core.bullets)}
        items = {name: _item(bullet, count, ids) for name, bullet in rest.items()}
        order = self.ranked(rest, question)
        cost = {name: item.tokens for name, item in items.items()}
        section = {name: bullet.section for name, bullet in rest.items()}
        chosen = within(order, cost, section, room - core.tokens)
        place = {name: rank for rank, name in enumerate(order, 1)}
        left_out = tuple(
            LeftOut(name, cost[name], f"number {place[name]} of {len(rest)} for this question: no room")
            for name in rest
            if name not in chosen
        )
        by_age = sorted(chosen, key=lambda name: (rest[name].position, name))
        return Rendered(core.text, core.tokens, core.bullets, left_out, tuple(items[n] for n in by_age))

    def ranked(self, bullets: Mapping[str, Bullet], question: str) -> list[str]:
        """Every bullet, the one that bears most on the question first."""
        if not bullets:
            return []
        names = sorted(bullets, key=lambda name: (bullets[name].position, name))
        found = _index(tuple(bullets[name] for name in names)).search(question)
        made = self.vectors([question, *(bullets[name].content for name in names)])
        near = made[1:] @ made[0]
        by_meaning = [names[place] for place in sorted(range(len(names)), key=lambda p: (-float(near[p]), p))]
        scores = dict(fuse((found, by_meaning)))
        worths = {name: scores[name] * (1 + worth(bullets[name])) for name in names}
        row = dict(zip(names, made[1:], strict=True))
        exact = {name: _exact(bullets[name].content) for name in names}

        def alike(one: str, other: str) -> float:
            """0 where a number, a name or a "not" differs: those say different things in the same words."""
            return max(0.0, float(row[one] @ row[other])) if exact[one] == exact[other] else 0.0

        return varied(worths, alike)


def worth(bullet: Bullet) -> float:
    """How much it helps for sure, in quarters; a quarter below nothing where harm is what is for sure."""
    if helpfulness(bullet.harmful, bullet.helpful) > 0.5:
        return -0.25
    return int(4 * helpfulness(bullet.helpful, bullet.harmful)) / 4


def _item(bullet: Bullet, count: CountTokens, ids: bool) -> Item:
    label = bullet.id if ids else ""
    tokens = count(list_item(bullet.content, label))
    text, place = bullet.content, bullet.section
    return Item(text, tokens, bullet.id, place, pinned=bullet.pinned, volatile=True, provenance=label)


def _exact(content: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _EXACT.findall(content))


@lru_cache(maxsize=8)
def _index(bullets: tuple[Bullet, ...]) -> BulletIndex:
    """Candidates come and go; the playbook they are made from stays for a batch."""
    return BulletIndex(bullets)
