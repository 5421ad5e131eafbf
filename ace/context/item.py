"""What a context is made of: items, and the sources that they come from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Trust(StrEnum):
    """Who vouches for a text, from the most trusted to the least. Nothing can raise its own."""

    HUMAN = "human"
    LESSON = "lesson"
    TOOL = "tool"
    DOCUMENT = "document"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of text that may go into a context, and what it costs.

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
    """Where items come from: documents, memories, episodes, a retriever of somebody's own."""

    @property
    def name(self) -> str:
        """As it stands in reports: "documents", "memories"."""
        ...

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """What may help with a question, best first; `data` is the sample's (user, session, database).

        Volatile, all of them. The same arguments give the same items, in the same order. `data` holds no
        label. Called from several threads at once; what it raises makes that one attempt fail.
        """
        ...
