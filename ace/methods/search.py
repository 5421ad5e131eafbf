"""The search for a change that makes one failed sample right: fresh lessons, then the curator's edits.

Knows one trial, the playbook it was made with, and the bench to prove things on. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from ace.errors import ModelError
from ace.methods.consider import added, consider, release
from ace.methods.coverage import teachable, unspoken
from ace.methods.evidence import Evidence
from ace.methods.generality import generalised, stems
from ace.methods.proof import Proof, prove, solved
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
    Status,
)
from ace.roles.curator import Curator
from ace.roles.reflector import Reflector
from ace.store.records import Proposal
from ace.task.types import Feedback, FeedbackKind

_TEMPERATURES = (0.0, 0.7, 1.0)
_SHOWN_TO_CURATOR = 8
_SHOWN_TO_REFLECTOR = 4
_PROOFS_OF_A_CHANGE = 2


class _Made(NamedTuple):
    """A proposal, the attempts made with it, and what was wrong with lessons that were left out."""

    proposal: Proposal
    trials: tuple[Trial, ...] = ()
    flaws: tuple[str, ...] = ()


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
    taken: Delta = ()
    refuted: tuple[list[str], ...] = ()
    flaws: tuple[str, ...] = ()  # of the last try's lessons, in words

    def tried(self, tries: int) -> Iterator[Proposal]:
        """Proposals until one holds, at most `tries`. From the fourth on every other one is the curator's.

        A lesson that brought the attempt closer to the right answer is taken along: the next try learns what
        is still missing, from the attempt that was made with it.
        """
        state = self
        for number in range(tries):
            curating = number >= 3 and number % 2 and state._related()
            made, trials, flaws = state._edit(number) if curating else state._lesson(number)
            yield made
            if made.outcome == "accepted":
                return
            state = replace(state, refuted=(*state.refuted, _contents(made.delta)), flaws=flaws)
            if trials and closer(trials[0].feedback, state.trial.feedback):
                state = replace(state, trial=trials[0], taken=made.delta, refuted=(), flaws=())

    def unproven(self, *, quarantine: bool) -> Proposal:
        """The first lesson as it comes; in quarantine where nothing that is shown could ever prove it."""
        try:
            lessons, critique = self._unaided()
        except ModelError as error:
            return failed(self.trial.sample.id, "reflector", error, self.trial.episode)
        if not lessons:
            return proposal(self.trial.sample.id, "reflector", (), Proof(False, critique), self.trial)
        said = _added(lessons)
        delta: Delta = tuple(op for op in said if op.id not in self.playbook.bullets)
        if not delta:  # and what is proven already must not go into quarantine for being said again
            return proposal(self.trial.sample.id, "reflector", said, Proof(False, "known"), self.trial)
        if quarantine:
            delta += tuple(Quarantine(operation.id) for operation in delta if isinstance(operation, Add))
        why = "nothing that is shown can prove it: quarantined" if quarantine else "kept unproven"
        why += f"; {critique}" if critique else ""
        return proposal(self.trial.sample.id, "reflector", delta, Proof(True, why), self.trial)

    def _unaided(self) -> tuple[tuple[str, ...], str]:
        """Lessons from what is shown; where nothing is, from the model's own critique, which is kept."""
        trial = self.trial
        if trial.feedback.kind is not FeedbackKind.NONE:
            return self._said(0, ()), ""
        said = self.reflector.critique(trial.sample, trial.attempt, seed=self._seed(0))
        found = (generalised(trial.sample.question, said.lesson),) if said.wrong and said.lesson else ()
        return (
            found,
            f"its critique: {'may be wrong' if said.wrong else 'nothing speaks against it'}, {said.why}",
        )

    def about(self) -> tuple[str, ...]:
        """What there is to learn: what a wrong attempt lacks; of a right one what no bullet says yet."""
        question, feedback = self.trial.sample.question, self.trial.feedback
        if solved(feedback):
            return unspoken(question, feedback.uses, self._related())
        return teachable(question, feedback.missing)

    def _lesson(self, number: int) -> _Made:
        sample = self.trial.sample
        try:
            said = self._said(
                number, [" ".join(before) for before in self.refuted[-2:]] if number > 2 else ()
            )
        except ModelError as error:
            return _Made(failed(sample.id, "reflector", error, self.trial.episode))
        known = self._related()
        judged = [consider(text, sample, known, self.evidence, widen=not self.refuted) for text in said]
        found = tuple(op for each in judged if each.operation for op in self._released(each.operation))
        flaws = tuple(each.flaw for each in judged if each.flaw)
        left_out = "".join(f"; left out, {flaw}" for flaw in flaws)
        delta = (*self.taken, *found)
        if not found or _contents(delta) in self.refuted:
            proof = Proof(False, ("refuted before" if found else "nothing new") + left_out)
            made = proposal(sample.id, "reflector", delta or _added(said), proof, self.trial)
            return _Made(made, (), flaws)
        return self._proven("reflector", delta, left_out)._replace(flaws=flaws)

    def _released(self, operation: Operation) -> Delta:
        """What waits in quarantine and is said again is let out, under proof, instead of being added."""
        waiting = self.playbook.bullets.get(operation.id) if isinstance(operation, Add) else None
        return release(waiting) if waiting and waiting.status is Status.QUARANTINED else (operation,)

    def _edit(self, number: int) -> _Made:
        shown = self._related()[:_SHOWN_TO_CURATOR]
        try:
            said = self.curator(shown, failure=_story(self.trial), seed=self._seed(number))
        except ModelError as error:
            return _Made(failed(self.trial.sample.id, "curator", error, self.trial.episode))
        return self._proven("curator", confined(said, shown), ignored(said, shown))

    def _proven(self, author: str, delta: Delta, note: str) -> _Made:
        """Its own sample first; then what proved the bullets it changes, and a few neighbours."""
        sample, subjects = self.trial.sample, self.trial.feedback.subjects
        changed = [name for op in delta if not isinstance(op, Add) for name in touched(op)]
        near = (
            *self.evidence.proofs(changed)[:_PROOFS_OF_A_CHANGE],
            *self.evidence.neighbours(sample, subjects, self.neighbours),
        )
        others = tuple({other.id: other for other in near if other.id != sample.id}.values())
        proof = prove(delta, self.playbook, (sample,), others, self.bench)
        made = proposal(sample.id, author, delta, replace(proof, why=f"{proof.why}{note}"), self.trial)
        return _Made(made, proof.trials)

    def _said(self, number: int, refuted: Iterable[str]) -> tuple[str, ...]:
        """What the reflector says about this trial, told what the playbook knows about the question."""
        asked = stems(self.trial.sample.question)
        known = (b.content for b in self._related() if stems(b.content.partition(":")[0]) <= asked)
        lessons = self.reflector(
            self.trial.sample,
            self.trial.attempt,
            self.trial.feedback,
            about=self.about(),
            found=self.trial.found,
            known=tuple(known)[:_SHOWN_TO_REFLECTOR],
            refuted=tuple(refuted),
            flaws=self.flaws,
            temperature=_TEMPERATURES[min(number, len(_TEMPERATURES) - 1)],
            seed=self._seed(number),
        )
        question, contrast = self.trial.sample.question, self.evidence.contrast
        return tuple(contrast.worded(generalised(question, lesson), question) for lesson in lessons)

    def _related(self) -> tuple[Bullet, ...]:
        """Bullets in use on the subjects of the trial, and the lessons taken along."""
        taken = (Bullet(op.id, op.section, op.content) for op in self.taken if isinstance(op, Add))
        found = self.evidence.related(self.playbook, self.trial.feedback.subjects)
        return (*(b for b in found if b.status is Status.ACTIVE), *taken)

    def _seed(self, number: int) -> int:
        return self.bench.seed(self.trial.sample.id, number)


def proposal(subject: str, author: str, delta: Delta, proof: Proof, trial: Trial | None = None) -> Proposal:
    """The record of a proposal; lessons of one that holds cite the episodes behind it."""
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


def closer(now: Feedback, before: Feedback) -> bool:
    """The attempt is still wrong, but it ran, and less is missing from it than before."""
    return now.passed is False and bool(now.ran) and len(now.missing) < len(before.missing)


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


def _added(lessons: Iterable[str]) -> tuple[Add, ...]:
    return tuple(added(lesson) for lesson in lessons)


def _story(trial: Trial) -> str:
    feedback = trial.feedback
    lacks = f"\nIt lacks: {'; '.join(feedback.missing)}" if feedback.missing else ""
    shown = f"{feedback.expected or feedback.text}{lacks}"
    return f"Question: {trial.sample.question}\nWrong answer: {trial.attempt.answer}\n{shown}"
