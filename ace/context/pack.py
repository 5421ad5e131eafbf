"""Choose what goes into a context: items in, those that fit out, the rest with a reason.

Pure. Knows nothing about where items come from or how the chosen ones are written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ace.context.item import Item


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Name an item for which there was no room."""

    source: str
    """What the item is called: the id of a bullet, the label of a passage."""

    tokens: int
    """What it would have taken."""

    reason: str
    """A clause for people."""

    count: int = 1
    """How many items it stands for: of many, only the best have a name."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Hold what was chosen for a context, and what was not."""

    included: tuple[Item, ...]
    """In the order given, volatile ones last."""

    left_out: tuple[LeftOut, ...]
    """The items there was no room for."""

    tokens: int
    """What the included items take, with the headings of their sections."""


def pack(items: Sequence[Item], budget: int, headings: Mapping[str, int] | None = None) -> Packed:
    """Choose what fits into `budget` tokens. `headings` is what opening a section costs, once for each."""
    unopened = dict(headings or {})
    chosen: list[int] = []
    left_out: list[LeftOut] = []
    room = budget
    ranked = sorted(enumerate(items), key=lambda entry: (not entry[1].pinned, -entry[1].utility, entry[0]))
    for index, item in ranked:
        cost = item.tokens + unopened.get(item.section, 0)
        if cost > room:
            left_out.append(LeftOut(item.source, cost, f"needs {cost} tokens, {room} of {budget} are left"))
            continue
        unopened.pop(item.section, None)
        chosen.append(index)
        room -= cost
    chosen.sort(key=lambda index: (items[index].volatile, index))
    return Packed(tuple(items[index] for index in chosen), tuple(left_out), budget - room)
