"""Lessons that made their own sample right and broke another: validation samples say what they are worth.

With one sample won and one lost the training samples leave it open. Such a lesson is committed, meets the
version without it, and goes into quarantine where it wins too little; there an attempt may yet prove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ace.loop.accept import Lead
from ace.loop.selection import Selection
from ace.loop.session import Session, Work
from ace.methods.consider import added
from ace.methods.held import guarded
from ace.playbook.delta import touched
from ace.playbook.model import Delta, Promote, Quarantine, Status
from ace.runs.report import Comparison
from ace.store.records import Proposal

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
        due = {sample: said for sample, said in self._run.contested.items() if said}
        new = [(sample, said) for sample, said in due.items() if tuple(said) not in self._met]
        for sample, said in new[:_MOST]:
            self._met.add(tuple(said))
            if delta := self._delta(said):
                self._tried(selection, epoch, sample, delta)

    def _delta(self, said: Sequence[str]) -> Delta:
        """What brings these lessons into use: none that is in use already or was taken out."""
        known = self._run.playbook.bullets
        adds = [add for add in map(added, said) if add.id not in known]
        held = [add.id for add in map(added, said) if add.id in known]
        waiting = [name for name in held if known[name].status is Status.QUARANTINED]
        return guarded((*adds, *map(Promote, waiting)), self._run.playbook)

    def _tried(self, selection: Selection, epoch: int, sample: str, delta: Delta) -> None:
        run, before, phase = self._run, self._run.version, f"contest {epoch}"
        why = f"{sample} is right with it, and another sample is not: validation decides"
        kept = {name: [sample] for operation in delta for name in touched(operation)}
        run.step(phase, lambda: Work(delta, [], why, AUTHOR, kept=kept))
        met = selection.met(f"{epoch}, a lesson of {sample}", before, run.version, _ENOUGH)
        run.step(phase, partial(_decision, sample, delta, met))


def _decision(sample: str, delta: Delta, met: Comparison) -> Work:
    """The lessons stay, or wait in quarantine; the record of it either way."""
    counts = f"{met.wins} won and {met.losses} lost of {met.asked} validation samples"
    proposal = Proposal(sample, AUTHOR, delta, "accepted" if met.accepted else "rejected", counts)
    ids = dict.fromkeys(name for operation in delta for name in touched(operation))
    undone: Delta = () if met.accepted else tuple(map(Quarantine, ids))
    return Work(undone, [], f"a lesson of {sample}: {counts}", AUTHOR, proposals=[proposal])
