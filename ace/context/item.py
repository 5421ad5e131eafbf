"""Items, which a context is made of, and the sources that they come from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Trust(StrEnum):
    """Say who vouches for a text, from the most trusted to the least. No text can raise its own trust."""

    HUMAN = "human"
    LESSON = "lesson"
    TOOL = "tool"
    DOCUMENT = "document"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Item:
    """Hold a piece of text that may go into a context, and what it costs in tokens.

    `source` says where it came from (a bullet id, a document), `provenance` what a reader can look up there
    (episodes, file and line). Pinned items are chosen first, then those of more `utility`, then the earlier.
    Volatile items (retrieved, per question) are placed after all others, so that they never disturb a cached
    prefix.
    """

    text: str
    tokens: int
    source: str = ""
    section: str = ""
    utility: float = 0.0
    pinned: bool = False
    volatile: bool = False
    trust: Trust = Trust.LESSON
    provenance: str = ""


class Source(Protocol):
    """Find items: in documents, memories, episodes, or with a retriever of somebody's own."""

    @property
    def name(self) -> str:
        """Return the name for reports: "documents", "memories"."""
        ...

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Return what may help with a question, best first; `data` is the sample's (user, session, database).

        All items are volatile. The same arguments give the same items, in the same order. `data` holds no
        label. Several threads call this at once; an exception makes that one attempt fail.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceItems:
    """Hold what a source found for a question, best first."""

    name: str
    items: Sequence[Item]
