"""Refining between epochs: what an epoch added or changed is compared with everything that is there.

Merges and retirements are one step, each conflict a step of its own, because what one leaves is what the
next is tried on. What there is to do depends on playbooks only, so a resumed run finds the same; where there
is nothing there is no step, and no version.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ace.llm.embedding import connect_embedder
from ace.loop.run import Session, Work
from ace.methods.ace.contradiction import Retried, retried
from ace.methods.ace.proof import solved
from ace.playbook.delta import apply, touched
from ace.playbook.model import Bullet, Merge, Playbook, Quarantine, Status
from ace.refine.conflict import Conflict
from ace.refine.refinement import Refined, in_order, refined
from ace.refine.retire import retired
from ace.refine.settle import Settled, by_evidence
from ace.refine.similarity_index import Index
from ace.runs.records import Proposal
from ace.store import Store

AUTHOR = "refiner"


class Refining:
    """Remembers what was compared already. What a run began with is not compared with itself."""

    def __init__(self, run: Session) -> None:
        self._run = run
        self._compared: Playbook = run.playbook
        self._index: Index | None = None

    def refine(self, phase: str) -> None:
        if not self._run.options.refine:
            return
        run, playbook = self._run, self._run.playbook
        found = self._found(playbook)
        if found.delta:
            run.progress(phase, 0, 1)
            run.step(phase, partial(_refined, run, phase, found))
            run.progress(phase, 1, 1)
        for conflict in found.conflicts:
            if _both_active(conflict, run.playbook):
                run.step(phase, partial(_settled, run, phase, conflict))
        self._compared = run.playbook

    def _found(self, playbook: Playbook) -> Refined:
        before = self._compared.bullets
        changed = [b.id for b in playbook.bullets.values() if b.live and _told(before.get(b.id)) != _told(b)]
        merged = Refined()
        if changed:
            if self._index is None:
                self._index = Index(in_order(self._compared), connect_embedder())
            self._index.remove(name for name, b in playbook.bullets.items() if not b.live)
            merged = refined(playbook, self._index, changed)
        return merged + retired(apply(playbook, merged.delta)[0])


def _told(bullet: Bullet | None) -> tuple[str, Status] | None:
    return (bullet.content, bullet.status) if bullet else None


def _both_active(conflict: Conflict, playbook: Playbook) -> bool:
    ids = (conflict.one, conflict.other)
    return all(playbook.bullets[name].status is Status.ACTIVE for name in ids)


def _refined(run: Session, phase: str, found: Refined) -> Work:
    """What proved the bullets that go proves the one that says the same."""
    proposals = [
        Proposal(touched(operation)[0], AUTHOR, (operation,), "accepted", reason)
        for operation, reason in zip(found.delta, found.reasons, strict=True)
    ]
    merges = [operation for operation in found.delta if isinstance(operation, Merge)]
    kept = {merge.into: [sample.id for sample in run.evidence.proofs(touched(merge))] for merge in merges}
    return Work(found.delta, [], phase, AUTHOR, proposals=proposals, kept=kept)


def _settled(run: Session, phase: str, conflict: Conflict) -> Work:
    """With verification the samples are solved again; without, only what is known already decides."""
    playbook = run.playbook
    bench = run.bench(phase, run.version, f"{conflict.one} or {conflict.other}")
    proven = proven_by(run.store, playbook, (conflict.one, conflict.other))
    if run.options.verify:
        with run.team.meter.about(bench.purpose):
            made = retried(conflict, playbook, bench, run.evidence, proven)
    else:
        known = by_evidence(conflict, playbook, proven)
        made = Retried(known or Settled((), "nothing decides, and nothing is tried out"))
    delta = tuple(Quarantine(name) for name in made.settled.losers if not playbook.bullets[name].pinned)
    trials = [trial for proof in made.proofs for trial in proof.trials]
    proposal = Proposal(
        conflict.one,
        AUTHOR,
        delta,
        "accepted" if delta else "rejected",
        f"{conflict.one} contradicts {conflict.other} ({conflict.why}): {made.settled.why}",
        tuple(trial.episode for trial in trials),
        tuple(trial.attempt.answer for trial in trials),
    )
    reason = f"{phase}: {bench.purpose}"
    return Work(delta, [], reason, AUTHOR, episodes=bench.episodes, proposals=[proposal])


def proven_by(store: Store, playbook: Playbook, bullets: Iterable[str]) -> dict[str, int]:
    """The episodes these bullets cite that were right, as far as the learner may see, in the order made."""
    cited = [episode for name in bullets for episode in playbook.bullets[name].provenance]
    found = store.episodes(ids=cited) if cited else []
    return {episode.id: place for place, episode in enumerate(found) if solved(episode.feedback)}
