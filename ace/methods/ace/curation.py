"""Tidying up after an epoch: bullets that speak for samples they have no use for, and subjects of several
bullets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ace.errors import ModelError
from ace.methods.ace.admission import guarded
from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.curator import Curator
from ace.methods.ace.lesson_scope import mentioned
from ace.methods.ace.lesson_search import Search, confined, failed, ignored, proposal
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proofs_of import authors_of, proofs_of
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Chores, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings

_PROOFS_OF_A_MERGE = 4


@dataclass(frozen=True, slots=True)
class Curation:
    """The roles and the state that chores need."""

    reflector: Reflector
    curator: Curator
    state: AceState
    settings: Settings

    def chores(self, playbook: Playbook, epoch: int) -> Chores:
        """Yield a chore for each doubtful bullet and, with the setting `merge`, for each crowded subject."""
        phase = Phase(PhaseKind.CURATION, epoch)
        for name in self._names(playbook):
            playbook = yield Chore(phase, name, partial(self._curate, name))
        return playbook

    def _names(self, playbook: Playbook) -> list[str]:
        evidence, names = self.state.evidence, list[str]()
        if self.settings.verify:
            names += [bullet.id for bullet in playbook.active if evidence.doubt(bullet)]
        if self.settings.merge:
            for subject, bullets in evidence.by_subject(playbook).items():
                if len(_only_about(subject, bullets)) > 1:
                    names.append(subject)
        return names

    def _curate(self, name: str, playbook: Playbook, lab: Lab) -> Update:
        bench = lab.bench(name)
        if name in playbook.bullets:
            bullet = playbook.bullets[name]
            doubted = self.state.evidence.doubt(bullet)
            proposals = self._reconsider(bullet, playbook, bench) if doubted else ()
        else:
            proposals = self._merge(name, playbook, bench)
        delta, ids = combine_accepted(proposals)
        pairs = [(made, _right_with(made, bench)) for made in proposals]
        return Update(
            delta=guarded(delta, playbook),
            proposals=proposals,
            author=authors_of(proposals),
            proofs=proofs_of(pairs, ids),
        )

    def _reconsider(self, bullet: Bullet, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """Remove a bullet whose words are too wide if what proved it is right without it, else put it
        better.
        """
        evidence = self.state.evidence
        removal: Delta = (Remove(bullet.id),)
        sample, *others = evidence.proofs((bullet.id,))
        without, _ = apply(playbook, removal)
        trial = bench.solve(sample, without)
        if trial.solved:
            proof = prove(removal, playbook, others, (), bench)
            proof = replace(proof, trials=(trial, *proof.trials))
            return (proposal(sample.id, "curator", removal, proof),)
        search = Search(
            reflector=self.reflector,
            curator=self.curator,
            neighbours=self.settings.neighbours,
            trial=trial,
            playbook=without,
            bench=bench,
            evidence=evidence,
            flaws=(f"{bullet.content} {evidence.doubt(bullet)}",),
        )
        tried = search.tried(self.settings.tries)
        return tuple(replace(made, delta=(*removal, *made.delta)) for made in tried)

    def _merge(self, subject: str, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """Let the curator merge the bullets on a subject, under the proof of what proves them."""
        evidence = self.state.evidence
        bullets = _only_about(subject, evidence.related(playbook, (subject,)))
        proofs = evidence.proofs(bullet.id for bullet in bullets)[-_PROOFS_OF_A_MERGE:]
        try:
            reply = self.curator(bullets, seed=bench.seed("curate", subject))
        except ModelError as error:
            return (failed(subject, "curator", error),)
        delta = confined(reply, bullets)
        if self.settings.verify:
            proof = prove(delta, playbook, proofs, (), bench)
        else:
            proof = Proof(True, "kept unproven", reason=Reason.KEPT_UNPROVEN)
        proof = replace(proof, why=f"{proof.why}{ignored(reply, bullets)}")
        return (proposal(subject, "curator", delta, proof),)


def _right_with(made: Proposal, bench: Bench) -> Sequence[str]:
    """Return the samples that a proposal was tried on and that were right with it."""
    episodes = [episode for episode in bench.episodes if episode.id in made.episodes]
    return [episode.sample_id for episode in episodes if episode.feedback.solved]


def _only_about(subject: str, bullets: Iterable[Bullet]) -> tuple[Bullet, ...]:
    """Return those that speak of no other subject: what stands across subjects is not merged into one."""
    alone = []
    for bullet in bullets:
        subjects = {name for name in mentioned(bullet.content) if "." in name}
        if not bullet.pinned and subjects <= {subject}:
            alone.append(bullet)
    return tuple(alone)
