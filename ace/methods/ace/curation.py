"""Tidy up after an epoch: bullets that speak for the wrong samples, and topics with several bullets."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

from ace.errors import ModelError
from ace.methods.ace.admission import guard_delta
from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.curator import Curator, confine_delta
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import record_failure, record_proposal
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings

_PROOFS_OF_A_MERGE = 4


@dataclass(frozen=True, slots=True)
class Curation:
    """Hold the roles and the state that chores need."""

    reflector: Reflector
    curator: Curator
    state: AceState
    settings: Settings

    def chores(self, playbook: Playbook, epoch: int) -> Generator[Chore, Playbook, Playbook]:
        """Yield a chore for each doubtful bullet and, with the setting `merge`, for each crowded topic."""
        evidence, names = self.state.evidence, list[str]()
        if self.settings.verify:
            names += [bullet.id for bullet in playbook.active if evidence.find_doubt(bullet)]
        if self.settings.merge:
            for topic, bullets in evidence.group_by_topic(playbook).items():
                if len(bullets) > 1:
                    names.append(topic)
        phase = Phase(PhaseKind.CURATION, epoch)
        for name in names:
            playbook = yield Chore(phase, name, partial(self._curate, name))
        return playbook

    def _curate(self, name: str, playbook: Playbook, lab: Lab) -> Update:
        bench = lab.bench(name)
        if name in playbook.bullets:
            proposals = self._reconsider(playbook.bullets[name], playbook, bench)
        else:
            proposals = self._merge(name, playbook, bench)
        delta, ids = combine_accepted(proposals, self.state.wording)
        provers = []
        for proposal in proposals:
            # What proves a proposal are the samples that it was tried on and that were right with it.
            episodes = [episode for episode in bench.episodes if episode.id in proposal.episodes]
            right = [episode.sample_id for episode in episodes if episode.feedback.is_solved]
            provers.append((proposal, right))
        return Update(
            delta=guard_delta(delta, playbook),
            proposals=proposals,
            author=join_authors(proposals),
            proofs=map_proofs(provers, ids),
        )

    def _reconsider(self, bullet: Bullet, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """Remove a bullet whose words are too wide if what proved it is right without it.

        Else put it better. Where nothing speaks against it any more, there is nothing to do.
        """
        evidence = self.state.evidence
        doubt = evidence.find_doubt(bullet)
        if evidence.wording is None or doubt is None:
            return ()
        removal: Delta = (Remove(bullet.id),)
        sample, *others = evidence.proofs((bullet.id,))
        without, _ = apply(playbook, removal)
        trial = bench.solve(sample, without)
        if trial.feedback.is_solved:
            proof = prove(removal, playbook, others, (), bench)
            proof = replace(proof, trials=(trial, *proof.trials))
            return (record_proposal(sample.id, "curator", removal, proof),)
        search = FactSearch(
            reflector=self.reflector,
            curator=self.curator,
            neighbours=self.settings.neighbours,
            trial=trial,
            playbook=without,
            bench=bench,
            evidence=evidence,
            wording=evidence.wording,
            flaws=(doubt,),
        )
        proposals = search.propose(self.settings.tries)
        return tuple(replace(proposal, delta=(*removal, *proposal.delta)) for proposal in proposals)

    def _merge(self, topic: str, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """Let the curator merge the bullets on a topic, under the proof of what proves them."""
        evidence = self.state.evidence
        bullets = evidence.group_by_topic(playbook).get(topic, ())
        samples = evidence.proofs(bullet.id for bullet in bullets)[-_PROOFS_OF_A_MERGE:]
        try:
            reply = self.curator(bullets, seed=bench.seed("curate", topic))
        except ModelError as error:
            return (record_failure(topic, "curator", error),)
        delta, note = confine_delta(reply, bullets)
        if self.settings.verify:
            proof = prove(delta, playbook, samples, (), bench)
        else:
            proof = Proof(True, "kept unproven", reason=Reason.KEPT_UNPROVEN)
        proof = replace(proof, why=f"{proof.why}{note}")
        return (record_proposal(topic, "curator", delta, proof),)
