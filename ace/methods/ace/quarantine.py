"""Let bullets out of quarantine: one that waits for proof is tried on the failed samples it speaks of.

Most come from recorded attempts, or from outcomes that showed nothing. One that repeats a text is tried only
on samples that have not seen that text, and one that is suspicious on none. One that was tried in vain on two
samples makes way for others: every try takes several attempts. Only the words that the right
answer needs are let out, and they are tried alone: a rider that comes with a true lesson goes on waiting, and
stands in no prompt meanwhile. Nothing is committed here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ace.methods.ace.admission import collect_trial_texts, quarantine_new
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import add_lesson, record_proposal, revise_lesson
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Promote, Quarantine
from ace.refine.conflict import Kind, compare
from ace.runs.records import Proposal, Reason
from ace.safety.injection import find_suspicion
from ace.task.wording import list_texts
from ace.text import find_terms, split_words, weigh_shared_terms
from ace.text.splitting import split_clauses, split_sentences

AUTHOR = "proof"
_MOST_CLAUSES = 8  # that are tried one by one; of more, sentences are
_MOST_PARTS = 16  # of a bullet that are tried until one helps
_WORD = re.compile(r"\s*\S+")
_MOST = 2  # bullets tried for one failed sample
_MOST_IN_VAIN = 2  # samples that a bullet is tried on although it helps none


def propose_releases(
    trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence, neighbours: int
) -> Iterator[Proposal]:
    """Yield proposals to promote one bullet each, until one holds. It then cites what proved it."""
    near = evidence.neighbours(trial.sample, trial.feedback.topics, neighbours)
    for bullet in _list_candidates(trial, playbook, evidence)[:_MOST]:
        rivals = _list_rivals(bullet, trial, playbook, evidence)
        silenced = tuple(Quarantine(rival.id) for rival in rivals)
        needed = release_needed(bullet, trial, playbook, bench, silenced)
        if not needed.holds:
            yield record_proposal(trial, AUTHOR, (Promote(bullet.id),), needed)
            continue
        delta: Delta = (*needed.delta, *silenced)
        samples = {s.id: s for s in (*evidence.proofs(rival.id for rival in rivals), *near)}
        samples.pop(trial.sample.id, None)
        proof = prove(delta, playbook, (trial.sample,), tuple(samples.values()), bench)
        yield record_proposal(trial, AUTHOR, delta, proof)
        if proof.holds:
            return


def list_unhelpful(proposals: Iterable[Proposal]) -> list[str]:
    """Return the ids of the waiting bullets that were tried and of which no part helped the sample."""
    unhelpful = []
    for proposal in proposals:
        match proposal.delta:
            case (Promote(id=name),) if proposal.reason is Reason.STILL_FAILS:
                unhelpful.append(name)
    return unhelpful


def release_needed(
    bullet: Bullet, trial: Trial, playbook: Playbook, bench: Bench, beside: Delta = ()
) -> Proof:
    """Return the proof of that part of a bullet which the sample needs; its delta lets out the part alone.

    Parts are tried from the smallest on, and the first that makes the sample right in two draws is taken: of
    many, one may be right by luck. So what rides on a lesson stands in no prompt as long as the lesson helps
    without it. A part grows word by word within its first clause, then clause by clause. What is
    left goes on waiting. Where no part helps, there is no delta.
    """
    attempts: list[Trial] = []

    def holds(pieces: Iterable[str], *, twice: bool = False) -> bool:
        """Try these pieces as the text of the bullet; with `twice` a second draw must agree."""
        part = _join_pieces(pieces)
        trying: Delta = (Promote(bullet.id), revise_lesson(bullet.id, part), *beside)
        proof = prove(trying, playbook, (trial.sample,), (), bench)
        attempts.extend(proof.trials)
        if twice and proof.holds and len(proof.trials) == 1:  # else several draws agree already
            attempts.append(bench.solve(trial.sample, apply(playbook, trying)[0], draw=1))
            return bool(attempts[-1].feedback.is_solved)
        return proof.holds

    pieces = split_clauses(bullet.content)
    if len(pieces) > _MOST_CLAUSES:
        pieces = [f"{sentence} " for sentence in split_sentences(bullet.content)]
    parts = _list_parts(pieces, question=set(split_words(trial.sample.question)))
    for part in islice(parts, _MOST_PARTS):
        if holds(part.values(), twice=True):
            break
    else:
        why = f"no part of {bullet.id} that was tried helps {trial.sample.id}"
        return Proof(False, why, tuple(attempts), reason=Reason.STILL_FAILS)

    # What is tried from here on has stood in a prompt already.
    *earlier, last = part
    for number in reversed(earlier):
        rest = {n: piece for n, piece in part.items() if n != number}
        if holds(rest.values()):
            part = rest
    if earlier:
        words, before = _WORD.findall(part.pop(last)), tuple(part.values())
        sizes = range(1, len(words))
        count = bisect_left(sizes, True, key=lambda size: holds((*before, *words[:size]))) + 1
        part[last] = "".join(words[:count])
    left = _join_pieces(piece[len(part.get(n, "")) :] for n, piece in enumerate(pieces))
    revision = revise_lesson(bullet.id, _join_pieces(part.values()), bullet.provenance)
    released: Delta = (Promote(bullet.id), revision)
    if split_words(left):
        lesson = add_lesson(left, bullet.section, bullet.provenance)
        released = (*released, *quarantine_new((lesson,), playbook))
    return Proof(True, "", tuple(attempts), reason=Reason.PROVEN, delta=released)


def _list_parts(pieces: Sequence[str], question: set[str]) -> Iterator[dict[int, str]]:
    """Yield parts of a text, made of some of its pieces in a row, by their numbers, each once.

    They begin at a piece that shares words with the question, those that share most first, or at the start,
    and grow. A part that says nothing beside the question is left out, unless it is the whole.
    """
    shared = [len(question.intersection(split_words(piece))) for piece in pieces]
    starts = [n for n in sorted(range(len(pieces)), key=lambda n: (-shared[n], n)) if shared[n]]
    seen: set[str] = set()
    for start in dict.fromkeys((*starts, 0)):
        words = _WORD.findall(pieces[start])
        sizes = [size for size in range(1, len(words)) if split_words(words[size - 1])]  # none ends in a sign
        parts = [{start: "".join(words[:size])} for size in sizes]
        parts += [dict(enumerate(pieces[start:end], start)) for end in range(start + 1, len(pieces) + 1)]
        for part in parts:
            text = _join_pieces(part.values())
            says = split_words(text)
            is_whole = len(part) == len(pieces) and text == _join_pieces(pieces)
            adds_nothing = question.issuperset(says) and not is_whole
            if text not in seen and says and not adds_nothing:
                yield part
            seen.add(text)


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
    what was tried in vain, and what repeats a text that this trial, or an earlier one at its sample, had
    before it.
    """
    sample, facts = trial.sample, list_texts(trial.feedback.facts)
    wording, texts = evidence.wording, collect_trial_texts(trial)
    waiting = {bullet.id: bullet for bullet in playbook.quarantined}
    by_terms = weigh_shared_terms(sample.question, {name: b.content for name, b in waiting.items()})
    on_topic = {bullet.id for bullet in evidence.bullets_on(playbook, trial.feedback.topics)}
    shared: dict[str, float] = {}
    for bullet in waiting.values():
        common = by_terms[bullet.id]
        if wording:
            common = wording.count_shared_words(bullet.content, sample.question)
        common += bullet.id in on_topic
        is_in_vain = evidence.unhelpful[bullet.id] >= _MOST_IN_VAIN
        if not common or is_in_vain or find_suspicion(bullet.content):
            continue
        if wording and wording.says_part(bullet.content, facts) is False:
            continue
        tainted = sample.id in evidence.tainted.get(bullet.id, ())
        if not tainted and not texts.has_copied(bullet.content):
            shared[bullet.id] = common
    candidates = [playbook.bullets[name] for name in shared]
    return sorted(candidates, key=lambda bullet: (-shared[bullet.id], bullet.position, bullet.id))
