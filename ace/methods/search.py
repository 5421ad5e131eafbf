"""The search for a change that makes one failed sample right: fresh lessons, then the curator's edits.

Knows one trial, the playbook it was made with, and the bench to prove things on. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ace.errors import ModelError
from ace.methods.consider import added, consider
from ace.methods.evidence import Evidence
from ace.methods.generality import generalised, stems
from ace.methods.proof import Proof, prove
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import touched
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
)
from ace.roles.curator import Curator
from ace.roles.reflector import Reflector
from ace.store.records import Proposal

_TEMPERATURES = (0.0, 0.7, 1.0)
_SHOWN_TO_CURATOR = 8
_SHOWN_TO_REFLECTOR = 4
_PROOFS_OF_A_CHANGE = 2


@dataclass(frozen=True, slots=True)
class Search:
    """For one failed trial."""

    reflector: Reflector
    curator: Curator
    neighbours: int
    trial: Trial
    playbook: Playbook
    bench: Bench
    evidence: Evidence

    def tried(self, tries: int) -> Iterator[Proposal]:
        """Proposals until one holds, at most `tries`. From the fourth on every other one is the curator's."""
        refuted: list[list[str]] = []
        related = self._related()
        for number in range(tries):
            made = (
                self._edit(related, number)
                if number >= 3 and number % 2 and related
                else self._lesson(number, refuted)
            )
            yield made
            if made.outcome == "accepted":
                return
            refuted.append(_contents(made.delta))

    def unproven(self, *, quarantine: bool) -> Proposal:
        """The first lesson as it comes; in quarantine where nothing that is shown could ever prove it."""
        try:
            delta: Delta = _added(self._said(0, ()))
        except ModelError as error:
            return failed(self.trial.sample.id, "reflector", error, self.trial.episode)
        if quarantine:
            delta += tuple(Quarantine(operation.id) for operation in delta if isinstance(operation, Add))
        why = "nothing that is shown can prove it: quarantined" if quarantine else "kept unproven"
        return proposal(self.trial.sample.id, "reflector", delta, Proof(True, why), self.trial)

    def _lesson(self, number: int, refuted: list[list[str]]) -> Proposal:
        try:
            said = self._said(number, [" ".join(before) for before in refuted[-2:]])
        except ModelError as error:
            return failed(self.trial.sample.id, "reflector", error, self.trial.episode)
        question, known, rarity = self.trial.sample.question, self._related(), self.evidence.rarity
        judged = [consider(lesson, question, known, rarity) for lesson in said]
        delta = tuple(found.operation for found in judged if found.operation)
        left_out = "".join(f"; left out, {found.flaw}" for found in judged if found.flaw)
        if not delta or _contents(delta) in refuted:
            why = "refuted before" if delta else "nothing new"
            proof = Proof(False, f"{why}{left_out}")
            return proposal(self.trial.sample.id, "reflector", delta or _added(said), proof, self.trial)
        made = self._proven("reflector", delta)
        return replace(made, why=f"{made.why}{left_out}")

    def _edit(self, related: tuple[Bullet, ...], number: int) -> Proposal:
        shown = related[:_SHOWN_TO_CURATOR]
        try:
            said = self.curator(shown, failure=_story(self.trial), seed=self._seed(number))
        except ModelError as error:
            return failed(self.trial.sample.id, "curator", error, self.trial.episode)
        made = self._proven("curator", confined(said, shown))
        return replace(made, why=f"{made.why}{ignored(said, shown)}")

    def _proven(self, author: str, delta: Delta) -> Proposal:
        """Its own sample first; then what proved the bullets it changes, and a few neighbours."""
        sample, subjects = self.trial.sample, self.trial.feedback.subjects
        changed = [name for op in delta if not isinstance(op, Add) for name in touched(op)]
        near = (
            *self.evidence.proofs(changed)[:_PROOFS_OF_A_CHANGE],
            *self.evidence.neighbours(sample, subjects, self.neighbours),
        )
        others = tuple({other.id: other for other in near if other.id != sample.id}.values())
        proof = prove(delta, self.playbook, (sample,), others, self.bench)
        return proposal(sample.id, author, delta, proof, self.trial)

    def _said(self, number: int, refuted: Iterable[str]) -> tuple[str, ...]:
        """What the reflector says about this trial, told what the playbook knows about the question."""
        asked = stems(self.trial.sample.question)
        known = (b.content for b in self._related() if stems(b.content.partition(":")[0]) <= asked)
        lessons = self.reflector(
            self.trial.sample,
            self.trial.attempt,
            self.trial.feedback,
            known=tuple(known)[:_SHOWN_TO_REFLECTOR],
            refuted=tuple(refuted),
            temperature=_TEMPERATURES[min(number, len(_TEMPERATURES) - 1)],
            seed=self._seed(number),
        )
        return tuple(generalised(self.trial.sample.question, lesson) for lesson in lessons)

    def _related(self) -> tuple[Bullet, ...]:
        return self.evidence.related(self.playbook, self.trial.feedback.subjects)

    def _seed(self, number: int) -> int:
        return self.bench.seed(self.trial.sample.id, number)


def proposal(subject: str, author: str, delta: Delta, proof: Proof, trial: Trial | None = None) -> Proposal:
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


def _citing(operation: Operation, episodes: tuple[str, ...]) -> Operation:
    if isinstance(operation, Add | Revise) and operation.provenance is not None:
        return replace(operation, provenance=(*operation.provenance, *episodes))
    return operation


def failed(subject: str, author: str, error: ModelError, *episodes: str) -> Proposal:
    """The record of a role's reply that could not be used; what it said is kept."""
    said = str(error.details.get("text", ""))
    return Proposal(subject, author, (), "rejected", f"{type(error).__name__}: {error}", episodes, (said,))


def confined(delta: Delta, shown: Iterable[Bullet]) -> Delta:
    """A curator's operations, held to the bullets it was shown; new bullets get ids of ours."""
    ids = {bullet.id for bullet in shown}
    return tuple(kept for operation in delta if (kept := _held(operation, ids)) is not None)


def ignored(delta: Delta, shown: Iterable[Bullet]) -> str:
    """What `confined` left out, for the record."""
    ids = {bullet.id for bullet in shown}
    left = [f"{op.op} {', '.join(touched(op))}" for op in delta if _held(op, ids) is None]
    return f"; ignored: {'; '.join(left)}" if left else ""


def _held(operation: Operation, ids: set[str]) -> Operation | None:
    match operation:
        case Add(content=content):
            return added(" ".join(content.split()))
        case Merge(into=into, sources=sources, content=content) if into in ids and set(sources) <= ids:
            others = tuple(dict.fromkeys(source for source in sources if source != into))
            line = " ".join(content.split())
            return Merge(into, others, line) if others else Revise(into, line)
        case Revise(id=name, content=content) if name in ids:
            return Revise(name, " ".join(content.split()))
        case Remove(id=name) | Quarantine(id=name) if name in ids:
            return operation
        case _:
            return None


def _contents(delta: Delta) -> list[str]:
    return [operation.content for operation in delta if isinstance(operation, Add | Revise)]


def _added(lessons: Iterable[str]) -> Delta:
    return tuple(added(lesson) for lesson in lessons)


def _story(trial: Trial) -> str:
    feedback = trial.feedback
    shown = feedback.expected or feedback.text
    return f"Question: {trial.sample.question}\nWrong answer: {trial.attempt.answer}\n{shown}"
