"""Let the curator look at each section that a batch has touched, and prove what it proposes.

ACE (arXiv 2510.04618, section 3): a curator integrates the reflector's insights as small deltas. Here its
edits are kept only if the samples that prove the bullets they touch stay right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ace.errors import ModelError
from ace.methods.ace.curator import Curator, confine_delta
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import record_proposal
from ace.methods.failed_replies import record_failure
from ace.methods.protocol import Lab
from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Bullet, Delta, Playbook, Revise, Status
from ace.runs.records import Proposal, Reason
from ace.task.types import Sample

AUTHOR = "curator"
_MOST_SHOWN = 12  # bullets of a section, the newest
_MOST_PROOFS = 4  # samples for what an edit touches


@dataclass(frozen=True, slots=True)
class SectionCuration:
    """Hold what the sections that a batch has touched are curated with."""

    curator: Curator
    """Proposes the edits."""

    playbook: Playbook
    """That which the batch leaves."""

    evidence: Evidence
    """The samples that prove bullets of earlier batches."""

    proofs: Mapping[str, Sequence[str]]
    """Those that prove the bullets of this batch, by id."""

    samples: Mapping[str, Sample]
    """Every sample that is known, by id."""

    lab: Lab
    """Makes the attempts."""

    def propose(self, delta: Delta) -> Iterator[Proposal]:
        """Yield a proposal for each section that `delta` adds to or revises in, where it has company."""
        touched = {operation.id for operation in delta if isinstance(operation, Add | Revise)}
        bullets = [self.playbook.bullets[name] for name in touched if name in self.playbook.bullets]
        for section in sorted({b.section for b in bullets if b.status is Status.ACTIVE}):
            inside = [bullet for bullet in self.playbook.active if bullet.section == section]
            if len(inside) > 1:
                with self.lab.counting_for(section):
                    yield from self._curate(section, inside[-_MOST_SHOWN:])

    def carry_proofs(self, edits: Sequence[Proposal]) -> dict[str, list[str]]:
        """Map each bullet of an accepted edit to the samples that prove any bullet of that edit."""
        carried: dict[str, list[str]] = {}
        for edit in edits:
            if edit.outcome != "accepted":
                continue
            names = [name for operation in edit.delta for name in touched_ids(operation)]
            samples = [sample.id for sample in self._list_proofs(names)]
            for name in names:
                carried[name] = samples
        return carried

    def _curate(self, section: str, bullets: Sequence[Bullet]) -> Iterator[Proposal]:
        """Yield what the curator would change in a section, with its proof; nothing where that is nothing."""
        bench = self.lab.bench(f"section {section}")
        try:
            reply = self.curator(bullets, seed=bench.seed("section", section))
        except ModelError as error:
            yield record_failure(section, AUTHOR, error)
            return
        delta, note = confine_delta(reply, [bullet for bullet in bullets if not bullet.pinned])
        if not delta:
            return
        names = [name for operation in delta for name in touched_ids(operation)]
        samples = self._list_proofs(names)
        if samples:
            proof = prove(delta, self.playbook, samples, (), bench)
        else:
            proof = Proof(False, "no sample of this run proves what it touches", reason=Reason.NO_LESSON)
        yield record_proposal(section, AUTHOR, delta, replace(proof, why=f"{proof.why}{note}"))

    def _list_proofs(self, bullet_ids: Sequence[str]) -> tuple[Sample, ...]:
        """Return the newest samples that prove these bullets."""
        samples = {sample.id: sample for sample in self.evidence.proofs(bullet_ids)}
        for name in bullet_ids:
            for sample in self.proofs.get(name, ()):
                if sample in self.samples:
                    samples[sample] = self.samples[sample]
        return tuple(samples.values())[-_MOST_PROOFS:]
