"""Select plainly: everything is looked at for every question, and what is kept has to choose the same."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from ace.context.item import Item
from ace.context.pack import LeftOut
from ace.context.render import Rendered, list_item, render_playbook
from ace.playbook.model import Bullet, Playbook
from ace.retrieval.bullets import CORE_SHARE
from ace.retrieval.fusion import fuse
from ace.retrieval.ranking import AMONG, rate_worth
from ace.store.sqlite_text import build_word_query, replace_lone_surrogates
from ace.text.character_pairs import list_index_terms
from ace.text.tokens import CountTokens

if TYPE_CHECKING:
    from ace.llm.embedding import Vectors

T = TypeVar("T")

_TABLE = """CREATE VIRTUAL TABLE bullets USING fts5(
    id UNINDEXED, section, content, terms, tokenize = "porter unicode61 remove_diacritics 2"
)"""
_MATCH = """SELECT id FROM bullets WHERE bullets MATCH ?
    ORDER BY bm25(bullets, 0.0, 0.5, 1.0, 1.0), rowid LIMIT ?"""


class PlainIndex:
    """Searches a fixed set of bullets. Safe to use from several threads."""

    def __init__(self, bullets: Iterable[Bullet]) -> None:
        """Index the sections and contents of bullets; a word in the content counts for twice as much."""
        self._lock = Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(_TABLE)
        rows = [
            (
                replace_lone_surrogates(bullet.id),
                replace_lone_surrogates(bullet.section),
                replace_lone_surrogates(bullet.content),
                " ".join(list_index_terms(f"{bullet.section}\n{bullet.content}")),
            )
            for bullet in bullets
        ]
        self._db.executemany("INSERT INTO bullets VALUES (?, ?, ?, ?)", rows)

    def search(self, question: str, limit: int = 1000) -> list[str]:
        """Return ids of bullets that share a word with the question, best first by BM25.

        The question itself is never parsed as a query.
        """
        query = build_word_query(question)
        if not query:
            return []
        with self._lock:
            return [bullet_id for (bullet_id,) in self._db.execute(_MATCH, (query, limit))]


def diversify(
    scores: Mapping[T, float], near: Callable[[T, T], float], *, penalty: float = 0.3, among: int = AMONG
) -> list[T]:
    """Return keys best first, each at a loss for being `near` (0 to 1) a key that was taken before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). Scores count as shares of the best one,
    and `penalty` times the nearness is taken off. Among equals the earlier in `scores` comes first. Only the
    best `among` keys are compared with each other; the others follow in the order of their scores.
    """
    order = sorted(scores, key=lambda name: -scores[name])
    rest, after = order[:among], order[among:]
    top = max(scores.values(), default=0.0) or 1.0
    closest = dict.fromkeys(rest, 0.0)
    taken: list[T] = []
    while rest:
        best = max(rest, key=lambda name: scores[name] / top - penalty * closest[name])
        rest.remove(best)
        taken.append(best)
        for name in rest:
            closest[name] = max(closest[name], near(best, name))
    return taken + after


def choose_within_room(
    order: Sequence[T], cost: Mapping[T, int], section: Mapping[T, str], room: int, *, quota: float = 0.75
) -> set[T]:
    """Choose keys that fit into `room`, in order; `cost` is in the same unit (tokens).

    A section gets more than its `quota` of the room only after all other sections had their turn.
    """
    chosen: set[T] = set()
    spent: Counter[str] = Counter()
    for most in (room * quota, room):
        for name in order:
            if name in chosen:
                continue
            of_section = spent[section[name]] + cost[name]
            of_all = spent.total() + cost[name]
            if of_section <= most and of_all <= room:
                chosen.add(name)
                spent[section[name]] = of_section
    return chosen


@dataclass(frozen=True, slots=True)
class PlainSelector:
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
        by_words = PlainIndex([bullets[name] for name in names]).search(question)
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
