"""Decide by validation samples on lessons that mended their own sample and broke another.

With one sample won and one lost the training samples leave it open. Such a lesson waits in quarantine, the
playbook with it meets the version without, and it comes out where it wins enough. Where it does not, an
attempt may yet prove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ace.methods.ace.admission import guard_delta, quarantine_new
from ace.methods.ace.consider import add_lesson
from ace.methods.ace.state import AceState, Contested
from ace.methods.protocol import Chore, Chores, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Add, Delta, Playbook, Promote, Status
from ace.runs.records import Proposal, Reason
from ace.runs.report import Comparison
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "gate"
_LEAD = 2  # the sample that a lesson breaks is as good as the one it mends: chance alone may win one
_MOST = 3  # of an epoch: each one costs an answer to every validation sample


def settle_contested(state: AceState, playbook: Playbook, lab: Lab, epoch: int) -> Chores:
    """Decide on what the training samples have left open, one lesson after another, none twice."""
    phase = Phase(PhaseKind.CONTEST, epoch)
    open_lessons = []
    for sample, contested in state.contested.items():
        if contested is not None and contested.contents not in state.settled:
            open_lessons.append((sample, contested))
    for sample, contested in open_lessons[:_MOST]:
        state.settled.add(contested.contents)
        adds = [replace(add_lesson(text), provenance=contested.episodes) for text in contested.contents]
        playbook = yield Chore(phase, sample, partial(_quarantine, sample, adds))

        # Not what is in use by now, was taken out, or may be let out by a person only.
        bullets = [playbook.bullets[add.id] for add in adds if add.id in playbook.bullets]
        promotes = [Promote(bullet.id) for bullet in bullets if bullet.status is Status.QUARANTINED]
        release = guard_delta(tuple(promotes), playbook)
        if release:
            candidate, _ = apply(playbook, release)
            comparison = lab.compare(phase, candidate, sample=sample, lead=_LEAD)
            proposal = _record_comparison(sample, contested, adds, comparison)
            playbook = yield Chore(phase, sample, partial(_decide, proposal, release))


def _quarantine(sample: str, adds: Sequence[Add], playbook: Playbook, lab: Lab) -> Update:
    """Let the lessons wait while validation samples are asked."""
    return Update(
        delta=quarantine_new(adds, playbook),
        author=AUTHOR,
        reason=f"{sample} is right with it, and another sample is not any more: validation decides",
        proofs={add.id: () for add in adds},
    )


def _record_comparison(
    sample: str, contested: Contested, adds: Sequence[Add], comparison: Comparison
) -> Proposal:
    wins, losses, asked = comparison.wins, comparison.losses, comparison.asked
    return Proposal(
        sample_id=sample,
        author=AUTHOR,
        delta=tuple(adds),
        outcome="accepted" if comparison.accepted else "rejected",
        why=f"{wins} won and {losses} lost of {asked} validation samples",
        episodes=contested.episodes,
        attempts=contested.attempts,
        reason=Reason.PROVEN if comparison.accepted else Reason.CONTESTED,
    )


def _decide(proposal: Proposal, release: Delta, playbook: Playbook, lab: Lab) -> Update:
    """Let the lessons out of quarantine, or let them wait on; record it either way."""
    delta = release if proposal.outcome == "accepted" else ()
    return Update(
        delta=delta,
        proposals=(proposal,),
        author=AUTHOR,
        reason=f"a lesson of {proposal.sample_id}: {proposal.why}",
        proofs={operation.id: [proposal.sample_id] for operation in delta if isinstance(operation, Promote)},
    )
