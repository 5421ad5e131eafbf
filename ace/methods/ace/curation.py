"""Reconsider, after an epoch, bullets whose words are not those of the samples that need them.

First all of them get the words that the samples seen agree on; what still speaks for others is then taken up
alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.curator import Curator
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import record_proposal, revise_lesson
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.state import AceState
from ace.methods.protocol import Bench, Chore, Lab, Trial, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove, Revise
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind
from ace.safety.injection import find_suspicion
from ace.settings import Part, Settings
from ace.task.types import Sample

AUTHOR = "curator"
_PROOFS = 2  # samples that prove a bullet
_WITNESSES = 4  # samples that need it


@dataclass(frozen=True, slots=True)
class Curation:
    """Hold the roles and the state that chores need."""

    reflector: Reflector
    curator: Curator
    """Put better what is in doubt."""

    state: AceState
    """Has the evidence that tells what is."""

    settings: Settings
    """Without proof there is nothing to do; `tries` and `neighbours` as in a search."""

    def chores(self, playbook: Playbook, epoch: int) -> Generator[Chore, Playbook, Playbook]:
        """Yield a chore for each bullet in doubt, where attempts decide what is kept."""
        if not self.settings.has(Part.PROOF):
            return playbook
        phase = Phase(PhaseKind.CURATION, epoch)
        if changes := self._list_rewordings(playbook):
            playbook = yield Chore(phase, "words", partial(self._reword, changes))
        for name in [bullet.id for bullet in playbook.active if self.state.evidence.find_doubt(bullet)]:
            if name in playbook.bullets:  # an earlier chore may have removed it
                playbook = yield Chore(phase, name, partial(self._curate, name))
        return playbook

    def _list_rewordings(self, playbook: Playbook) -> list[Revise]:
        """Return bullets in the words of the samples that need them, where those are others.

        One that no sample of this run proves stays as it is: nothing would show that it is still right.
        """
        evidence, changes = self.state.evidence, list[Revise]()
        if evidence.wording is None:
            return changes
        for bullet in playbook.active:
            if bullet.pinned or not evidence.proofs((bullet.id,)):
                continue
            text = evidence.wording.reword(bullet.content)
            if text != bullet.content and not find_suspicion(text):
                changes.append(revise_lesson(bullet.id, text, bullet.provenance))
        return changes

    def _reword(self, changes: Sequence[Revise], playbook: Playbook, lab: Lab) -> Update:
        """Say bullets in the words of the samples that need them, where those that prove them stay right.

        All are tried together, since one may have another's words. Those that make a proof fail have to gain
        more of the samples that need them than they lose.
        """
        evidence = self.state.evidence
        proofs = {change.id: evidence.proofs((change.id,))[:_PROOFS] for change in changes}
        wrong = self._find_wrong(changes, proofs, playbook, lab)
        holding = [change for change in changes if change.id not in wrong]
        groups: dict[str, list[Revise]] = {}  # by the sample that fails
        for change in changes:
            if change.id in wrong:
                groups.setdefault(wrong[change.id].sample.id, []).append(change)
        for group in groups.values():
            asked, trying = self._list_witnesses(group), [*holding, *group]
            solved = list[int]()
            for changing in (trying, holding):
                trials = self._attempt(asked, changing, playbook, lab).values()
                solved.append(sum(bool(trial.feedback.is_solved) for trial in trials))
            if solved[0] > solved[1]:
                holding = trying
        proposals: list[Proposal] = []
        for change in changes:
            if change in holding:
                proof = Proof(True, "the words of the samples that need it", reason=Reason.PROVEN)
            else:
                trial = wrong[change.id]
                why = f"{trial.sample.id} still fails"
                proof = Proof(False, why, (trial,), reason=Reason.STILL_FAILS)
            proposals.append(record_proposal(change.id, AUTHOR, (change,), proof))
        return Update(
            delta=tuple(holding),
            proposals=tuple(proposals),
            author=AUTHOR,
            proofs={change.id: [sample.id for sample in proofs[change.id]] for change in holding},
        )

    def _find_wrong(
        self, changes: Sequence[Revise], proofs: Mapping[str, Sequence[Sample]], playbook: Playbook, lab: Lab
    ) -> dict[str, Trial]:
        """Return the changes that make a proof of their bullet fail, by bullet, with the failed attempt.

        What holds beside all others has to hold without those that do not, so the rest is tried again.
        """
        wrong: dict[str, Trial] = {}
        for _ in range(2):
            trying = [change for change in changes if change.id not in wrong]
            asked = [sample for change in trying for sample in proofs[change.id]]
            trials = self._attempt(asked, trying, playbook, lab)
            failures = {
                change.id: trials[sample.id]
                for change in trying
                for sample in proofs[change.id]
                if not trials[sample.id].feedback.is_solved
            }
            if not failures:
                break
            wrong |= failures
        return wrong

    def _list_witnesses(self, changes: Sequence[Revise]) -> list[Sample]:
        """Return samples whose right answers say what bullets say, a few for each."""
        wording, known = self.state.evidence.wording, self.state.map.samples
        samples = list[Sample]()
        if wording is None:
            return samples
        for change in changes:
            ids = [name for name in wording.list_witnesses(change.content) or () if name in known]
            samples += [known[name] for name in ids[:_WITNESSES]]
        return samples

    def _attempt(
        self, samples: Iterable[Sample], changes: Sequence[Revise], playbook: Playbook, lab: Lab
    ) -> dict[str, Trial]:
        """Return an attempt at each of the samples with the changes, by the id of the sample."""
        candidate, _ = apply(playbook, changes)
        asked = {sample.id: sample for sample in samples}
        benches = {name: lab.bench(f"words {name}") for name in asked}
        trials = lab.map(
            lambda sample: benches[sample.id].solve(sample, candidate),
            tuple(asked.values()),
            lambda sample: benches[sample.id].calls_for,
        )
        return {trial.sample.id: trial for trial in trials}

    def _curate(self, name: str, playbook: Playbook, lab: Lab) -> Update:
        """Reconsider a bullet, and return what the attempts for it decided."""
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
            delta=delta,
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
