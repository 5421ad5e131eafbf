"""Refine between epochs: what an epoch added or changed is compared with everything that is there.

Bullets that say the same become one, and those that are voted down go. What there is to do depends on
playbooks only, so a resumed run finds the same; where there is nothing there is no chore, and no version.
Contradictions are left: a lesson that breaks what others prove is not kept in the first place.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from ace.llm.embedding import connect_embedder
from ace.methods.ace.state import AceState
from ace.methods.protocol import Chore, Lab, Update
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Merge, Playbook
from ace.refine.refinement import Refinement, refine_playbook, sort_for_comparison
from ace.refine.retire import retire_bullets
from ace.refine.similarity_index import Index
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "refiner"


@dataclass(slots=True)
class Refining:
    """Remember what was compared already. What a run began with is not compared with itself."""

    compared: Playbook
    """The playbook after the last refinement, or the first one."""

    index: Index | None = None
    """Finds bullets that are alike; built by the first refinement that has something to compare."""

    def refine(self, state: AceState, playbook: Playbook, epoch: int) -> Generator[Chore, Playbook, Playbook]:
        """Yield a chore that merges and retires, if need be; return the playbook after it."""
        phase = Phase(PhaseKind.REFINEMENT, epoch)
        changed = []
        for bullet in playbook.bullets.values():
            old = self.compared.bullets.get(bullet.id)
            same = old is not None and (old.content, old.status) == (bullet.content, bullet.status)
            if bullet.live and not same:
                changed.append(bullet.id)
        merged = Refinement()
        if changed:
            if self.index is None:
                self.index = Index(sort_for_comparison(self.compared), connect_embedder())
            self.index.remove(name for name, bullet in playbook.bullets.items() if not bullet.live)
            merged = refine_playbook(playbook, self.index, changed)
        refinement = merged + retire_bullets(apply(playbook, merged.delta)[0])
        if refinement.delta:
            playbook = yield Chore(phase, str(phase), partial(_commit_refined, state, refinement))
        self.compared = playbook
        return playbook


def _commit_refined(state: AceState, refinement: Refinement, playbook: Playbook, lab: Lab) -> Update:
    """Record each change. What proved the bullets that go proves the one that says the same."""
    proposals, proofs = [], {}
    for operation, why in zip(refinement.delta, refinement.reasons, strict=True):
        names, reason = touched_ids(operation), Reason.RETIRED
        if isinstance(operation, Merge):
            reason = Reason.MERGED
            proofs[operation.into] = [sample.id for sample in state.evidence.proofs(names)]
        proposals.append(Proposal(names[0], AUTHOR, (operation,), "accepted", why, reason=reason))
    return Update(
        delta=refinement.delta,
        proposals=tuple(proposals),
        author=AUTHOR,
        reason=str(lab.phase),
        proofs=proofs,
    )
