"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it.

For a failed sample the search goes over several tries (see `search`); the first proposal that makes the
sample right without breaking its neighbours is kept, the others are recorded with the attempts that refuted
them. A sample that was right although no bullet says why was lucky, and is learned from in the same way.
After an epoch the curator merges what stands twice, under the same proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ace.context.render import Rendered, render_playbook
from ace.errors import ModelError
from ace.methods.ace.combine import Batch
from ace.methods.ace.curator import Curator
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import mentioned
from ace.methods.ace.lesson_search import Search, confined, failed, ignored, proposal
from ace.methods.ace.proof import Proof, prove, solved
from ace.methods.ace.quarantine import released
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.refusals import earlier
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import apply, touched
from ace.playbook.model import Add, Bullet, Delta, Playbook, Quarantine, Remove
from ace.refine.similar import same_words
from ace.retrieval.bullets import Hybrid
from ace.runs.records import Proposal
from ace.text.tokens import CountTokens, estimate_tokens

_PROOFS_OF_A_MERGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """The method. `tries` proposals for each failed sample, `neighbours` earlier samples to keep right.

    `verify` False keeps every first lesson unproven (the ablation).
    `cite` shows the generator the ids of bullets. `select` chooses when not all of them fit.
    """

    reflector: Reflector
    curator: Curator
    tries: int = 2
    neighbours: int = 1
    verify: bool = True
    merge: bool = False
    cite: bool = False
    count_tokens: CountTokens = estimate_tokens
    select: Hybrid | None = None

    def context(self, playbook: Playbook, question: str, room: int) -> Rendered:
        """The whole playbook where it fits; else what `select` chooses for the question, or the oldest."""
        whole = render_playbook(playbook, room, self.count_tokens, ids=self.cite)
        if self.select is None or not whole.left_out:
            return whole
        return self.select(playbook, question, room, self.count_tokens, ids=self.cite)

    def learn(
        self, trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        right = solved(trial.feedback)
        search = Search(self.reflector, self.curator, self.neighbours, trial, playbook, bench, evidence)
        search = replace(search, earlier=earlier(trial, playbook, evidence))
        if right:
            return tuple(search.tried(self.tries)) if self._lucky(trial, search) else ()
        unproven = right is None or not trial.provable
        if unproven or not self.verify:
            return (search.unproven(quarantine=unproven),)
        waited = tuple(released(trial, playbook, bench, evidence, self.neighbours))
        if any(made.outcome == "accepted" for made in waited):
            return waited
        return (*waited, *search.tried(self.tries))

    def _lucky(self, trial: Trial, search: Search) -> bool:
        """Right, but no bullet says why; and a lesson about it could be proven."""
        return self.verify and trial.provable and bool(search.about())

    def combine(self, proposals: Iterable[Proposal]) -> tuple[Delta, Mapping[str, str]]:
        """The accepted deltas of a batch as one. What two samples proved is added once, then voted for, and
        two other names for one meaning join the same line. What one proved does not wait for another's sake.
        """
        batch, kept = Batch(), [made.delta for made in proposals if made.outcome == "accepted"]
        proven = {same_words(add.content) for delta in kept for add in _adds(delta, held=False)}
        for delta in kept:
            needless = {add.id for add in _adds(delta, held=True) if same_words(add.content) in proven}
            for operation in delta:
                if needless.isdisjoint(touched(operation)):
                    batch.take(operation)
        return tuple(batch.operations), batch.ids

    def chores(self, playbook: Playbook, evidence: Evidence) -> tuple[str, ...]:
        """Bullets that speak for samples they have no use for; with `merge`, subjects of several bullets."""
        doubtful = tuple(b.id for b in playbook.active if evidence.doubt(b)) if self.verify else ()
        found = evidence.by_subject(playbook).items() if self.merge else ()
        return doubtful + tuple(name for name, bullets in found if len(_only_about(name, bullets)) > 1)

    def curate(
        self, chore: str, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        if chore in playbook.bullets:
            bullet = playbook.bullets[chore]
            return self._doubted(bullet, playbook, bench, evidence) if evidence.doubt(bullet) else ()
        return self._merged(chore, playbook, bench, evidence)

    def _doubted(
        self, bullet: Bullet, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        """A bullet whose words are too wide goes if what proved it is right without it, or is put better."""
        gone: Delta = (Remove(bullet.id),)
        sample, *others = evidence.proofs((bullet.id,))
        without, _ = apply(playbook, gone)
        trial = bench.solve(sample, without)
        if solved(trial.feedback):
            proof = prove(gone, playbook, others, (), bench)
            return (proposal(sample.id, "curator", gone, replace(proof, trials=(trial, *proof.trials))),)
        search = Search(self.reflector, self.curator, self.neighbours, trial, without, bench, evidence)
        search = replace(search, flaws=(f"{bullet.content} {evidence.doubt(bullet)}",))
        return tuple(replace(made, delta=(*gone, *made.delta)) for made in search.tried(self.tries))

    def _merged(
        self, subject: str, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        bullets = _only_about(subject, evidence.related(playbook, (subject,)))
        proofs = evidence.proofs(bullet.id for bullet in bullets)[-_PROOFS_OF_A_MERGE:]
        try:
            said = self.curator(bullets, seed=bench.seed("curate", subject))
        except ModelError as error:
            return (failed(subject, "curator", error),)
        delta = confined(said, bullets)
        proof = prove(delta, playbook, proofs, (), bench) if self.verify else Proof(True, "kept unproven")
        proof = replace(proof, why=f"{proof.why}{ignored(said, bullets)}")
        return (proposal(subject, "curator", delta, proof),)


def _adds(delta: Delta, *, held: bool) -> tuple[Add, ...]:
    """What a delta adds: to be used, or `held` in quarantine."""
    waits = {operation.id for operation in delta if isinstance(operation, Quarantine)}
    return tuple(op for op in delta if isinstance(op, Add) and (op.id in waits) is held)


def _only_about(subject: str, bullets: Iterable[Bullet]) -> tuple[Bullet, ...]:
    """Those that speak of no other subject: what stands across subjects is not merged into one."""
    return tuple(
        b for b in bullets if not b.pinned and {n for n in mentioned(b.content) if "." in n} <= {subject}
    )
