"""Render the playbook as the generator reads it, within a token budget.

The text is a prefix to be cached: sections in order of first use, bullets in order of addition, no counters,
no episodes, no dates. So a vote changes nothing and a new bullet only appends within its section. When room
is short the oldest bullets stay (the pinned first), for the same reason.

A bullet is data. Its line breaks are indented, so it cannot start another bullet or section; chat
template tokens, markup of tool calls and lines of our own prompts lose their form (see
`ace.safety.markup`); characters nobody can see are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from ace.context.item import Item
from ace.context.pack import LeftOut, Packed, pack
from ace.playbook.model import Bullet, Playbook
from ace.safety.markup import neutralise, quote_later_headings
from ace.text.tokens import CountTokens, estimate_tokens

_ITEMS = 131_072  # that are kept


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold the playbook as a text for a prompt, and which bullets are in it."""

    text: str
    """Sections with their headings; "" where no bullet is in it."""

    tokens: int
    """What the text takes."""

    bullets: tuple[str, ...]
    """The ids of the bullets in the text."""

    left_out: tuple[LeftOut, ...]
    """Bullets there was no room for."""

    specific: tuple[Item, ...] = ()
    """Bullets for the question at hand only, which are no part of `text`."""


def render_playbook(
    playbook: Playbook,
    budget_tokens: int,
    count_tokens: CountTokens = estimate_tokens,
    *,
    ids: bool = False,
    utility: Callable[[Bullet], float] | None = None,
) -> Rendered:
    """Return the active bullets that fit, never more than the budget. `ids` shows them, for a curator.

    When room is short, bullets of more `utility` go before older ones.
    """
    bullets = playbook.active
    lines = {bullet.id: list_item(bullet.content, bullet.id if ids else "") for bullet in bullets}
    text = _join_sections(bullets, lines)
    tokens = count_tokens(text)
    if tokens <= budget_tokens:
        return Rendered(text, tokens, tuple(lines), ())
    packed = _pack_bullets(bullets, lines, budget_tokens, count_tokens, utility)
    included = sorted(packed.included, key=lambda item: (not item.pinned, -item.utility))
    best = [playbook.bullets[item.source] for item in included]
    rendered = render_best(playbook, best, budget_tokens, count_tokens, ids=ids)
    return replace(rendered, left_out=(*packed.left_out, *rendered.left_out))


def render_best(
    playbook: Playbook,
    bullets: Sequence[Bullet],
    budget_tokens: int,
    count_tokens: CountTokens = estimate_tokens,
    *,
    ids: bool = False,
) -> Rendered:
    """Return as many of a playbook's `bullets` as fit together, in its order. The best are given first.

    A tokenizer need not add up: what each line counts was packed, here the whole is counted.
    """
    lines = {bullet.id: list_item(bullet.content, bullet.id if ids else "") for bullet in bullets}
    get_place = playbook.make_sort_key()
    included = list(bullets)
    left_out: list[LeftOut] = []
    while included:
        chosen = sorted(included, key=get_place)
        text = _join_sections(chosen, lines)
        tokens = count_tokens(text)
        if tokens <= budget_tokens:
            return Rendered(text, tokens, tuple(bullet.id for bullet in chosen), tuple(left_out))
        last = included.pop()
        reason = f"the text came to {tokens} of {budget_tokens} tokens"
        left_out.append(LeftOut(last.id, count_tokens(lines[last.id]), reason))
    return Rendered("", 0, (), tuple(left_out))


def measure_heading(section: str, count: CountTokens) -> int:
    """Return the tokens of what opens a section."""
    return count(f"\n## {neutralise(section)}\n")


@lru_cache(maxsize=_ITEMS)
def list_item(text: str, label: str = "") -> str:
    """Return text from anywhere as a list item behind its `label`, none of its lines one of our own.

    Items are kept: every attempt lists the same bullets.
    """
    content = quote_later_headings(neutralise(text))
    return f"- [{label}] {content}\n" if label else f"- {content}\n"


def _pack_bullets(
    bullets: Sequence[Bullet],
    lines: Mapping[str, str],
    budget: int,
    count: CountTokens,
    utility: Callable[[Bullet], float] | None,
) -> Packed:
    """Choose bullets by what their lines and headings count, one by one."""
    items: list[Item] = []
    for bullet in sorted(bullets, key=lambda bullet: (bullet.position, bullet.id)):
        line = lines[bullet.id]
        item = Item(
            line,
            count(line),
            source=bullet.id,
            section=bullet.section,
            utility=utility(bullet) if utility else 0.0,
            pinned=bullet.pinned,
        )
        items.append(item)
    sections = {bullet.section for bullet in bullets}
    headings = {section: measure_heading(section, count) for section in sections}
    return pack(items, budget, headings)


def _join_sections(bullets: Sequence[Bullet], lines: Mapping[str, str]) -> str:
    """Return the lines of the bullets, each run of one section under its heading."""
    sections: list[str] = []
    for section, group in groupby(bullets, key=lambda bullet: bullet.section):
        items = "".join(lines[bullet.id] for bullet in group)
        sections.append(f"## {neutralise(section)}\n{items}")
    return "\n".join(sections)
