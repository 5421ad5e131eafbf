"""Let the lessons of a large batch meet in small groups, each lesson in two, and prove it there again.

What was proven alone may fail beside what others proved, and the more lessons are thrown together, the more
do. Small batches are left as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from random import Random

from ace.methods.ace.admission import only_quarantines
from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.state import Lesson
from ace.methods.protocol import Bench, Lab
from ace.playbook.model import Add, Delta, Playbook, Revise
from ace.refine.similar import means_the_same, topic_key, word_key
from ace.runs.records import Proposal, Reason
from ace.runs.seeds import seed_of
from ace.task.types import Sample

Group = tuple[int, ...]
LARGE = 8  # samples; up to here all lessons of a batch go into one delta as they are
_ALONE = Proof(True, "alone in its group", reason=Reason.PROVEN)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold one accepted proposal: its place in the batch, and how it fared in its two groups."""

    place: int
    bench: Bench
    sample: Sample
    proposal: Proposal
    proofs: tuple[Proof, ...] = ()

    @property
    def groups_held(self) -> int:
        return sum(proof.holds for proof in self.proofs)


def merge_groups(lessons: Sequence[Lesson], playbook: Playbook, lab: Lab) -> list[Lesson]:
    """Return the lessons, with accepted proposals that fail beside others rejected, and the reason in each.

    Each accepted proposal costs two proofs at most. One that holds in no group is rejected; of two that are
    in conflict stays the one that held in more groups, then the earlier one.
    """
    entries = _list_entries(lessons, lab)
    if len(lessons) <= LARGE or len(entries) < 2 or not lab.settings.verify:
        return list(lessons)
    purposes = (entry.bench.purpose for entry in entries)
    groups = draw_groups(len(entries), seed_of(lab.settings.seed, "groups", str(lab.phase), *purposes))

    def prove_in_groups(number: int) -> _Entry:
        own_groups = [group for group in groups if number in group]
        proofs = {
            group: _prove_beside(playbook, entries, group, number) for group in dict.fromkeys(own_groups)
        }
        return replace(entries[number], proofs=tuple(proofs[group] for group in own_groups))

    numbers = range(len(entries))
    proven = list(lab.map(prove_in_groups, numbers, lambda number: entries[number].bench.purpose))
    staying: list[_Entry] = []
    for entry in sorted(proven, key=lambda entry: -entry.groups_held):  # stable: then the earlier one
        clashes = any(are_in_conflict(entry.proposal.delta, rival.proposal.delta) for rival in staying)
        if entry.groups_held and not clashes:
            staying.append(entry)
    places = {entry.place for entry in staying}
    result = list(lessons)
    for entry in proven:
        lesson, decided = result[entry.place], _decide(entry, keep=entry.place in places)
        proposals = [decided if old.outcome == "accepted" else old for old in lesson.proposals]
        result[entry.place] = replace(lesson, proposals=tuple(proposals))
    return result


def draw_groups(count: int, seed: int) -> tuple[Group, ...]:
    """Shuffle the places 0 to `count` - 1 twice and cut them each time into about sqrt(`count`) groups.

    Every place is in exactly two groups, in order inside each. The same seed gives the same groups.
    """
    chance = Random(seed)  # noqa: S311 (an order, not a secret)
    parts = round(math.sqrt(count))
    groups: list[Group] = []
    for _ in range(2):
        order = list(range(count))
        chance.shuffle(order)
        groups += [tuple(sorted(order[part::parts])) for part in range(parts)]
    return tuple(groups)


def are_in_conflict(first: Delta, second: Delta) -> bool:
    """Return whether two deltas say different things of the same words, or change one bullet into two."""
    texts = [[op for op in delta if isinstance(op, Add | Revise)] for delta in (first, second)]
    for change, rival in product(*texts):
        topic = topic_key(change.content)
        both_revise = isinstance(change, Revise) and isinstance(rival, Revise)
        same_bullet = both_revise and change.id == rival.id
        same_topic = bool(topic) and topic == topic_key(rival.content)
        same_words = word_key(change.content) == word_key(rival.content)
        alike = same_words or means_the_same(change.content, rival.content)
        if (same_bullet or same_topic) and not alike:
            return True
    return False


def _list_entries(lessons: Sequence[Lesson], lab: Lab) -> list[_Entry]:
    """Return what can be proven again: it was proven by an attempt, and does more than wait in quarantine."""
    entries = []
    for place, lesson in enumerate(lessons):
        trial = lesson.trial
        if not trial.provable or trial.feedback.is_solved is None:
            continue
        bench = lab.bench_of(trial)
        for proposal in lesson.proposals:
            if proposal.outcome == "accepted" and not only_quarantines(proposal.delta):
                entries.append(_Entry(place, bench, trial.sample, proposal))
    return entries


def _prove_beside(playbook: Playbook, entries: Sequence[_Entry], group: Group, number: int) -> Proof:
    """Prove a lesson beside its group. One that contradicts another is tried on the other's sample.

    Its own would only show again that it believes itself.
    """
    if len(group) == 1:
        return _ALONE
    entry = entries[number]
    rivals = []
    for member in group:
        delta = entries[member].proposal.delta
        if member != number and are_in_conflict(entry.proposal.delta, delta):
            rivals.append(member)
    company = [entries[member].proposal for member in group if member not in rivals]
    delta, _ = combine_accepted(company)
    sample = entries[rivals[0]].sample if rivals else entry.sample
    return prove(delta, playbook, (sample,), (), entry.bench)


def _decide(entry: _Entry, *, keep: bool) -> Proposal:
    """Return the proposal with how it fared, and the attempts that showed it."""
    proposal = entry.proposal
    proofs = {id(proof): proof for proof in entry.proofs}.values()  # twice in the same company is one
    trials = [trial for proof in proofs for trial in proof.trials]
    against = "; ".join(dict.fromkeys(proof.why for proof in proofs if not proof.holds))
    why = f"{proposal.why}; beside other lessons it held in {entry.groups_held} of {len(entry.proofs)} groups"
    if against:
        why += f": {against}"
    if entry.groups_held and not keep:
        why += "; another lesson that says otherwise was kept"
    return replace(
        proposal,
        outcome="accepted" if keep else "rejected",
        reason=proposal.reason if keep else Reason.BESIDE_OTHERS,
        why=why,
        episodes=(*proposal.episodes, *(trial.episode for trial in trials)),
        attempts=(*proposal.attempts, *(trial.attempt.answer for trial in trials)),
    )
