"""A source made of a function, for retrievers of somebody's own. What the function does is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ace.context.item import Item, Source, Trust
from ace.errors import InputError

Retrieve = Callable[[str], Sequence[str | Item]]


@dataclass(frozen=True, slots=True)
class CallableSource:
    """Calls `retrieve(question)`. A plain text becomes a document's item, labelled with its rank."""

    retrieve: Retrieve
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", getattr(self.retrieve, "__name__", "source").strip("<>"))

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """InputError for anything but a list of texts and items."""
        found: object = self.retrieve(question)
        if isinstance(found, str | Mapping) or not isinstance(found, Sequence):
            raise self._wrong(found)
        return tuple(self._item(given, rank) for rank, given in enumerate(found, 1))

    def _item(self, given: object, rank: int) -> Item:
        if isinstance(given, Item):
            return given
        if not isinstance(given, str):
            raise self._wrong(given)
        return Item(given, 0, f"{self.name} {rank}", volatile=True, trust=Trust.DOCUMENT)

    def _wrong(self, found: object) -> InputError:
        return InputError(
            f"The source {self.name} returned {type(found).__name__} where texts were expected.",
            hint="Return a list of texts, or of ace.context.Item.",
        )


def as_source(given: Source | Retrieve) -> Source:
    """A source as it is; a function wrapped. InputError for anything else."""
    if callable(getattr(given, "items", None)) and isinstance(getattr(given, "name", None), str):
        return given  # type: ignore[return-value]  # it has what the protocol asks for
    if callable(given):
        return CallableSource(given)
    raise InputError(
        f"{given!r:.80} is no source.",
        hint="Give a function of the question, or an object with name and items.",
    )
