"""Reconsider, after an epoch, bullets that speak for samples that have no use for them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

from ace.methods.ace.admission import guard_delta
from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.curator import Curator
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.proof import prove
from ace.methods.ace.proposals import record_proposal
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove
from ace.runs.records import Proposal
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings


@dataclass(frozen=True, slots=True)
class Curation:
    """Hold the roles and the state that chores need.

    `reflector` and `curator`: put better what is in doubt.
    `state`: has the evidence that tells what is.
    `settings`: without `verify` there is nothing to do; `tries` and `neighbours` as in a search.
    """

    reflector: Reflector
    curator: Curator
    state: AceState
    settings: Settings

    def chores(self, playbook: Playbook, epoch: int) -> Generator[Chore, Playbook, Playbook]:
        """Yield a chore for each bullet in doubt, where attempts decide what is kept."""
        if not self.settings.verify:
            return playbook
        phase = Phase(PhaseKind.CURATION, epoch)
        for name in [bullet.id for bullet in playbook.active if self.state.evidence.find_doubt(bullet)]:
            if name in playbook.bullets:  # an earlier chore may have removed it
                playbook = yield Chore(phase, name, partial(self._curate, name))
        return playbook

    def _curate(self, name: str, playbook: Playbook, lab: Lab) -> Update:
        bench = lab.bench(name)
        proposals = self._reconsider(playbook.bullets[name], playbook, bench)
        delta, ids = combine_accepted(proposals, self.state.evidence.wording)
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
