"""Refine between epochs: what an epoch added or changed is compared with everything that is there.

Merges and retirements are one chore, each conflict a chore of its own, because what one leaves is what the
next is tried on. What there is to do depends on playbooks only, so a resumed run finds the same; where there
is nothing there is no chore, and no version.

Two bullets in conflict are tried out: what proved them is solved again without one, and without the other.
Where only one of them can be spared, that one goes. Where either can, the newer proof decides; where neither
can, they are no contradiction in practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ace.llm.embedding import connect_embedder
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import prove
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Chores, Lab, Trial, Update
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Delta, Merge, Playbook, Quarantine, Status
from ace.refine.conflict import Conflict
from ace.refine.refinement import Refinement, refine_playbook, sort_for_comparison
from ace.refine.retire import retire_bullets
from ace.refine.settle import Ruling, judge_by_evidence, quarantine_both
from ace.refine.similarity_index import Index
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "refiner"
_PROOFS = 4  # samples, the newest


@dataclass(slots=True)
class Refining:
    """Remember what was compared already. What a run began with is not compared with itself.

    `compared`: the playbook after the last refinement, or the first one.
    `index`: finds bullets that are alike; built by the first refinement that has something to compare.
    """

    compared: Playbook
    index: Index | None = None

    def refine(self, state: AceState, playbook: Playbook, epoch: int) -> Chores:
        """Merge and retire at once, then settle each conflict."""
        phase = Phase(PhaseKind.REFINEMENT, epoch)
        refinement = self._compare(playbook)
        if refinement.delta:
            playbook = yield Chore(phase, str(phase), partial(_commit_refined, state, refinement))
        for conflict in refinement.conflicts:
            pair = (conflict.one, conflict.other)
            if all(playbook.bullets[name].status is Status.ACTIVE for name in pair):
                settle = partial(_settle, state, conflict)
                playbook = yield Chore(phase, f"{conflict.one} or {conflict.other}", settle)
        self.compared = playbook

    def _compare(self, playbook: Playbook) -> Refinement:
        """Return what to merge, to retire and to settle, looking only at what changed."""
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
        return merged + retire_bullets(apply(playbook, merged.delta)[0])


def try_without(
    conflict: Conflict, playbook: Playbook, bench: Bench, evidence: Evidence, order: Mapping[str, int]
) -> tuple[Ruling, tuple[Trial, ...]]:
    """Return which of two bullets goes, and the trials made for it.

    `order` places proofs in time, see `judge_by_evidence`; that decides alone where no sample proves either.
    """
    pair = (conflict.one, conflict.other)
    by_evidence = judge_by_evidence(conflict, playbook, order) or quarantine_both(conflict)
    samples = evidence.proofs(pair)[-_PROOFS:]
    if not samples or any(playbook.bullets[name].pinned for name in pair):
        return by_evidence, ()
    proofs = {name: prove((Quarantine(name),), playbook, samples, (), bench) for name in pair}
    trials = tuple(trial for proof in proofs.values() for trial in proof.trials)
    losers = tuple(name for name, proof in proofs.items() if proof.holds)
    if len(losers) == 1:
        right = proofs[losers[0]].right
        return Ruling(losers, f"right without it: {', '.join(right)}"), trials
    if losers:
        return by_evidence, trials
    return Ruling((), "what proves them fails without either"), trials


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


def _settle(state: AceState, conflict: Conflict, playbook: Playbook, lab: Lab) -> Update:
    """Solve samples again to decide; without verification, only what is known already decides."""
    # The cited episodes that were right, as far as the learner may see, in the order they were made in.
    bullets = [playbook.bullets[name] for name in (conflict.one, conflict.other)]
    episodes = lab.episodes([episode for bullet in bullets for episode in bullet.provenance])
    order = {}
    for place, episode in enumerate(episodes):
        if episode.feedback.is_solved:
            order[episode.id] = place
    trials: tuple[Trial, ...] = ()
    if lab.settings.verify:
        bench = lab.bench(f"{conflict.one} or {conflict.other}")
        ruling, trials = try_without(conflict, playbook, bench, state.evidence, order)
    else:
        undecided = Ruling((), "nothing decides, and nothing is tried out")
        ruling = judge_by_evidence(conflict, playbook, order) or undecided
    delta: Delta = tuple(Quarantine(name) for name in ruling.losers if not playbook.bullets[name].pinned)
    proposal = Proposal(
        sample_id=conflict.one,
        author=AUTHOR,
        delta=delta,
        outcome="accepted" if delta else "rejected",
        why=f"{conflict.one} contradicts {conflict.other} ({conflict.why}): {ruling.why}",
        episodes=tuple(trial.episode for trial in trials),
        attempts=tuple(trial.attempt.answer for trial in trials),
        reason=Reason.CONTRADICTED,
    )
    return Update(delta=delta, proposals=(proposal,), author=AUTHOR)
