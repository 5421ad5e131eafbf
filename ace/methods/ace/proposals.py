"""Write down what was proposed and what came of it."""

from __future__ import annotations

from dataclasses import replace

from ace.errors import MalformedReply, ModelError, ModelUnavailable
from ace.methods.ace.admission import only_quarantines
from ace.methods.ace.proof import Proof
from ace.methods.protocol import Trial
from ace.playbook.model import Add, Bullet, Delta, Operation, Promote, Revise, bullet_id
from ace.runs.records import Proposal, Reason

SECTION = "lessons"


def add_lesson(lesson: str, section: str = SECTION) -> Add:
    """Return the operation that adds a lesson as a bullet, its id derived from its content."""
    return Add(bullet_id(section, lesson), section, lesson)


def release(bullet: Bullet) -> tuple[Promote, Revise]:
    """Return what takes a bullet out of quarantine, so that it can cite its new proof beside the old ones."""
    return Promote(bullet.id), Revise(bullet.id, bullet.content, bullet.provenance)


def record_proposal(
    subject: str, author: str, delta: Delta, proof: Proof, trial: Trial | None = None
) -> Proposal:
    """Return the record of a proposal; lessons of one that holds cite the episodes behind it."""
    learned_from = (trial.episode,) if trial else ()
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


def record_failure(subject: str, author: str, error: ModelError, *episodes: str) -> Proposal:
    """Return the record of a role's reply that could not be used, with what it said."""
    reason = Reason.REFUSED
    if isinstance(error, ModelUnavailable):
        reason = Reason.UNREACHABLE
    elif isinstance(error, MalformedReply):
        reason = Reason.UNUSABLE_REPLY
    return Proposal(
        sample_id=subject,
        author=author,
        delta=(),
        outcome="rejected",
        why=f"{type(error).__name__}: {error}",
        episodes=episodes,
        attempts=(str(error.details.get("text", "")),),
        reason=reason,
    )


def changes_use(proposal: Proposal) -> bool:
    """Return whether a proposal changes what is in use: more than a text that waits in quarantine."""
    return proposal.outcome == "accepted" and not only_quarantines(proposal.delta)


def list_contents(delta: Delta) -> list[str]:
    """Return the texts that a delta adds or revises."""
    return [operation.content for operation in delta if isinstance(operation, Add | Revise)]
