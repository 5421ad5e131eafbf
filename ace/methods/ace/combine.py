"""The accepted deltas of a batch, one operation after the other, into one delta. Pure.

They were proven apart, each on the same playbook; where two of them speak of one thing, this says what
becomes of it. Knows operations only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Delta, Operation, Quarantine, Revise, Vote
from ace.refine.similar import means_the_same, word_key
from ace.runs.records import Proposal


def combine_accepted(proposals: Iterable[Proposal]) -> tuple[Delta, Mapping[str, str]]:
    """Return the accepted deltas of a batch as one; for each bullet added twice, the id of the one that
    stays.

    What two samples proved is added once, then voted for, and two other names for one meaning join the same
    line. What one proved does not wait for another's sake.
    """
    batch = Batch()
    deltas = [proposal.delta for proposal in proposals if proposal.outcome == "accepted"]
    proven = {word_key(add.content) for delta in deltas for add in _adds(delta, waiting=False)}
    for delta in deltas:
        needless = {add.id for add in _adds(delta, waiting=True) if word_key(add.content) in proven}
        for operation in delta:
            if needless.isdisjoint(touched_ids(operation)):
                batch.take(operation)
    return tuple(batch.operations), batch.ids


def _adds(delta: Delta, *, waiting: bool) -> tuple[Add, ...]:
    """Return what a delta adds: to be used, or to wait in quarantine."""
    held = {operation.id for operation in delta if isinstance(operation, Quarantine)}
    adds = [operation for operation in delta if isinstance(operation, Add)]
    return tuple(add for add in adds if (add.id in held) is waiting)


@dataclass(slots=True)
class Batch:
    """`operations` so far; `ids`: the bullet that stands for each one that was added twice."""

    operations: list[Operation] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    _added: dict[tuple[str, ...], int] = field(default_factory=dict)  # words -> place of the first Add
    _revised: dict[str, int] = field(default_factory=dict)  # bullet -> place of its last Revise

    def take(self, operation: Operation) -> None:
        match operation:
            case Add():
                self._add(operation)
            case Revise():
                self._revise(operation)
            case Quarantine(id=name):
                self.operations.append(Quarantine(self.ids.get(name, name)))
            case _:
                self.operations.append(operation)

    def _add(self, new: Add) -> None:
        words = word_key(new.content)
        place = self._added.setdefault(words, len(self.operations))
        if place == len(self.operations):
            self.operations.append(new)
            return
        first = self.operations[place]
        assert isinstance(first, Add)  # noqa: S101 (what `_added` points to)
        cited = tuple(dict.fromkeys((*first.provenance, *new.provenance)))
        self.operations[place] = replace(first, provenance=cited)
        self.ids[new.id] = first.id
        self.operations.append(Vote(first.id, helpful=1))

    def _revise(self, new: Revise) -> None:
        """Two widenings are one; of two corrections the later one counts, and both are in the history."""
        place = self._revised.get(new.id)
        before = None if place is None else self.operations[place]
        if place is not None and isinstance(before, Revise) and means_the_same(before.content, new.content):
            self.operations[place] = _both(before, new)
            return
        self._revised[new.id] = len(self.operations)
        self.operations.append(new)


def _both(one: Revise, other: Revise) -> Revise:
    """The words of both lines, each once, before the one meaning."""
    words, colon, meaning = one.content.partition(":")
    names = (*words.split(", "), *other.content.partition(":")[0].split(", "))
    cited = (*(one.provenance or ()), *(other.provenance or ()))
    return replace(
        one,
        content=f"{', '.join(dict.fromkeys(names))}{colon}{meaning}",
        provenance=tuple(dict.fromkeys(cited)) or None,
    )
