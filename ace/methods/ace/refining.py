"""Refining between epochs: what an epoch added or changed is compared with everything that is there.

Merges and retirements are one chore, each conflict a chore of its own, because what one leaves is what the
next is tried on. What there is to do depends on playbooks only, so a resumed run finds the same; where there
is nothing there is no chore, and no version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ace.llm.embedding import connect_embedder
from ace.methods.ace.contradiction import Retried, retried
from ace.methods.ace.state import AceState
from ace.methods.protocol import Chore, Chores, Lab, Update
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Bullet, Delta, Merge, Playbook, Quarantine, Status
from ace.refine.conflict import Conflict
from ace.refine.refinement import Refinement, refine_playbook, sort_for_comparison
from ace.refine.retire import retire_bullets
from ace.refine.settle import Ruling, judge_by_evidence
from ace.refine.similarity_index import Index
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "refiner"


@dataclass(slots=True)
class Refining:
    """Remembers what was compared already. What a run began with is not compared with itself."""

    compared: Playbook
    index: Index | None = None

    def refine(self, state: AceState, playbook: Playbook, epoch: int) -> Chores:
        """Merge and retire at once, then settle each conflict."""
        phase = Phase(PhaseKind.REFINEMENT, epoch)
        found = self._compare(playbook)
        if found.delta:
            playbook = yield Chore(phase, str(phase), partial(_commit_refined, state, found))
        for conflict in found.conflicts:
            pair = (conflict.one, conflict.other)
            if all(playbook.bullets[name].status is Status.ACTIVE for name in pair):
                settle = partial(_settle, state, conflict)
                playbook = yield Chore(phase, f"{conflict.one} or {conflict.other}", settle)
        self.compared = playbook
        return playbook

    def _compare(self, playbook: Playbook) -> Refinement:
        """Return what to merge, to retire and to settle, looking only at what changed."""
        before = self.compared.bullets
        changed = []
        for bullet in playbook.bullets.values():
            if bullet.live and _comparable(before.get(bullet.id)) != _comparable(bullet):
                changed.append(bullet.id)
        merged = Refinement()
        if changed:
            if self.index is None:
                self.index = Index(sort_for_comparison(self.compared), connect_embedder())
            self.index.remove(name for name, bullet in playbook.bullets.items() if not bullet.live)
            merged = refine_playbook(playbook, self.index, changed)
        return merged + retire_bullets(apply(playbook, merged.delta)[0])


def _comparable(bullet: Bullet | None) -> tuple[str, Status] | None:
    return (bullet.content, bullet.status) if bullet else None


def _commit_refined(state: AceState, found: Refinement, playbook: Playbook, lab: Lab) -> Update:
    """Record each change. What proved the bullets that go proves the one that says the same."""
    proposals = []
    for operation, why in zip(found.delta, found.reasons, strict=True):
        reason = Reason.MERGED if isinstance(operation, Merge) else Reason.RETIRED
        proposals.append(
            Proposal(touched_ids(operation)[0], AUTHOR, (operation,), "accepted", why, reason=reason)
        )
    proofs = {}
    for operation in found.delta:
        if isinstance(operation, Merge):
            proofs[operation.into] = [sample.id for sample in state.evidence.proofs(touched_ids(operation))]
    return Update(
        delta=found.delta,
        proposals=tuple(proposals),
        author=AUTHOR,
        reason=str(lab.phase),
        proofs=proofs,
    )


def _settle(state: AceState, conflict: Conflict, playbook: Playbook, lab: Lab) -> Update:
    """Solve samples again to decide; without verification, only what is known already decides."""
    bench = lab.bench(f"{conflict.one} or {conflict.other}")
    order = order_of_proofs(playbook, (conflict.one, conflict.other), lab)
    if lab.settings.verify:
        result = retried(conflict, playbook, bench, state.evidence, order)
    else:
        known = judge_by_evidence(conflict, playbook, order)
        result = Retried(known or Ruling((), "nothing decides, and nothing is tried out"))
    losers = [name for name in result.settled.losers if not playbook.bullets[name].pinned]
    delta: Delta = tuple(Quarantine(name) for name in losers)
    trials = [trial for proof in result.proofs for trial in proof.trials]
    proposal = Proposal(
        conflict.one,
        AUTHOR,
        delta,
        "accepted" if delta else "rejected",
        f"{conflict.one} contradicts {conflict.other} ({conflict.why}): {result.settled.why}",
        tuple(trial.episode for trial in trials),
        tuple(trial.attempt.answer for trial in trials),
        reason=Reason.CONTRADICTED,
    )
    return Update(delta=delta, proposals=(proposal,), author=AUTHOR)


def order_of_proofs(playbook: Playbook, bullets: Sequence[str], lab: Lab) -> dict[str, int]:
    """Map the cited episodes that were right, as far as the learner may see, to the order they were made
    in.
    """
    cited = [episode for name in bullets for episode in playbook.bullets[name].provenance]
    episodes = lab.episodes(cited)
    return {episode.id: place for place, episode in enumerate(episodes) if episode.feedback.solved}
