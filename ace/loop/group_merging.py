"""How the lessons of a large batch become one: in groups, each lesson proven again beside those of others.

Small batches are left as they are. Knows a batch of attempts with what they led to; how operations join into
one delta is the method's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ace.loop.lab import Bench
from ace.loop.options import seed_of
from ace.loop.run import Session
from ace.methods.ace.admission import all_waits
from ace.methods.ace.groups import Group, conflict, groups, rivals
from ace.methods.ace.proof import Proof, prove, solved
from ace.methods.protocol import Trial
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Proposal
from ace.task.types import Sample

Lesson = tuple[Bench, Trial, tuple[Proposal, ...]]  # an attempt, and what it led to

LARGE = 8  # samples; up to here all lessons of a batch go into one delta as they are
_ALONE = Proof(True, "alone in its group")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One accepted proposal: where it stands among `done`, and how it fared in its two groups."""

    place: int
    bench: Bench
    sample: Sample
    proposal: Proposal
    proofs: tuple[Proof, ...] = ()

    @property
    def delta(self) -> Delta:
        return self.proposal.delta

    @property
    def held(self) -> int:
        return sum(proof.holds for proof in self.proofs)


def merged(run: Session, phase: str, done: Sequence[Lesson]) -> list[Lesson]:
    """`done`, with the accepted proposals that fail beside others rejected, and the reason in each.

    Two proofs for each accepted proposal at most. What holds in no group goes; of two that are in conflict
    stays the one that held in more groups, then the earlier one.
    """
    entries = _entries(done)
    if len(done) <= LARGE or len(entries) < 2 or not run.options.verify:
        return list(done)
    seed = seed_of(run.options.seed, "groups", phase, *(entry.bench.purpose for entry in entries))
    made = groups(len(entries), seed)
    playbook = run.playbook  # read here: the store belongs to this thread

    def meet(number: int) -> _Entry:
        mine = [group for group in made if number in group]
        proofs = {group: _proof(run, playbook, entries, group, number) for group in dict.fromkeys(mine)}
        return replace(entries[number], proofs=tuple(proofs[group] for group in mine))

    numbers = range(len(entries))
    met = list(run.map(meet, numbers, lambda number: entries[number].bench.purpose))
    result = list(done)
    for entry in _reduced(met):
        bench, trial, proposals = result[entry.place]
        told = tuple(entry.proposal if p.outcome == "accepted" else p for p in proposals)
        result[entry.place] = (bench, trial, told)
    return result


def _entries(done: Sequence[Lesson]) -> list[_Entry]:
    """What can be proven again: it was proven by an attempt, and not kept because nothing speaks of it."""
    return [
        _Entry(place, bench, trial.sample, made)
        for place, (bench, trial, proposals) in enumerate(done)
        if trial.provable and solved(trial.feedback) is not None
        for made in proposals
        if made.outcome == "accepted" and not all_waits(made.delta)
    ]


def _proof(run: Session, playbook: Playbook, entries: Sequence[_Entry], group: Group, number: int) -> Proof:
    """Whether a lesson holds beside its group. One that contradicts another is tried on the other's sample:
    its own would only show again that it believes itself.
    """
    if len(group) == 1:
        return _ALONE
    entry = entries[number]
    against = rivals([each.delta for each in entries], group, number)
    company = [entries[other].proposal for other in group if other not in against]
    delta, _ = run.method.combine(company)
    sample = entries[against[0]].sample if against else entry.sample
    return prove(delta, playbook, (sample,), (), entry.bench)


def _reduced(met: Sequence[_Entry]) -> list[_Entry]:
    """Those that stay, and those that go with the reason why, in order."""
    stay: list[_Entry] = []
    for entry in sorted(met, key=lambda entry: -entry.held):  # stable: then the earlier one
        if entry.held and not any(conflict(entry.delta, other.delta) for other in stay):
            stay.append(entry)
    kept = {entry.place for entry in stay}
    return [replace(entry, proposal=_told(entry, kept=entry.place in kept)) for entry in met]


def _told(entry: _Entry, *, kept: bool) -> Proposal:
    """The proposal with how it fared, and the attempts that showed it."""
    proposal = entry.proposal
    proofs = {id(proof): proof for proof in entry.proofs}.values()  # twice in the same company is one
    trials = [trial for proof in proofs for trial in proof.trials]
    against = "; ".join(dict.fromkeys(proof.why for proof in proofs if not proof.holds))
    why = f"{proposal.why}; beside other lessons it held in {entry.held} of {len(entry.proofs)} groups"
    why += f": {against}" if against else ""
    if entry.held and not kept:
        why += "; another lesson that says otherwise was kept"
    return replace(
        proposal,
        outcome="accepted" if kept else "rejected",
        why=why,
        episodes=(*proposal.episodes, *(trial.episode for trial in trials)),
        attempts=(*proposal.attempts, *(trial.attempt.answer for trial in trials)),
    )
