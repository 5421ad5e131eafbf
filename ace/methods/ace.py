"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it.

For a failed sample the search goes over several tries: fresh lessons at rising temperatures, and, where the
playbook already speaks about the subject, operations of the curator (revise, merge, remove). The first
proposal that makes the sample right without breaking its neighbours is kept; the others are recorded with
the attempts that refuted them. Between epochs the curator merges what is said twice, under the same proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ace.context.render import render_playbook
from ace.context.tokens import CountTokens, estimate_tokens
from ace.errors import CapReached, ModelError
from ace.methods.evidence import Evidence, mentioned
from ace.methods.proof import Proof, prove, solved
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import (
    Add,
    Bullet,
    Delta,
    Merge,
    Operation,
    Playbook,
    Quarantine,
    Remove,
    Revise,
    bullet_id,
)
from ace.roles.curator import Curator
from ace.roles.reflector import Reflector
from ace.store.records import Proposal

SECTION = "lessons"
_TEMPERATURES = (0.0, 0.7, 1.0)
_PROOFS_OF_A_MERGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """The method. `tries` proposals for each failed sample, `neighbours` earlier samples to keep right.

    `verify` False keeps every first lesson unproven (the ablation). `budget` is in tokens.
    """

    reflector: Reflector
    curator: Curator
    tries: int = 2
    neighbours: int = 1
    verify: bool = True
    merge: bool = True
    budget: int = 10_000
    count_tokens: CountTokens = estimate_tokens

    @property
    def name(self) -> str:
        return "ace" if self.verify else "ace-unverified"

    def context(self, playbook: Playbook) -> str:
        return render_playbook(playbook, self.budget, self.count_tokens).text

    def learn(
        self, trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        right = solved(trial.feedback)
        if right:
            return ()
        proposals: list[Proposal] = []
        for number in range(self.tries if self.verify and right is not None else 1):
            author, propose = self._proposer(number, trial, playbook, bench, evidence, proposals)
            proposals.append(self._judged(author, propose, trial, playbook, bench, evidence))
            if proposals[-1].outcome == "accepted":
                break
        return tuple(proposals)

    def credit(self, trial: Trial, evidence: Evidence) -> Delta:
        return ()

    def subjects(self, playbook: Playbook, evidence: Evidence) -> tuple[str, ...]:
        if not self.merge:
            return ()
        groups = (
            (name, _only_about(name, found, evidence))
            for name, found in evidence.by_subject(playbook).items()
        )
        return tuple(name for name, bullets in groups if len(bullets) > 1)

    def curate(
        self, subject: str, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        bullets = _only_about(subject, evidence.related(playbook, (subject,)), evidence)
        proofs = evidence.proofs(bullet.id for bullet in bullets)[-_PROOFS_OF_A_MERGE:]
        try:
            delta = _confined(self.curator(bullets, seed=bench.seed("curate", subject)), bullets)
        except CapReached:
            raise
        except ModelError as error:
            return (_failed(subject, "curator", error),)
        proof = prove(delta, playbook, proofs, (), bench) if self.verify else Proof(True, "kept unproven")
        return (_proposal(subject, "curator", delta, proof),)

    def _proposer(
        self,
        number: int,
        trial: Trial,
        playbook: Playbook,
        bench: Bench,
        evidence: Evidence,
        before: Iterable[Proposal],
    ) -> tuple[str, Callable[[], Delta]]:
        """Whose turn it is. Every third try is the curator's, if there is anything to curate."""
        seed = bench.seed(trial.sample.id, number)
        related = evidence.related(playbook, trial.feedback.subjects)
        if number % 3 == 2 and related:
            failure = _story(trial)
            return "curator", lambda: _confined(
                self.curator(related[:8], failure=failure, seed=seed), related
            )
        temperature = _TEMPERATURES[min(number, len(_TEMPERATURES) - 1)]
        refuted = (
            [op.content for p in before for op in p.delta if isinstance(op, Add)][-1:] if number > 2 else []
        )

        def reflect() -> Delta:
            lesson = self.reflector(
                trial.sample,
                trial.attempt,
                trial.feedback,
                refuted=refuted,
                temperature=temperature,
                seed=seed,
            )
            return (Add(bullet_id(SECTION, lesson), SECTION, lesson),)

        return "reflector", reflect

    def _judged(
        self,
        author: str,
        propose: Callable[[], Delta],
        trial: Trial,
        playbook: Playbook,
        bench: Bench,
        evidence: Evidence,
    ) -> Proposal:
        try:
            delta = propose()
        except CapReached:
            raise
        except ModelError as error:
            return _failed(trial.sample.id, author, error, trial.episode)
        if solved(trial.feedback) is None:
            held = tuple(Quarantine(op.id) for op in delta if isinstance(op, Add))
            proof = Proof(True, "nothing can prove it: quarantined")
            return _proposal(trial.sample.id, author, (*delta, *held), proof, trial)
        if not self.verify:
            return _proposal(trial.sample.id, author, delta, Proof(True, "kept unproven"), trial)
        near = evidence.neighbours(trial.sample, trial.feedback.subjects, self.neighbours)
        proof = prove(delta, playbook, (trial.sample,), near, bench)
        return _proposal(trial.sample.id, author, delta, proof, trial)


def _proposal(subject: str, author: str, delta: Delta, proof: Proof, trial: Trial | None = None) -> Proposal:
    """The record of a proposal; bullets of one that holds cite the episodes behind it."""
    learned_from = (trial.episode,) if trial else ()
    if proof.holds:
        cited = (*learned_from, *(t.episode for t in proof.trials[:1]))
        delta = tuple(_citing(operation, cited) for operation in delta)
    return Proposal(
        subject,
        author,
        delta,
        "accepted" if proof.holds else "rejected",
        proof.why,
        (*learned_from, *(t.episode for t in proof.trials)),
        tuple(t.attempt.answer for t in proof.trials),
    )


def _failed(subject: str, author: str, error: ModelError, *episodes: str) -> Proposal:
    said = str(error.details.get("text", ""))
    return Proposal(subject, author, (), "rejected", f"{type(error).__name__}: {error}", episodes, (said,))


def _citing(operation: Operation, episodes: tuple[str, ...]) -> Operation:
    return replace(operation, provenance=episodes) if isinstance(operation, Add) else operation


def _only_about(subject: str, bullets: Iterable[Bullet], evidence: Evidence) -> tuple[Bullet, ...]:
    """Those that speak of no other known subject: what stands across subjects is not merged into one."""
    return tuple(
        b for b in bullets if not b.pinned and {n for n in mentioned(b.content) if "." in n} <= {subject}
    )


def _confined(delta: Delta, bullets: Iterable[Bullet]) -> Delta:
    """A curator's operations, held to the bullets it was shown; new bullets get ids of ours."""
    shown = {bullet.id for bullet in bullets}
    kept: list[Operation] = []
    for operation in delta:
        match operation:
            case Add():
                content = " ".join(operation.content.split())
                kept.append(Add(bullet_id(SECTION, content), SECTION, content))
            case Merge(into=into, sources=sources) if into in shown and set(sources) <= shown:
                others = tuple(dict.fromkeys(s for s in sources if s != into))
                kept.append(replace(operation, sources=others) if others else Revise(into, operation.content))
            case Revise(id=name) if name in shown:
                kept.append(Revise(name, " ".join(operation.content.split())))
            case Remove(id=name) | Quarantine(id=name) if name in shown:
                kept.append(operation)
            case _:
                continue
    return tuple(kept)


def _story(trial: Trial) -> str:
    feedback = trial.feedback
    shown = feedback.expected or feedback.text
    return f"Question: {trial.sample.question}\nWrong answer: {trial.attempt.answer}\n{shown}"
