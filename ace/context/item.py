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
    """Hold a piece of text that may go into a context, and what it costs.

    Of items that are alike in pin and utility the earlier is chosen first.
    """

    text: str
    """What a reader gets of it."""

    tokens: int
    """What the text takes; 0 where nobody counted it."""

    source: str = ""
    """Where it came from: a bullet id, a document."""

    section: str = ""
    """The section whose heading it stands under; "" where there is none."""

    utility: float = 0.0
    """Items of more utility are chosen first."""

    pinned: bool = False
    """Pinned items are chosen before all others."""

    volatile: bool = False
    """Retrieved for the question: placed after all others, so that it never disturbs a cached prefix."""

    trust: Trust = Trust.LESSON
    """Who vouches for the text."""

    provenance: str = ""
    """What a reader can look up there: episodes, file and line."""


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
    """Hold what a source found for a question."""

    name: str
    """The name of the source."""

    items: Sequence[Item]
    """The best first."""
