"""Memories as a source of a context: what holds for the user of a question, the nearest to it first.

Implements `ace.context.Source`. Nothing is indexed: a user has tens of memories, which are compared as they
are read, so a forgotten memory is nowhere else. Called from several threads, each of which reads on a
connection of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ace.context.item import Item, Trust
from ace.errors import ContextError, InputError
from ace.memory import Kind, Memory, parse_instant
from ace.store.connection import ReaderPool, connect
from ace.store.store_database import Place
from ace.store.store_memories import MemoryStore
from ace.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

MOST = 20  # items for one question
_TIMEOUT = 10.0  # seconds, for a writer to let go of the file
ALWAYS = 5  # preferences and feedback that come first: they matter whatever is asked


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Finds memories of the `user` and `session` in a question's data, as of its `time`, else as of now."""

    path: Place
    """The playbook file, which holds the memories."""

    embedder: Embedder
    """Compares a question with memories by meaning."""

    name: str = "memories"
    """The name for reports."""

    _readers: ReaderPool[MemoryStore] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        readers = ReaderPool(self.path, partial(_open_memories, self.path))
        object.__setattr__(self, "_readers", readers)

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Return at most MOST memories as items; none for a user of whom nothing is known.

        Raises ContextError for a `time` that is none.
        """
        user, session = str(data.get("user") or ""), str(data.get("session") or "")
        at = None
        if data.get("time") is not None:
            try:
                at = parse_instant(str(data["time"]))
            except InputError as error:
                raise ContextError(f"The sample's {error.message}", hint=error.hint) from error
        with self._readers.lend() as store:
            memories = store.memories(user, session=session, at=at)
        if not memories:
            return []
        asked, *vectors = self.embedder([question, *(memory.text for memory in memories)])
        pairs = [(memory, float(vector @ asked)) for memory, vector in zip(memories, vectors, strict=True)]
        ranked = sorted(pairs, key=lambda pair: -round(pair[1], 6))  # of equals the older comes first
        lasting = [memory for memory, _ in ranked if memory.kind is not Kind.FACT]
        pinned = lasting[:ALWAYS]
        items: list[Item] = []
        for memory, nearness in ranked[:MOST]:
            items.append(_make_item(memory, nearness, memory in pinned))
        return items


def _open_memories(path: Place) -> MemoryStore:
    """Open a playbook for its memories only: the bullets in it are not read."""
    db = connect(path, create=False, read_only=True, timeout=_TIMEOUT)
    return MemoryStore(db, path)


def _make_item(memory: Memory, nearness: float, pinned: bool) -> Item:
    """Make an item whose label says since when, so that a reader can tell what may be out of date."""
    return Item(
        text=memory.text,
        tokens=estimate_tokens(memory.text),
        source=memory.id,
        section="memories",
        utility=nearness,
        pinned=pinned,
        volatile=True,
        trust=Trust.USER,
        provenance=f"{memory.id}, since {memory.since[:10]}",
    )
