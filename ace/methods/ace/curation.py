"""Reconsider, after an epoch, bullets whose words are not those of the samples that need them.

First all of them get the words that the samples seen agree on; what still speaks for others is then taken up
alone.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ace.methods.ace.admission import guard_delta
from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.curator import Curator
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import record_proposal
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Lab, Trial, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove, Revise
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind
from ace.safety.injection import find_suspicion
from ace.settings import Settings

AUTHOR = "curator"
_WITNESSES = 2  # of those that prove a bullet


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
        if self._list_rewordings(playbook):
            playbook = yield Chore(phase, "words", self._reword)
        for name in [bullet.id for bullet in playbook.active if self.state.evidence.find_doubt(bullet)]:
            if name in playbook.bullets:  # an earlier chore may have removed it
                playbook = yield Chore(phase, name, partial(self._curate, name))
        return playbook

    def _list_rewordings(self, playbook: Playbook) -> list[Revise]:
        """Return bullets in the words of the samples that need them, where those are others."""
        evidence, changes = self.state.evidence, list[Revise]()
        for bullet in playbook.active if evidence.wording else ():
            assert evidence.wording  # noqa: S101
            text = evidence.wording.reword(bullet.content)
            if text != bullet.content and not bullet.pinned and not find_suspicion(text):
                changes.append(Revise(bullet.id, text, bullet.provenance))
        return changes

    def _reword(self, playbook: Playbook, lab: Lab) -> Update:
        """Say bullets in the words of the samples that need them, where those that prove them stay right.

        All are tried together, since one may have another's words. Those that make a sample fail are tried
        once more beside the ones that hold, with the others that failed on this sample.
        """
        changes = self._list_rewordings(playbook)
        failing = self._find_failing(changes, changes, playbook, lab)
        groups: dict[str, list[Revise]] = {}
        for change in changes:
            if change.id in failing:
                groups.setdefault(failing[change.id].sample.id, []).append(change)
        holding = [change for change in changes if change.id not in failing]
        if failing and holding:
            again = self._find_failing(holding, holding, playbook, lab)
            holding = [change for change in holding if change.id not in again]
            failing = {**failing, **again}
        for group in groups.values() if holding or len(groups) > 1 else ():
            trying = [*holding, *group]
            if not self._find_failing(group, trying, playbook, lab):
                holding = trying
        evidence, proposals = self.state.evidence, list[Proposal]()
        for change in changes:
            if change in holding:
                proof = Proof(True, "the words of the samples that need it", reason=Reason.PROVEN)
            else:
                wrong = failing[change.id]
                why = f"{wrong.sample.id} still fails"
                proof = Proof(False, why, (wrong,), reason=Reason.STILL_FAILS)
            proposals.append(record_proposal(change.id, AUTHOR, (change,), proof))
        proofs = {c.id: [sample.id for sample in evidence.proofs((c.id,))[:_WITNESSES]] for c in holding}
        delta = guard_delta(tuple(holding), playbook)
        return Update(delta=delta, proposals=tuple(proposals), author=AUTHOR, proofs=proofs)

    def _find_failing(
        self, asked: Sequence[Revise], changes: Sequence[Revise], playbook: Playbook, lab: Lab
    ) -> dict[str, Trial]:
        """Return a wrong attempt with all changes for each of those asked about that has one, by bullet."""
        candidate, _ = apply(playbook, changes)
        proofs = {change.id: self.state.evidence.proofs((change.id,))[:_WITNESSES] for change in asked}
        samples = {sample.id: sample for group in proofs.values() for sample in group}
        benches = {name: lab.bench(f"words {name}") for name in samples}
        trials: dict[str, Trial] = {}
        for trial in lab.map(
            lambda sample: benches[sample.id].solve(sample, candidate),
            tuple(samples.values()),
            lambda sample: benches[sample.id].calls_for,
        ):
            trials[trial.sample.id] = trial
        failing: dict[str, Trial] = {}
        for name, own in proofs.items():
            for sample in reversed(own):
                if not trials[sample.id].feedback.is_solved:
                    failing[name] = trials[sample.id]
        return failing

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
