"""The playbook as the generator reads it, within a token budget.

A prefix to be cached: sections in order of first use, bullets in order of addition, no counters, no
episodes, no dates. So a vote changes nothing and a new bullet only appends within its section. When
room is short the oldest bullets stay (the pinned first), for the same reason.

A bullet is data. Its line breaks are indented, so it cannot start another bullet or section; chat
template tokens, markup of tool calls and lines of our own prompts lose their form (see
`ace.safety.markup`); characters nobody can see are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ace.context.item import Item
from ace.context.pack import LeftOut, pack
from ace.playbook.model import Bullet, Playbook
from ace.safety.markup import headless, neutralise
from ace.text.tokens import CountTokens, estimate_tokens


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text for a prompt, what it counts, the bullets in it, and those there was no room for.

    `specific`: bullets for the question at hand only, which are no part of `text`.
    """

    text: str
    tokens: int
    bullets: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    specific: tuple[Item, ...] = ()


def render_playbook(
    playbook: Playbook,
    budget_tokens: int,
    count_tokens: CountTokens = estimate_tokens,
    *,
    ids: bool = False,
    utility: Callable[[Bullet], float] | None = None,
) -> Rendered:
    """The active bullets that fit, never more than the budget. `ids` shows them, for a curator.

    When room is short, `utility` says which are worth more than age.
    """
    active = playbook.active
    lines = {bullet.id: _line(bullet, ids) for bullet in active}
    text = _document(active, lines)
    tokens = count_tokens(text)
    if tokens <= budget_tokens:
        return Rendered(text, tokens, tuple(lines), ())
    return _fitted(active, lines, budget_tokens, count_tokens, utility or (lambda bullet: 0.0))


def list_item(text: str, label: str = "") -> str:
    """Text from anywhere as a list item, no line of it one of our own; `label` stands before it as it is."""
    content = headless(neutralise(text))
    return f"- [{label}] {content}\n" if label else f"- {content}\n"


def _line(bullet: Bullet, ids: bool) -> str:
    return list_item(bullet.content, bullet.id if ids else "")


def _heading(section: str) -> str:
    return f"## {neutralise(section)}\n"


def _document(bullets: Sequence[Bullet], lines: Mapping[str, str]) -> str:
    groups = groupby(bullets, key=lambda bullet: bullet.section)
    return "\n".join(_heading(name) + "".join(lines[bullet.id] for bullet in group) for name, group in groups)


def _fitted(
    bullets: Sequence[Bullet],
    lines: Mapping[str, str],
    budget: int,
    count: CountTokens,
    utility: Callable[[Bullet], float],
) -> Rendered:
    """Packed by what each line counts, then checked as a whole: a tokenizer need not add up."""
    by_age = sorted(bullets, key=lambda bullet: (bullet.position, bullet.id))
    items = [Item(lines[b.id], count(lines[b.id]), b.id, b.section, utility(b), b.pinned) for b in by_age]
    packed = pack(items, budget, {b.section: count("\n" + _heading(b.section)) for b in bullets})
    kept = sorted(packed.included, key=lambda item: (not item.pinned, -item.utility))
    left_out = list(packed.left_out)
    while kept:
        sources = {item.source for item in kept}
        chosen = [bullet for bullet in bullets if bullet.id in sources]
        text = _document(chosen, lines)
        tokens = count(text)
        if tokens <= budget:
            return Rendered(text, tokens, tuple(bullet.id for bullet in chosen), tuple(left_out))
        dropped = kept.pop()
        left_out.append(
            LeftOut(dropped.source, dropped.tokens, f"the text came to {tokens} of {budget} tokens")
        )
    return Rendered("", 0, (), tuple(left_out))
