"""Lessons that mended their own sample and broke another: validation samples say what they are worth.

With one sample won and one lost the training samples leave it open. Such a lesson waits in quarantine, what
the playbook would be with it meets the version without, and it comes out where it wins enough. Where it does
not, an attempt may yet prove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ace.methods.ace.admission import guarded, waiting
from ace.methods.ace.consider import added
from ace.methods.ace.state import AceState, Contested
from ace.methods.protocol import Chore, Chores, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Add, Playbook, Promote, Status
from ace.runs.records import Proposal, Reason
from ace.runs.report import Comparison
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "gate"
_LEAD = 2  # the sample that a lesson breaks is as good as the one it mends: chance alone may win one
_MOST = 3  # of an epoch: each one costs an answer to every validation sample


def settle_contested(state: AceState, playbook: Playbook, lab: Lab, epoch: int) -> Chores:
    """Decide on what the training samples have left open, one lesson after the other, none twice."""
    phase = Phase(PhaseKind.CONTEST, epoch)
    open_lessons = []
    for sample, contested in state.contested.items():
        if contested is not None and contested.contents not in state.settled:
            open_lessons.append((sample, contested))
    for sample, contested in open_lessons[:_MOST]:
        state.settled.add(contested.contents)
        adds = [replace(added(text), provenance=contested.episodes) for text in contested.contents]
        playbook = yield Chore(phase, sample, partial(_quarantine, sample, adds))
        release = _release(adds, playbook)
        if release:
            candidate, _ = apply(playbook, release)
            comparison = lab.compare(phase, candidate, sample=sample, lead=_LEAD)
            record = partial(_decide, sample, contested, adds, release, comparison)
            playbook = yield Chore(phase, sample, record)
    return playbook


def _quarantine(sample: str, adds: Sequence[Add], playbook: Playbook, lab: Lab) -> Update:
    """Let the lessons wait while validation samples are asked."""
    reason = f"{sample} is right with it, and another sample is not any more: validation decides"
    return Update(
        delta=waiting(adds, playbook), reason=reason, author=AUTHOR, proofs={add.id: () for add in adds}
    )


def _release(adds: Sequence[Add], playbook: Playbook) -> tuple[Promote, ...]:
    """Return what lets them out: not what is in use, was taken out, or may be let out by a person only."""
    bullets = [playbook.bullets[add.id] for add in adds if add.id in playbook.bullets]
    promotes = [Promote(bullet.id) for bullet in bullets if bullet.status is Status.QUARANTINED]
    return tuple(op for op in guarded(tuple(promotes), playbook) if isinstance(op, Promote))


def _decide(
    sample: str,
    contested: Contested,
    adds: Sequence[Add],
    release: tuple[Promote, ...],
    comparison: Comparison,
    playbook: Playbook,
    lab: Lab,
) -> Update:
    """Let the lessons out of quarantine, or let them wait on; record it either way."""
    counts = f"{comparison.wins} won and {comparison.losses} lost of {comparison.asked} validation samples"
    accepted = comparison.accepted
    proposal = Proposal(
        sample,
        AUTHOR,
        tuple(adds),
        "accepted" if accepted else "rejected",
        counts,
        contested.episodes,
        contested.attempts,
        reason=Reason.PROVEN if accepted else Reason.CONTESTED,
    )
    return Update(
        delta=release if accepted else (),
        proposals=(proposal,),
        author=AUTHOR,
        reason=f"a lesson of {sample}: {counts}",
        proofs={operation.id: [sample] for operation in release} if accepted else {},
    )
