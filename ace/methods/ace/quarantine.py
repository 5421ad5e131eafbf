"""Let bullets out of quarantine: one that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. One that repeats a text is tried only
on samples that have not seen that text, and one that is suspicious on none. Only the clauses that the right
answer needs are let out: a rider that comes with a true lesson goes on waiting. Nothing is committed here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ace.methods.ace.admission import collect_trial_texts, quarantine_new
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import prove
from ace.methods.ace.proposals import add_lesson, record_proposal, release
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import Bullet, Delta, Playbook, Promote, Quarantine, Revise, Status
from ace.refine.conflict import Kind, compare
from ace.runs.records import Proposal
from ace.safety.injection import find_suspicion
from ace.task.wording import list_texts
from ace.text import find_terms, split_words, weigh_shared_terms
from ace.text.splitting import split_clauses, split_sentences

AUTHOR = "proof"
_MOST_CLAUSES = 8  # that are tried one by one; of more, sentences are
_WORD = re.compile(r"\s*\S+")
_MOST = 2  # bullets tried for one failed sample


def propose_releases(
    trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence, neighbours: int
) -> Iterator[Proposal]:
    """Yield proposals to promote one bullet each, until one holds. It then cites what proved it."""
    near = evidence.neighbours(trial.sample, trial.feedback.topics, neighbours)
    for bullet in _list_candidates(trial, playbook, evidence)[:_MOST]:
        rivals = _list_rivals(bullet, trial, playbook, evidence)
        silenced = tuple(Quarantine(rival.id) for rival in rivals)
        delta: Delta = (*release_needed(bullet, trial, playbook, bench, silenced), *silenced)
        samples = {s.id: s for s in (*evidence.proofs(rival.id for rival in rivals), *near)}
        samples.pop(trial.sample.id, None)
        proof = prove(delta, playbook, (trial.sample,), tuple(samples.values()), bench)
        yield record_proposal(trial, AUTHOR, delta, proof)
        if proof.holds:
            return


def release_needed(
    bullet: Bullet, trial: Trial, playbook: Playbook, bench: Bench, beside: Delta = ()
) -> Delta:
    """Return what lets out that part of a bullet which the sample needs; the rest goes on waiting.

    A clause is needed if the sample fails without it, and of what is left so are the words up to the last
    without which it fails. Nothing is tried where the whole bullet does not help.
    """

    def holds(pieces: Iterable[str]) -> bool:
        part = _join_pieces(pieces)
        trying: Delta = (Promote(bullet.id), Revise(bullet.id, part), *beside)
        return bool(split_words(part)) and prove(trying, playbook, (trial.sample,), (), bench).holds

    if not holds((bullet.content,)):
        return release(bullet)
    pieces = split_clauses(bullet.content)
    if len(pieces) > _MOST_CLAUSES:
        pieces = [f"{sentence} " for sentence in split_sentences(bullet.content)]
    needed, waiting = list(pieces), list[str]()
    for piece in reversed(pieces):
        rest = [other for other in needed if other is not piece]
        if holds(rest):
            needed = rest
            waiting.insert(0, piece)
    words = _WORD.findall("".join(needed))
    count = bisect_left(range(1, len(words)), True, key=lambda size: holds(words[:size])) + 1
    waiting.insert(0, "".join(words[count:]))
    part, left = _join_pieces(words[:count]), _join_pieces(waiting)
    released: Delta = (Promote(bullet.id), Revise(bullet.id, part, bullet.provenance))
    if not split_words(left):
        return released
    lesson = replace(add_lesson(left, bullet.section), provenance=bullet.provenance)
    return (*released, *quarantine_new((lesson,), playbook))


def _join_pieces(pieces: Iterable[str]) -> str:
    """Return pieces as one text, without the signs that led to another at its end."""
    return "".join(pieces).strip().rstrip(",;:([{-/\u2013\u2014\u3001\uff0c\uff1a\uff1b").rstrip()


def _list_rivals(bullet: Bullet, trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Return bullets in use on the question that give the same words another meaning: both cannot hold."""
    wording, question = evidence.wording, trial.sample.question
    terms = find_terms(question)
    rivals = []
    for rival in playbook.active:
        if wording:
            is_near = wording.count_shared_words(rival.content, question) > 0
            disagrees = is_near and wording.are_rivals(bullet.content, rival.content)
        else:
            is_near = not terms.isdisjoint(find_terms(rival.content))
            disagrees = is_near and compare(bullet.content, rival.content).kind is Kind.CONFLICT
        if disagrees and not rival.pinned:
            rivals.append(rival)
    return sorted(rivals, key=lambda rival: (rival.position, rival.id))


def _list_candidates(trial: Trial, playbook: Playbook, evidence: Evidence) -> list[Bullet]:
    """Return bullets in quarantine that share words or topics with the sample, those that share most first.

    Where it is known what the right answer is made of, only those that say a part of it: another one that is
    tried beside a lucky attempt would come out for nothing. Left out is also what only a person may let out,
    and what repeats a text that this trial, or an earlier one at its sample, had before it.
    """
    sample, facts = trial.sample, list_texts(trial.feedback.facts)
    wording, texts = evidence.wording, collect_trial_texts(trial)
    waiting = {b.id: b for b in playbook.bullets.values() if b.status is Status.QUARANTINED}
    by_terms = weigh_shared_terms(sample.question, {name: b.content for name, b in waiting.items()})
    on_topic = {bullet.id for bullet in evidence.bullets_on(playbook, trial.feedback.topics)}
    shared: dict[str, float] = {}
    for bullet in waiting.values():
        common = by_terms[bullet.id]
        if wording:
            common = wording.count_shared_words(bullet.content, sample.question)
        common += bullet.id in on_topic
        if not common or find_suspicion(bullet.content):
            continue
        if wording and wording.says_part(bullet.content, facts) is False:
            continue
        tainted = sample.id in evidence.tainted.get(bullet.id, ())
        if not tainted and not texts.has_copied(bullet.content):
            shared[bullet.id] = common
    candidates = [playbook.bullets[name] for name in shared]
    return sorted(candidates, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))
