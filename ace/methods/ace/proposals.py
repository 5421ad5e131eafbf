"""Word the operations of a proposal, and write down what came of it.

Whatever a method learns becomes an operation here, before it is proven. Secrets are hidden at that moment, so
that what is proven is what the store will keep, under an id that tells nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ace.methods.ace.proof import Proof
from ace.methods.protocol import Trial
from ace.playbook.model import Add, Delta, Merge, Operation, Quarantine, Revise, bullet_id
from ace.runs.records import Proposal
from ace.safety.secrets import hide_secrets

SECTION = "lessons"


def add_lesson(lesson: str, section: str = SECTION, provenance: tuple[str, ...] = ()) -> Add:
    """Return the operation that adds a lesson as a bullet, its id derived from its content.

    `provenance` are the episodes that it was learned from.
    """
    content = hide_secrets(lesson)
    return Add(bullet_id(section, content), section, content, provenance)


def revise_lesson(name: str, lesson: str, provenance: tuple[str, ...] | None = None) -> Revise:
    """Return the operation that gives a bullet another text; it keeps its episodes without a provenance."""
    return Revise(name, hide_secrets(lesson), provenance)


def merge_lessons(into: str, sources: Iterable[str], lesson: str) -> Merge | Revise:
    """Return the operation that makes one bullet of several; a revision where they are one."""
    others = tuple(dict.fromkeys(source for source in sources if source != into))
    content = hide_secrets(lesson)
    return Merge(into, others, content) if others else Revise(into, content)


def record_proposal(source: Trial | str, author: str, delta: Delta, proof: Proof) -> Proposal:
    """Return the record of a proposal; lessons of one that holds cite the episodes behind it.

    `source` is the trial that it was learned from, whose episode is the first one; where there is none, the
    id of a sample or the name of a section. `author` is the role that proposed it.
    """
    subject = source if isinstance(source, str) else source.sample.id
    learned_from = () if isinstance(source, str) else (source.episode,)
    episodes = tuple(attempt.episode for attempt in proof.trials)
    operations = list[Operation]()
    for operation in delta:
        if proof.holds and isinstance(operation, Add | Revise) and operation.provenance is not None:
            cited = (*operation.provenance, *learned_from, *episodes[:1])
            operation = replace(operation, provenance=cited)
        operations.append(operation)
    return Proposal(
        sample_id=subject,
        author=author,
        delta=tuple(operations),
        outcome="accepted" if proof.holds else "rejected",
        why=proof.why,
        episodes=(*learned_from, *episodes),
        attempts=tuple(attempt.attempt.answer for attempt in proof.trials),
        reason=proof.reason,
    )


def changes_use(proposal: Proposal) -> bool:
    """Return whether a proposal changes what is in use: more than a text that waits in quarantine."""
    if proposal.outcome != "accepted":
        return False
    waiting = {operation.id for operation in proposal.delta if isinstance(operation, Quarantine)}
    for operation in proposal.delta:
        is_added_to_wait = isinstance(operation, Add) and operation.id in waiting
        if not is_added_to_wait and not isinstance(operation, Quarantine):
            return True
    return False


def list_contents(delta: Delta) -> list[str]:
    """Return the texts that a delta adds or revises."""
    return [operation.content for operation in delta if isinstance(operation, Add | Revise)]
