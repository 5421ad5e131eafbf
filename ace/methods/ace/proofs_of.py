"""Who proposed a delta, and which samples prove the bullets that it adds or changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ace.playbook.delta import touched_ids
from ace.playbook.model import Quarantine
from ace.runs.records import Proposal


def authors_of(proposals: Iterable[Proposal]) -> str:
    """Return who proposed what is committed."""
    accepted = {proposal.author for proposal in proposals if proposal.outcome == "accepted"}
    return "+".join(sorted(accepted)) or "curator"


def proofs_of(
    proposals: Iterable[tuple[Proposal, Sequence[str]]], ids: Mapping[str, str]
) -> dict[str, list[str]]:
    """Map each bullet of accepted proposals to the samples that prove it: none, where it waits in
    quarantine.
    """
    proofs: dict[str, list[str]] = {}
    for proposal, samples in proposals:
        if proposal.outcome != "accepted":
            continue
        waiting = {operation.id for operation in proposal.delta if isinstance(operation, Quarantine)}
        changes = [operation for operation in proposal.delta if not isinstance(operation, Quarantine)]
        for name in dict.fromkeys(name for operation in changes for name in touched_ids(operation)):
            proofs.setdefault(ids.get(name, name), []).extend(() if name in waiting else samples)
    return proofs
