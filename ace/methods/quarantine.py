"""The way out of quarantine: a bullet that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ace.methods.consider import release
from ace.methods.evidence import Evidence
from ace.methods.generality import stems
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
    touching = evidence.related(playbook, trial.feedback.subjects)
    near = {bullet.id: bullet for bullet in (*touching, *evidence.speaking(playbook, trial.sample.question))}
    waiting = [bullet for bullet in near.values() if bullet.status is Status.QUARANTINED]
    asked, ids = stems(trial.sample.question), {bullet.id for bullet in touching}
    shared = {b.id: len(asked & stems(b.content.partition(":")[0])) + (b.id in ids) for b in waiting}
    found = [bullet for bullet in waiting if shared[bullet.id]]
    return sorted(found, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))
