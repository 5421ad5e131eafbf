"""Join the accepted deltas of a batch, one operation after the other, into one delta. Pure.

They were proven apart, each on the same playbook; where two of them speak of one thing, this says what
becomes of it, who proposed it, and which samples prove it. Knows operations only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Delta, Operation, Quarantine, Revise, Vote
from ace.runs.records import Proposal
from ace.task.wording import Wording
from ace.text import word_key


@dataclass(slots=True)
class Batch:
    """Collect operations, each of which may change one that is there already."""

    wording: Wording | None = None
    """Joins two lines that say the same in other words; None: nothing is joined."""

    operations: list[Operation] = field(default_factory=list)
    """Those collected so far, in order."""

    ids: dict[str, str] = field(default_factory=dict)
    """Gives the bullet that stands for each one that was added twice."""

    _additions: dict[tuple[str, ...], int] = field(default_factory=dict)
    """The place of the first Add, by its words."""

    _revisions: dict[str, int] = field(default_factory=dict)
    """The place of the last Revise, by its bullet."""

    def take(self, operation: Operation) -> None:
        """Append an operation, or join it with one that says the same."""
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
        """Add a bullet. If another sample added it already, that one gets its provenance and a vote."""
        words = word_key(new.content)
        place = self._additions.setdefault(words, len(self.operations))
        if place == len(self.operations):
            self.operations.append(new)
            return
        first = self.operations[place]
        assert isinstance(first, Add)  # noqa: S101 (what `_additions` points to)
        cited = tuple(dict.fromkeys((*first.provenance, *new.provenance)))
        self.operations[place] = replace(first, provenance=cited)
        self.ids[new.id] = first.id
        self.operations.append(Vote(first.id, helpful=1))

    def _revise(self, new: Revise) -> None:
        """Join two widenings of a bullet; of two corrections the later counts, and the history has both."""
        place = self._revisions.get(new.id)
        old = None if place is None else self.operations[place]
        joined = None
        if self.wording and isinstance(old, Revise):
            joined = self.wording.join(old.content, new.content)
        if place is None or not isinstance(old, Revise) or joined is None:
            self._revisions[new.id] = len(self.operations)
            self.operations.append(new)
            return
        cited = (*(old.provenance or ()), *(new.provenance or ()))
        self.operations[place] = replace(
            old,
            content=joined,
            provenance=tuple(dict.fromkeys(cited)) or None,
        )


def combine_accepted(
    proposals: Iterable[Proposal], wording: Wording | None = None
) -> tuple[Delta, Mapping[str, str]]:
    """Return the accepted deltas of a batch as one, and for each bullet added twice the id that stays.

    What two samples proved is added once, then voted for, and two names for one meaning join the same line.
    What one proved does not wait because another only quarantined it.
    """
    batch = Batch(wording)
    deltas = [proposal.delta for proposal in proposals if proposal.outcome == "accepted"]
    proven = set[tuple[str, ...]]()  # the words of what is to be used at once
    for delta in deltas:
        proven.update(word_key(add.content) for add in _list_adds(delta, waiting=False))
    for delta in deltas:
        needless = set[str]()  # ids of what would wait although another sample proved it
        for add in _list_adds(delta, waiting=True):
            if word_key(add.content) in proven:
                needless.add(add.id)
        for operation in delta:
            if needless.isdisjoint(touched_ids(operation)):
                batch.take(operation)
    return tuple(batch.operations), batch.ids


def join_authors(proposals: Iterable[Proposal]) -> str:
    """Return who proposed what is committed."""
    accepted = {proposal.author for proposal in proposals if proposal.outcome == "accepted"}
    return "+".join(sorted(accepted)) or "curator"


def map_proofs(
    proposals: Iterable[tuple[Proposal, Sequence[str]]], ids: Mapping[str, str]
) -> dict[str, list[str]]:
    """Map each bullet of accepted proposals to the samples that prove it: none, where it waits."""
    proofs: dict[str, list[str]] = {}
    for proposal, samples in proposals:
        if proposal.outcome != "accepted":
            continue
        waiting = {operation.id for operation in proposal.delta if isinstance(operation, Quarantine)}
        changes = [operation for operation in proposal.delta if not isinstance(operation, Quarantine)]
        touched = [name for operation in changes for name in touched_ids(operation)]
        for name in dict.fromkeys(touched):
            proving = proofs.setdefault(ids.get(name, name), [])
            if name not in waiting:
                proving.extend(samples)
    return proofs


def _list_adds(delta: Delta, *, waiting: bool) -> tuple[Add, ...]:
    """Return what a delta adds: to be used, or to wait in quarantine."""
    quarantined = {operation.id for operation in delta if isinstance(operation, Quarantine)}
    adds: list[Add] = []
    for operation in delta:
        if isinstance(operation, Add) and (operation.id in quarantined) is waiting:
            adds.append(operation)
    return tuple(adds)
