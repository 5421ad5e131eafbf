"""Memories as a source of a context: what holds for the user of a question, the nearest to it first.

Implements `ace.context.Source`. Nothing is indexed: a user has tens of memories, which are compared as they
are read, so that what is forgotten is nowhere else. Called from several threads, so each call opens the
file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.context.item import Item, Trust
from ace.errors import ContextError, InputError
from ace.memory.memory import Kind, Memory, instant
from ace.store.connection import connect
from ace.store.store_memories import Remembering
from ace.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

MOST = 20  # items for one question
_TIMEOUT = 10.0  # seconds, for a writer to let go of the file
ALWAYS = 5  # preferences and feedback that come first: they matter whatever is asked


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Of the `user` and `session` of a question's data, as of its `time`; without one, as of now."""

    path: Path
    embedder: Embedder
    name: str = "memories"

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Empty for a user of whom nothing is known. ContextError for a time that is none."""
        at = _time(data)
        db = connect(self.path, create=False, read_only=True, timeout=_TIMEOUT)
        with Remembering(db, self.path) as file:  # its memories; the playbook in it is not read
            found = file.memories(str(data.get("user") or ""), session=str(data.get("session") or ""), at=at)
        ranked = self._ranked(question, found)
        standing = [memory for memory, _ in ranked if memory.kind is not Kind.FACT][:ALWAYS]
        return [_item(memory, near, memory in standing) for memory, near in ranked[:MOST]]

    def _ranked(self, question: str, found: Sequence[Memory]) -> list[tuple[Memory, float]]:
        """By the cosine between question and memory; of equals the older first."""
        if not found:
            return []
        asked, *told = self.embedder([question, *(memory.text for memory in found)])
        near = [float(vector @ asked) for vector in told]
        order = sorted(range(len(found)), key=lambda place: (-round(near[place], 6), place))
        return [(found[place], near[place]) for place in order]


def _time(data: Mapping[str, Any]) -> str | None:
    given = data.get("time")
    try:
        return None if given is None else instant(str(given))
    except InputError as error:
        raise ContextError(f"The sample's {error.message}", hint=error.hint) from error


def _item(memory: Memory, near: float, standing: bool) -> Item:
    """The label says since when: a reader can tell what may be out of date."""
    label = f"{memory.id}, since {memory.since[:10]}"
    return Item(
        memory.text,
        estimate_tokens(memory.text),
        memory.id,
        "memories",
        near,
        standing,
        True,
        Trust.USER,
        label,
    )
