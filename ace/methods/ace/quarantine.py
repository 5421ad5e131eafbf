"""Let bullets out of quarantine: one that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. One that repeats a text is tried only
on samples that have not seen that text, and one that is suspicious on none. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ace.methods.ace.admission import collect_trial_texts
from ace.methods.ace.consider import release
from ace.methods.ace.coverage import has_part, texts_of
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import find_stems
from ace.methods.ace.proof import prove
from ace.methods.ace.proposals import record_proposal
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import Bullet, Delta, Playbook, Quarantine, Status
from ace.refine.similar import means_the_same, topic_key
from ace.runs.records import Proposal
from ace.safety.injection import find_suspicion

AUTHOR = "proof"
_MOST = 2  # bullets tried for one failed sample


def propose_releases(
    trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence, neighbours: int
) -> Iterator[Proposal]:
    """Yield proposals to promote one bullet each, until one holds. It then cites what proved it."""
    near = evidence.neighbours(trial.sample, trial.feedback.topics, neighbours)
    for bullet in _list_candidates(trial, playbook, evidence)[:_MOST]:
        rivals = _list_rivals(bullet, trial, playbook, evidence)
        delta: Delta = (*release(bullet), *(Quarantine(rival.id) for rival in rivals))
        samples = {s.id: s for s in (*evidence.proofs(rival.id for rival in rivals), *near)}
        samples.pop(trial.sample.id, None)
        proof = prove(delta, playbook, (trial.sample,), tuple(samples.values()), bench)
        yield record_proposal(trial.sample.id, AUTHOR, delta, proof, trial)
        if proof.holds:
            return


def _list_rivals(bullet: Bullet, trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Return bullets in use that give the same words another meaning: both cannot hold."""
    words = topic_key(bullet.content)
    if not words:
        return []
    rivals = []
    for rival in evidence.bullets_for(playbook, trial.sample.question):
        in_use = rival.status is Status.ACTIVE and not rival.pinned
        disagrees = topic_key(rival.content) == words and not means_the_same(bullet.content, rival.content)
        if in_use and disagrees:
            rivals.append(rival)
    return rivals


def _list_candidates(trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Return bullets in quarantine that share words or topics with the sample, those that share most first.

    Where labels show what the right answer is made of, only those that say a part of it: another one that is
    tried beside a lucky attempt would come out for nothing. Left out is also what only a person may let out,
    and what repeats a text that this trial, or an earlier one at its sample, had before it.
    """
    sample, parts = trial.sample, texts_of(trial.feedback.facts)
    on_topic = evidence.bullets_on(playbook, trial.feedback.topics)
    near = {bullet.id: bullet for bullet in (*on_topic, *evidence.bullets_for(playbook, sample.question))}
    texts, stems = collect_trial_texts(trial), find_stems(sample.question)
    shared: dict[str, int] = {}
    for bullet in near.values():
        common = len(stems & find_stems(bullet.content.partition(":")[0])) + (bullet in on_topic)
        if bullet.status is not Status.QUARANTINED or not common:
            continue
        if has_part(bullet, parts) is False or find_suspicion(bullet.content):
            continue
        tainted = sample.id in evidence.tainted.get(bullet.id, ())
        if not tainted and not texts.has_copied(bullet.content):
            shared[bullet.id] = common
    candidates = [near[name] for name in shared]
    return sorted(candidates, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))
