"""Sources made of a function, for retrievers of somebody's own. What the function does is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ace.context.item import Item, Source, Trust
from ace.errors import InputError

Retrieve = Callable[[str], Sequence[str | Item]]


@dataclass(frozen=True, slots=True)
class CallableSource:
    """Call a function. A plain text that it returns becomes a document's item, labelled with its rank."""

    retrieve: Retrieve
    """Takes the question, and returns texts or items, best first."""

    name: str = ""
    """The name for reports; by default that of the function."""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", getattr(self.retrieve, "__name__", "source").strip("<>"))

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Return the function's items. Raises InputError for anything but a list of texts and items."""
        results: Any = self.retrieve(question)
        is_list = isinstance(results, Sequence) and not isinstance(results, str)
        unfit: list[object] = [] if is_list else [results]
        items: list[Item] = []
        for rank, result in enumerate(results if is_list else (), 1):
            if isinstance(result, Item):
                items.append(result)
            elif isinstance(result, str):
                label = f"{self.name} {rank}"
                items.append(Item(result, 0, label, volatile=True, trust=Trust.DOCUMENT))
            else:
                unfit.append(result)
        if unfit:
            raise InputError(
                f"The source {self.name} returned {type(unfit[0]).__name__} where texts were expected.",
                hint="Return a list of texts, or of ace.context.Item.",
            )
        return tuple(items)


def as_source(source: Source | Retrieve) -> Source:
    """Return a source as it is, or a function wrapped as one. Raises InputError for anything else."""
    if callable(getattr(source, "items", None)) and isinstance(getattr(source, "name", None), str):
        return source  # type: ignore[return-value]  # it has what the protocol asks for
    if callable(source):
        return CallableSource(source)
    raise InputError(
        f"{source!r:.80} is no source.",
        hint="Give a function of the question, or an object with name and items.",
    )
