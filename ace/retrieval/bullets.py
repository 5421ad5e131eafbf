"""Selection of bullets when not all of them fit: a stable core, then those that bear on the question.

The core stands in the prefix: pinned bullets, then those that help most, then the oldest. The rest of the
room goes to the question: full-text search and nearness of meaning fused, weighted by helpfulness, with
variety and quotas for sections. Those bullets stand in the volatile part, so the prefix is the same for every
question.

Votes count in quarters only, so that a single vote hardly ever changes the core.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ace.context.item import Item
from ace.context.pack import LeftOut
from ace.context.render import Rendered, list_item, render_playbook
from ace.playbook.model import Bullet, Playbook
from ace.retrieval.bullet_index import BulletIndex
from ace.retrieval.fusion import fuse
from ace.retrieval.ranking import bound_helpfulness, choose_within_room, diversify
from ace.text.tokens import CountTokens

if TYPE_CHECKING:
    from ace.llm.embedding import Vectors

CORE_SHARE = 0.5  # of the room, for bullets that every question is shown
# Candidates come and go; the playbook that they are made from stays for a batch.
_build_index = lru_cache(maxsize=8)(BulletIndex)


@dataclass(frozen=True, slots=True)
class HybridSelector:
    """Selects by words and by meaning. Safe to use from several threads."""

    vectors: Callable[[Sequence[str]], Vectors]
    """An embedder: one row of length 1 for each text."""

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
        core = render_playbook(playbook, int(room * share), count, ids=ids, utility=rate_worth)
        in_core = frozenset(core.bullets)
        rest = {bullet.id: bullet for bullet in playbook.active if bullet.id not in in_core}
        items = {}
        for name, bullet in rest.items():
            label = name if ids else ""
            items[name] = Item(
                text=bullet.content,
                tokens=count(list_item(bullet.content, label)),
                source=name,
                section=bullet.section,
                pinned=bullet.pinned,
                volatile=True,
                provenance=label,
            )

        order = self.rank(rest, question)
        cost = {name: item.tokens for name, item in items.items()}
        section = {name: bullet.section for name, bullet in rest.items()}
        chosen = choose_within_room(order[:most], cost, section, room - core.tokens)
        rank = {name: place for place, name in enumerate(order, 1)}
        specific, left_out = [], []
        for name, item in items.items():
            if name in chosen:
                specific.append(item)
            else:
                reason = f"number {rank[name]} of {len(rest)} for this question: no room"
                left_out.append(LeftOut(name, item.tokens, reason))
        specific.sort(key=lambda item: (rest[item.source].position, item.source))  # the oldest first
        return Rendered(core.text, core.tokens, core.bullets, tuple(left_out), tuple(specific))

    def rank(self, bullets: Mapping[str, Bullet], question: str) -> list[str]:
        """Return the ids of all bullets, the one that bears most on the question first."""
        if not bullets:
            return []
        names = sorted(bullets, key=lambda name: (bullets[name].position, name))
        by_words = _build_index(tuple(bullets[name] for name in names)).search(question)
        vectors = self.vectors([question, *(bullets[name].content for name in names)])
        rows = {name: row for row, name in enumerate(names, 1)}
        nearness = dict(zip(names, (vectors[1:] @ vectors[0]).tolist(), strict=True))
        by_meaning = sorted(names, key=lambda name: -nearness[name])  # of equals the older first
        scores = dict(fuse((by_words, by_meaning)))
        distinctive = _compile_distinctive()
        worths = {name: scores[name] * (1 + rate_worth(bullets[name])) for name in names}

        @cache
        def find_marks(name: str) -> set[str]:
            """Return what tells a bullet from those that are like it. Few bullets are compared."""
            return {word.lower() for word in distinctive.findall(bullets[name].content)}

        def measure_likeness(first: str, second: str) -> float:
            """Return 0 where a number, a name or a "not" differs: the same words then say another thing."""
            if find_marks(first) != find_marks(second):
                return 0.0
            return max(0.0, float(vectors[rows[first]] @ vectors[rows[second]]))

        return diversify(worths, measure_likeness)


def rate_worth(bullet: Bullet) -> float:
    """Return how much a bullet helps for sure, 0 to 0.75 in quarters; -0.25 where harm is what is sure."""
    if bound_helpfulness(bullet.harmful, bullet.helpful) > 0.5:
        return -0.25
    return int(4 * bound_helpfulness(bullet.helpful, bullet.harmful)) / 4


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
