"""The way out of quarantine: a bullet that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. One that repeats a text is tried only
on samples that have not seen that text, and one that is suspicious on none. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ace.methods.consider import release
from ace.methods.evidence import Evidence
from ace.methods.generality import stems
from ace.methods.held import barred, seen
from ace.methods.proof import prove
from ace.methods.protocol import Bench, Trial
from ace.methods.search import proposal
from ace.playbook.model import Bullet, Playbook, Status
from ace.store.records import Proposal

AUTHOR = "proof"
_TRIED = 2  # bullets for one failed sample


def released(
    trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence, neighbours: int
) -> Iterator[Proposal]:
    """Proposals to promote one bullet each, until one holds. A promoted bullet cites what proved it."""
    others = evidence.neighbours(trial.sample, trial.feedback.subjects, neighbours)
    for bullet in _about(trial, playbook, evidence)[:_TRIED]:
        proof = prove(release(bullet), playbook, (trial.sample,), others, bench)
        yield proposal(trial.sample.id, AUTHOR, release(bullet), proof, trial)
        if proof.holds:
            return


def _about(trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Bullets in quarantine that share words or subjects with the sample, those that share most first."""
    waiting = [b for b in playbook.bullets.values() if b.status is Status.QUARANTINED and not barred(b)]
    if not waiting:
        return []
    asked = stems(trial.sample.question)
    touching = {bullet.id for bullet in evidence.related(playbook, trial.feedback.subjects)}
    shared = {b.id: len(asked & stems(b.content.partition(":")[0])) + (b.id in touching) for b in waiting}
    found = [b for b in waiting if shared[b.id] and _unseen(b, trial, evidence)]
    return sorted(found, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))


def _unseen(bullet: Bullet, trial: Trial, evidence: Evidence) -> bool:
    """Neither this trial nor an earlier one at its sample had the text that the bullet repeats before it."""
    tainted = evidence.tainted(bullet.id, trial.sample.id)
    return not tainted and not seen(trial).repeated(bullet.content)
