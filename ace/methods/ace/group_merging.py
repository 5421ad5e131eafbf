"""How the lessons of a large batch become one: in groups, each lesson proven again beside those of others.

Small batches are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ace.methods.ace.admission import all_waits
from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.groups import Group, conflict, groups, rivals
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.state import Lesson
from ace.methods.protocol import Bench, Lab
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Proposal, Reason
from ace.runs.seeds import seed_of
from ace.task.types import Sample

LARGE = 8  # samples; up to here all lessons of a batch go into one delta as they are
_ALONE = Proof(True, "alone in its group", reason=Reason.PROVEN)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One accepted proposal: its place in the batch, and how it fared in its two groups."""

    place: int
    bench: Bench
    sample: Sample
    proposal: Proposal
    proofs: tuple[Proof, ...] = ()

    @property
    def delta(self) -> Delta:
        return self.proposal.delta

    @property
    def groups_held(self) -> int:
        return sum(proof.holds for proof in self.proofs)


def merge_groups(lessons: Sequence[Lesson], playbook: Playbook, lab: Lab) -> list[Lesson]:
    """Return the lessons, with accepted proposals that fail beside others rejected, and the reason in each.

    Two proofs for each accepted proposal at most. What holds in no group goes; of two that are in conflict
    stays the one that held in more groups, then the earlier one.
    """
    entries = _entries(lessons, lab)
    if len(lessons) <= LARGE or len(entries) < 2 or not lab.settings.verify:
        return list(lessons)
    purposes = (entry.bench.purpose for entry in entries)
    all_groups = groups(len(entries), seed_of(lab.settings.seed, "groups", str(lab.phase), *purposes))

    def prove_in_groups(number: int) -> _Entry:
        mine = [group for group in all_groups if number in group]
        proofs = {group: _prove_beside(playbook, entries, group, number) for group in dict.fromkeys(mine)}
        return replace(entries[number], proofs=tuple(proofs[group] for group in mine))

    numbers = range(len(entries))
    proven = list(lab.map(prove_in_groups, numbers, lambda number: entries[number].bench.purpose))
    result = list(lessons)
    for entry in _without_conflicts(proven):
        lesson = result[entry.place]
        proposals = [entry.proposal if p.outcome == "accepted" else p for p in lesson.proposals]
        result[entry.place] = replace(lesson, proposals=tuple(proposals))
    return result


def _entries(lessons: Sequence[Lesson], lab: Lab) -> list[_Entry]:
    """Return what can be proven again: it was proven by an attempt, and does more than wait in quarantine."""
    entries = []
    for place, lesson in enumerate(lessons):
        trial = lesson.trial
        if not trial.provable or trial.solved is None:
            continue
        bench = lab.bench_of(trial)
        for proposal in lesson.proposals:
            if proposal.outcome == "accepted" and not all_waits(proposal.delta):
                entries.append(_Entry(place, bench, trial.sample, proposal))
    return entries


def _prove_beside(playbook: Playbook, entries: Sequence[_Entry], group: Group, number: int) -> Proof:
    """Prove a lesson beside its group. One that contradicts another is tried on the other's sample.

    Its own would only show again that it believes itself.
    """
    if len(group) == 1:
        return _ALONE
    entry = entries[number]
    against = rivals([each.delta for each in entries], group, number)
    company = [entries[member].proposal for member in group if member not in against]
    delta, _ = combine_accepted(company)
    sample = entries[against[0]].sample if against else entry.sample
    return prove(delta, playbook, (sample,), (), entry.bench)


def _without_conflicts(proven: Sequence[_Entry]) -> list[_Entry]:
    """Return those that stay, and those that go with the reason why, in order."""
    staying: list[_Entry] = []
    for entry in sorted(proven, key=lambda entry: -entry.groups_held):  # stable: then the earlier one
        clashes = any(conflict(entry.delta, rival.delta) for rival in staying)
        if entry.groups_held and not clashes:
            staying.append(entry)
    places = {entry.place for entry in staying}
    return [replace(entry, proposal=_decide(entry, keep=entry.place in places)) for entry in proven]


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
