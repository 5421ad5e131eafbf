"""Write the user message: lessons for this question, items of sources, the question. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import NamedTuple

from ace.context.item import Item, SourceItems
from ace.context.pack import LeftOut
from ace.context.render import list_item
from ace.safety.markup import neutralise
from ace.text.tokens import CountTokens

_PLAYBOOK = "playbook"  # the source of lessons
_LONGEST_LABEL = 120  # characters

Write = Callable[[str, str], str]
"""Words the message around lessons and items, each a text of list items or empty."""


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """Say that a retrieved item went in."""

    source: str
    """The name of the source that found it; "playbook" for a lesson."""

    label: str
    """What it is called in the prompt: the id of a bullet, a file with its lines."""

    tokens: int
    """What it takes there."""


@dataclass(frozen=True, slots=True)
class UserMessage:
    """Hold the message, and what was retrieved into it."""

    text: str

    tokens: int
    """What the whole message takes."""

    retrieved: str
    """Lessons and items of sources, as they stand in it."""

    from_sources: str
    """The part of `retrieved` that sources found."""

    items: tuple[PlacedItem, ...]
    """Each item that went in, in order."""

    left_out: tuple[LeftOut, ...]
    """What there was no room for, or stands there already."""


class _Line(NamedTuple):
    """Hold an item as it stands in a prompt. A tuple: each prompt makes hundreds of them."""

    item: PlacedItem
    """What is reported of it if it goes in."""

    content: str
    """The text without its label."""

    text: str
    """The list item, with its label."""

    is_lesson: bool
    """Whether it is a bullet: a source may be named "playbook", too."""


def write_user_message(
    write: Write, lessons: Sequence[Item], sources: Sequence[SourceItems], room: int, count: CountTokens
) -> UserMessage:
    """Return a message of at most `room` tokens: lessons first, then one item of each source in turn."""
    lesson_mark = "-" if lessons else ""
    source_mark = "-" if any(source.items for source in sources) else ""
    headings = count(write(lesson_mark, source_mark))
    rest = room - headings
    lines: list[_Line] = []
    left_out: list[LeftOut] = []
    labels: dict[str, str] = {}  # by content: nothing goes in twice
    for line in _list_lines(lessons, sources, count):
        label, cost = line.item.label, line.item.tokens
        if line.content in labels:
            left_out.append(LeftOut(label, cost, f"says the same as {labels[line.content]}"))
        elif cost > rest:
            left_out.append(LeftOut(label, cost, f"needs {cost} tokens, {max(0, rest)} are left"))
        else:
            labels[line.content] = label
            lines.append(line)
            rest -= cost

    # A tokenizer need not add up: now the whole is counted.
    while True:
        lesson_text = "".join(line.text for line in lines if line.is_lesson).rstrip("\n")
        source_text = "".join(line.text for line in lines if not line.is_lesson).rstrip("\n")
        text = write(lesson_text, source_text)
        tokens = count(text)
        if tokens <= room or not lines:
            break
        last = lines.pop().item
        reason = f"the message came to {tokens} of {room} tokens"
        left_out.append(LeftOut(last.label, last.tokens, reason))
    return UserMessage(
        text=text,
        tokens=tokens,
        retrieved="\n".join(filter(None, [lesson_text, source_text])),
        from_sources=source_text,
        items=tuple(line.item for line in lines),
        left_out=tuple(left_out),
    )


def _list_lines(
    lessons: Sequence[Item], sources: Sequence[SourceItems], count: CountTokens
) -> Iterator[_Line]:
    """Yield lessons in their order; then the best item of each source, the second best of each, and so on.

    A lesson's `provenance` is its id, where ids are shown.
    """
    for item in lessons:
        text = list_item(item.text, item.provenance)
        content = list_item(item.text) if item.provenance else text
        placed = PlacedItem(_PLAYBOOK, item.source, count(text))
        yield _Line(placed, content, text, is_lesson=True)
    by_source: list[list[tuple[str, Item]]] = []
    for source in sources:
        pinned_first = sorted(source.items, key=lambda item: not item.pinned)
        by_source.append([(source.name, item) for item in pinned_first])
    for name, item in filter(None, chain.from_iterable(zip_longest(*by_source))):
        place = " ".join(neutralise(item.provenance or item.source or name).split())
        # Brackets stand around a label, so it holds none.
        label = place.replace("[", "(").replace("]", ")")[:_LONGEST_LABEL]
        text = list_item(item.text, label)
        placed = PlacedItem(name, label, count(text))
        yield _Line(placed, list_item(item.text), text, is_lesson=False)
