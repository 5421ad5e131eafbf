"""The search for a change that makes one failed sample right: fresh lessons, then the curator's edits.

Knows one trial, the playbook it was made with, and the bench to prove things on. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ace.errors import MalformedReply, ModelError, ModelUnavailable
from ace.methods.ace.admission import REPEATS, Seen, seen, waiting
from ace.methods.ace.consider import added, consider, release
from ace.methods.ace.contrast import SPEAKS_FOR
from ace.methods.ace.coverage import teachable, texts_of, unspoken
from ace.methods.ace.curator import Curator
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import generalised, stems
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.refusals import contents
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import touched_ids
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
from ace.refine.lost_details import find_lost_facts
from ace.runs.records import Proposal, Reason
from ace.safety.injection import find_suspicion
from ace.safety.markup import quote_later_headings
from ace.task.types import Feedback, FeedbackKind

_TEMPERATURES = (0.0, 0.7, 1.0)
_SHOWN_TO_CURATOR = 8
_SHOWN_TO_REFLECTOR = 4
_PROOFS_OF_A_CHANGE = 2
_SHOWN_REFUTED = 2  # of earlier meetings, and of this one


class _Made(NamedTuple):
    """A proposal, the attempts made with it, what was wrong with lessons that were left out; those held; the
    question of a neighbour that it broke.
    """

    proposal: Proposal
    trials: tuple[Trial, ...] = ()
    flaws: tuple[str, ...] = ()
    held: tuple[Add, ...] = ()
    broke: str = ""


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
    refuted: tuple[Sequence[str], ...] = ()
    earlier: tuple[Sequence[str], ...] = ()  # refuted when the sample was met before, and still known to be
    flaws: tuple[str, ...] = ()  # of the last try's lessons, in words
    clashes: tuple[tuple[str, str], ...] = ()  # lessons that held, and the question of a neighbour they broke
    held: tuple[Add, ...] = ()  # lessons that were not tried and must wait, see `ace.methods.ace.admission`

    def tried(self, tries: int) -> Iterator[Proposal]:
        """Proposals until one holds, at most `tries`. From the fourth on every other one is the curator's.

        A lesson that brought the attempt closer to the right answer is taken along: the next try learns what
        is still missing, from the attempt that was made with it. What had to be held back goes into
        quarantine with what holds, or else by a proposal of its own, the last one.
        """
        state = self
        for number in range(tries):
            curating = number >= 3 and number % 2 and state._related()
            made, trials, flaws, held, broke = state._edit(number) if curating else state._lesson(number)
            state = replace(state, held=(*state.held, *held))
            if made.outcome == "accepted":
                yield replace(made, delta=(*made.delta, *waiting(state.held, self.playbook)))
                return
            yield made
            state = replace(state, refuted=(*state.refuted, contents(made.delta)), flaws=flaws)
            state = state._clashing(made.delta, broke)
            if trials and closer(trials[0].feedback, state.trial.feedback):
                state = replace(state, trial=trials[0], taken=made.delta, refuted=(), flaws=())
        if delta := waiting(state.held, self.playbook):
            why = "quarantined: it must wait for a person, or for an attempt at another sample"
            yield Proposal(
                self.trial.sample.id,
                "reflector",
                delta,
                "accepted",
                why,
                (self.trial.episode,),
                reason=Reason.QUARANTINED,
            )

    def _clashing(self, delta: Delta, broke: str) -> Search:
        """What broke a neighbour is true, and said in words that the neighbour's question has as well."""
        if not broke:
            return self
        found = [said for said in contents(delta) if said not in contents(self.taken)]
        flaws = (f"{said} {SPEAKS_FOR}{broke}" for said in found)
        clashes = (*self.clashes, *((said, broke) for said in found))
        return replace(self, flaws=(*self.flaws, *flaws), clashes=clashes)

    def unproven(self, *, quarantine: bool) -> Proposal:
        """The first lesson as it comes; in quarantine where nothing that is shown could ever prove it."""
        try:
            lessons, critique = self._unaided()
        except ModelError as error:
            return failed(self.trial.sample.id, "reflector", error, self.trial.episode)
        if not lessons:
            return proposal(
                self.trial.sample.id,
                "reflector",
                (),
                Proof(False, critique, reason=Reason.NO_LESSON),
                self.trial,
            )
        said = _added(lessons)
        new = tuple(op for op in said if op.id not in self.playbook.bullets)
        if not new:  # and what is proven already must not go into quarantine for being said again
            return proposal(
                self.trial.sample.id,
                "reflector",
                said,
                Proof(False, "known", reason=Reason.KNOWN),
                self.trial,
            )
        flaws = {op.id: flaw for op in new if (flaw := self._seen.flaw(op.content))}
        held = tuple(Quarantine(operation.id) for operation in new if quarantine or operation.id in flaws)
        delta: Delta = (*new, *held)
        why = "nothing that is shown can prove it: quarantined" if quarantine else "kept unproven"
        why += "".join(f"; {name} is quarantined: {flaw}" for name, flaw in flaws.items())
        why += f"; {critique}" if critique else ""
        reason = Reason.QUARANTINED if quarantine else Reason.KEPT_UNPROVEN
        return proposal(self.trial.sample.id, "reflector", delta, Proof(True, why, reason=reason), self.trial)

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
        if feedback.solved:
            return unspoken(question, texts_of(feedback.facts), self._related())
        return teachable(question, texts_of(feedback.missing))

    def _lesson(self, number: int) -> _Made:
        sample = self.trial.sample
        try:
            said = self._said(number, self._unhelpful(self.refuted if number > 2 else ()))
        except ModelError as error:
            return _Made(failed(sample.id, "reflector", error, self.trial.episode))
        known, suspect = self._related(), {text: flaw for text in said if (flaw := self._seen.flaw(text))}
        fit = [text for text in said if text not in suspect]
        judged = [consider(text, sample, known, self.evidence, widen=not self.refuted) for text in fit]
        found = tuple(op for each in judged if each.operation for op in self._released(each.operation))
        flaws = tuple(each.flaw for each in judged if each.flaw)
        left_out = "".join(f"; left out, {flaw}" for flaw in flaws)
        left_out += "".join(f"; held, {text} {flaw}" for text, flaw in suspect.items())
        held = tuple(replace(added(text), provenance=(self.trial.episode,)) for text in suspect)
        flaws += tuple(f"a sentence that {flaw}" for flaw in dict.fromkeys(suspect.values()))
        delta = (*self.taken, *found)
        if not found or self._tried(delta):
            why, reason = (
                ("refuted before", Reason.REFUTED_BEFORE) if found else ("nothing new", Reason.NOTHING_NEW)
            )
            proof = Proof(False, why + left_out, reason=reason)
            made = proposal(sample.id, "reflector", delta or _added(said), proof, self.trial)
            return _Made(made, (), flaws, held)
        return self._proven("reflector", delta, left_out)._replace(flaws=flaws, held=held)

    def _released(self, operation: Operation) -> Delta:
        """What waits in quarantine and is said again is let out, under proof, instead of being added.

        Not for a sample that it repeats: that has nothing to prove it with.
        """
        if isinstance(operation, Revise) and find_suspicion(operation.content):
            return ()  # two names for one meaning may say together what neither says
        known = self.playbook.bullets.get(operation.id) if isinstance(operation, Add) else None
        if known is None or known.status is not Status.QUARANTINED:
            return (operation,)
        return () if self.evidence.tainted(known.id, self.trial.sample.id) else release(known)

    def _edit(self, number: int) -> _Made:
        shown = self._related()[:_SHOWN_TO_CURATOR]
        try:
            story = _story(self.trial, self._unhelpful(self.refuted))
            said = self.curator(shown, failure=story, seed=self._seed(number))
        except ModelError as error:
            return _Made(failed(self.trial.sample.id, "curator", error, self.trial.episode))
        kept, looked = confined(said, shown), self._seen
        suspect = [op for op in kept if isinstance(op, Add | Revise | Merge) and looked.repeated(op.content)]
        note = ignored(said, shown) + "".join(f"; held, {op.content} {REPEATS}" for op in suspect)
        cited = (self.trial.episode,)
        held = tuple(replace(op, provenance=cited) for op in suspect if isinstance(op, Add))
        delta = tuple(op for op in kept if op not in suspect)
        if self._tried(delta):
            proof = Proof(False, f"refuted before{note}", reason=Reason.REFUTED_BEFORE)
            return _Made(proposal(self.trial.sample.id, "curator", delta, proof, self.trial), held=held)
        return self._proven("curator", delta, note)._replace(held=held)

    def _tried(self, delta: Delta) -> bool:
        """It says what was refuted already, and does nothing else."""
        said = contents(delta)
        told = [list(before) for before in (*self.earlier, *self.refuted)]
        return len(said) == len(delta) and said in told

    def _unhelpful(self, refuted: Sequence[Sequence[str]]) -> list[str]:
        """For the roles: what the latest refuted edits said, those of this search last."""
        told = (*self.earlier[-_SHOWN_REFUTED:], *refuted[-_SHOWN_REFUTED:])
        return [" ".join(before) for before in told]

    def _proven(self, author: str, delta: Delta, note: str) -> _Made:
        """Its own sample first; then what proved the bullets it changes, and a few neighbours."""
        sample, subjects = self.trial.sample, self.trial.feedback.topics
        changed = [name for op in delta if not isinstance(op, Add) for name in touched_ids(op)]
        near = (
            *self.evidence.proofs(changed)[:_PROOFS_OF_A_CHANGE],
            *self.evidence.neighbours(sample, subjects, self.neighbours),
        )
        bullets = self.playbook.bullets
        revised = (bullets[op.id] for op in delta if isinstance(op, Revise) and op.id in bullets)
        gone = {name for bullet in revised for name in self.evidence.outdated(bullet.content)}
        known = {other.id: other for other in near if other.id not in gone}
        others = tuple(other for name, other in known.items() if name != sample.id)
        proof = prove(delta, self.playbook, (sample,), others, self.bench)
        made = proposal(sample.id, author, delta, replace(proof, why=f"{proof.why}{note}"), self.trial)
        return _Made(made, proof.trials, broke=proof.broke)

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
            draw=number,
            temperature=_TEMPERATURES[min(number, len(_TEMPERATURES) - 1)],
            seed=self._seed(number),
        )
        question, contrast = self.trial.sample.question, self.evidence.contrast
        worded = (contrast.worded(generalised(question, lesson), question) for lesson in lessons)
        broke = dict(self.clashes)
        return tuple(
            contrast.against(lesson, question, broke[lesson]) if lesson in broke else lesson
            for lesson in worded
        )

    def _related(self) -> tuple[Bullet, ...]:
        """Bullets in use on the subjects of the trial, and the lessons taken along."""
        taken = (Bullet(op.id, op.section, op.content) for op in self.taken if isinstance(op, Add))
        found = self.evidence.related(self.playbook, self.trial.feedback.topics)
        return (*(b for b in found if b.status is Status.ACTIVE), *taken)

    @property
    def _seen(self) -> Seen:
        """A flaw may quote the question of another sample."""
        return seen(self.trial, (flaw.partition(SPEAKS_FOR)[2] for flaw in self.flaws))

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
        reason=proof.reason,
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
    if isinstance(error, ModelUnavailable):
        reason = Reason.UNREACHABLE
    else:
        reason = Reason.UNUSABLE_REPLY if isinstance(error, MalformedReply) else Reason.REFUSED
    why = f"{type(error).__name__}: {error}"
    return Proposal(subject, author, (), "rejected", why, episodes, (said,), reason=reason)


def confined(delta: Delta, shown: Iterable[Bullet]) -> Delta:
    """A curator's operations, held to the bullets it was shown; new bullets get ids of ours. A merge that
    loses a number, a name, a unit or a denial of what it merges is left out.
    """
    known = {bullet.id: bullet for bullet in shown}
    return tuple(kept for operation in delta if (kept := _held(operation, known)) is not None)


def ignored(delta: Delta, shown: Iterable[Bullet]) -> str:
    """What `confined` left out, for the record."""
    known = {bullet.id: bullet for bullet in shown}
    left = [
        f"{op.op} {', '.join(touched_ids(op))}{_why(op, known)}" for op in delta if _held(op, known) is None
    ]
    return f"; ignored: {'; '.join(left)}" if left else ""


def _why(operation: Operation, known: Mapping[str, Bullet]) -> str:
    """What speaks against an operation, with a suspicious text itself: nothing a model said is lost.

    A merge may lose no fact. A revision may: it is how a lesson is corrected.
    """
    content = operation.content if isinstance(operation, Add | Revise | Merge) else ""
    if flaw := find_suspicion(content):
        return f" ({flaw}: {content})"
    if not isinstance(operation, Merge):
        return ""
    old = [known[name].content for name in touched_ids(operation) if name in known]
    lost = find_lost_facts(old, content)
    return f" (it loses {', '.join(lost)})" if lost else ""


def _held(operation: Operation, ids: Mapping[str, Bullet]) -> Operation | None:
    if _why(operation, ids):
        return None
    match operation:
        case Add(content=content):
            return added(" ".join(content.split()))
        case Merge(into=into, sources=sources, content=content) if into in ids and set(sources) <= ids.keys():
            others = tuple(dict.fromkeys(source for source in sources if source != into))
            line = " ".join(content.split())
            return Merge(into, others, line) if others else Revise(into, line)
        case Revise(id=name, content=content) if name in ids:
            return Revise(name, " ".join(content.split()))
        case Remove(id=name) | Quarantine(id=name) if name in ids:
            return operation
        case _:
            return None


def _added(lessons: Iterable[str]) -> tuple[Add, ...]:
    return tuple(added(lesson) for lesson in lessons)


def _story(trial: Trial, unhelpful: Sequence[str] = ()) -> str:
    feedback = trial.feedback
    lacks = f"\nIt lacks: {'; '.join(texts_of(feedback.missing))}" if feedback.missing else ""
    outcome = (
        quote_later_headings(feedback.text) if feedback.kind is FeedbackKind.EXECUTION else feedback.text
    )
    shown, answer = f"{feedback.right_answer or outcome}{lacks}", quote_later_headings(trial.attempt.answer)
    story = f"Question: {quote_later_headings(trial.sample.question)}\nWrong answer: {answer}\n{shown}"
    return "\n".join([story, *(f"This did not help: {text}" for text in unhelpful)])
