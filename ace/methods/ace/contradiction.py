"""Two bullets in conflict, tried out: what proved them is solved again without one, and without the other.

Where only one of them can be spared, that one goes. Where either can, the newer proof decides; where neither
can, they are no contradiction in practice. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import Proof, prove
from ace.methods.protocol import Bench
from ace.playbook.model import Playbook, Quarantine
from ace.refine.conflict import Conflict
from ace.refine.settle import Ruling, judge_by_evidence, quarantine_both

_PROOFS = 4  # samples, the newest


@dataclass(frozen=True, slots=True)
class Retried:
    """What was decided, and the proofs that were made for it."""

    settled: Ruling
    proofs: tuple[Proof, ...] = ()


def retried(
    conflict: Conflict, playbook: Playbook, bench: Bench, evidence: Evidence, proven: Mapping[str, int]
) -> Retried:
    """`proven`: as of `by_evidence`, which decides alone where no sample proves either of them."""
    known = judge_by_evidence(conflict, playbook, proven)
    samples = evidence.proofs((conflict.one, conflict.other))[-_PROOFS:]
    if not samples or playbook.bullets[conflict.one].pinned or playbook.bullets[conflict.other].pinned:
        return Retried(known or quarantine_both(conflict))
    spared = {
        name: prove((Quarantine(name),), playbook, samples, (), bench)
        for name in (conflict.one, conflict.other)
    }
    losers = tuple(name for name, proof in spared.items() if proof.holds)
    proofs = tuple(spared.values())
    if len(losers) == 1:
        return Retried(Ruling(losers, spared[losers[0]].why.replace("with it", "without it")), proofs)
    if losers:
        return Retried(known or quarantine_both(conflict), proofs)
    return Retried(Ruling((), "what proves them fails without either"), proofs)
