"""Lessons that mended their own sample and broke another: validation samples say what they are worth.

With one sample won and one lost the training samples leave it open. Such a lesson waits in quarantine, what
the playbook would be with it meets the version without, and it comes out where it wins enough. Where it does
not, an attempt may yet prove it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ace.loop.run import Session, Work
from ace.loop.selection import Selection, Side
from ace.loop.version_rules import Lead
from ace.methods.ace.admission import guarded, waiting
from ace.methods.ace.consider import added
from ace.playbook.delta import apply
from ace.playbook.model import Add, Promote, Status
from ace.runs.records import Proposal
from ace.runs.report import Comparison

AUTHOR = "gate"
_ENOUGH = Lead(2)  # the sample that a lesson breaks is as good as the one it mends: chance alone may win one
_MOST = 3  # of an epoch: each one costs an answer to every validation sample


class Contest:
    """Of one run. Nothing is tried twice in the same words."""

    def __init__(self, run: Session) -> None:
        self._run = run
        self._met: set[tuple[str, ...]] = set()

    def settle(self, selection: Selection, epoch: int) -> None:
        """Decide on what the training samples have left open, one after the other."""
        due = ((sample, told) for sample, told in self._run.contested.items() if told)
        new = [(sample, told) for sample, told in due if tuple(told["said"]) not in self._met]
        for sample, told in new[:_MOST]:
            self._met.add(tuple(told["said"]))
            self._decide(selection, epoch, sample, told)

    def _decide(
        self, selection: Selection, epoch: int, sample: str, told: Mapping[str, Sequence[str]]
    ) -> None:
        run, base, phase = self._run, self._run.version, f"contest {epoch}"
        adds = [replace(added(said), provenance=tuple(told["episodes"])) for said in told["said"]]
        why = f"{sample} is right with it, and another sample is not any more: validation decides"
        held = waiting(adds, run.playbook)
        run.step(phase, lambda: Work(held, [], why, AUTHOR, kept={add.id: () for add in adds}))
        if not (out := self._out(adds)):
            return
        candidate, _ = apply(run.playbook, out)
        old = selection.side(f"{phase}, without a lesson of {sample}", base)
        new = Side(f"{phase}, with a lesson of {sample}", run.version, playbook=candidate)
        met = selection.compare(phase, old, new, _ENOUGH)
        behind = tuple(told["episodes"]), tuple(told["attempts"])
        record = Proposal(sample, AUTHOR, tuple(adds), "rejected", "", *behind)
        run.step(phase, partial(_decision, record, out, met))

    def _out(self, adds: Sequence[Add]) -> tuple[Promote, ...]:
        """Nothing for what is in use, was taken out, or may be let out by a person only."""
        found = self._run.playbook.bullets
        known = (found[add.id] for add in adds if add.id in found)
        ids = (bullet.id for bullet in known if bullet.status is Status.QUARANTINED)
        let_out = guarded(tuple(map(Promote, ids)), self._run.playbook)
        return tuple(operation for operation in let_out if isinstance(operation, Promote))


def _decision(proposal: Proposal, out: tuple[Promote, ...], met: Comparison) -> Work:
    """The lessons come out of quarantine, or wait on; the record of it either way."""
    counts = f"{met.wins} won and {met.losses} lost of {met.asked} validation samples"
    proposal = replace(proposal, outcome="accepted" if met.accepted else "rejected", why=counts)
    kept = {operation.id: [proposal.sample_id] for operation in out} if met.accepted else {}
    reason = f"a lesson of {proposal.sample_id}: {counts}"
    return Work(out if met.accepted else (), [], reason, AUTHOR, proposals=[proposal], kept=kept)
