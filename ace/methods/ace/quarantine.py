"""The way out of quarantine: a bullet that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. One that repeats a text is tried only
on samples that have not seen that text, and one that is suspicious on none. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ace.methods.ace.admission import barred, seen
from ace.methods.ace.consider import release
from ace.methods.ace.coverage import texts_of, vouched
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import stems
from ace.methods.ace.lesson_search import proposal
from ace.methods.ace.proof import prove
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import Bullet, Delta, Playbook, Quarantine, Status
from ace.refine.similar import means_the_same, topic_key
from ace.runs.records import Proposal

AUTHOR = "proof"
_TRIED = 2  # bullets for one failed sample


def released(
    trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence, neighbours: int
) -> Iterator[Proposal]:
    """Proposals to promote one bullet each, until one holds. A promoted bullet cites what proved it."""
    near = evidence.neighbours(trial.sample, trial.feedback.topics, neighbours)
    for bullet in _about(trial, playbook, evidence)[:_TRIED]:
        rivals = _rivals(bullet, trial, playbook, evidence)
        delta: Delta = (*release(bullet), *(Quarantine(rival.id) for rival in rivals))
        kept = {s.id: s for s in (*evidence.proofs(rival.id for rival in rivals), *near)}
        others = tuple(sample for name, sample in kept.items() if name != trial.sample.id)
        proof = prove(delta, playbook, (trial.sample,), others, bench)
        yield proposal(trial.sample.id, AUTHOR, delta, proof, trial)
        if proof.holds:
            return


def _rivals(bullet: Bullet, trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Bullets in use that give the same words another meaning: both cannot hold."""
    words = topic_key(bullet.content)
    near = evidence.speaking(playbook, trial.sample.question) if words else ()
    return [
        other
        for other in near
        if other.status is Status.ACTIVE
        and not other.pinned
        and topic_key(other.content) == words
        and not means_the_same(bullet.content, other.content)
    ]


def _about(trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Bullets in quarantine that share words or subjects with the sample, those that share most first.

    Where labels show what the right answer is made of, only those that say a part of it: another one that is
    tried beside a lucky attempt would come out for nothing.
    """
    touching = evidence.related(playbook, trial.feedback.topics)
    near = {bullet.id: bullet for bullet in (*touching, *evidence.speaking(playbook, trial.sample.question))}
    uses = texts_of(trial.feedback.facts)
    held = (bullet for bullet in near.values() if bullet.status is Status.QUARANTINED)
    waiting = [bullet for bullet in held if vouched(bullet, uses) is not False and not barred(bullet)]
    asked, ids = stems(trial.sample.question), {bullet.id for bullet in touching}
    shared = {b.id: len(asked & stems(b.content.partition(":")[0])) + (b.id in ids) for b in waiting}
    found = [b for b in waiting if shared[b.id] and _unseen(b, trial, evidence)]
    return sorted(found, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))


def _unseen(bullet: Bullet, trial: Trial, evidence: Evidence) -> bool:
    """Neither this trial nor an earlier one at its sample had the text that the bullet repeats before it."""
    tainted = evidence.tainted(bullet.id, trial.sample.id)
    return not tainted and not seen(trial).repeated(bullet.content)
