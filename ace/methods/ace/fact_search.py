"""Search for words for the facts that one failed sample lacks: fresh lessons, then the curator's edits.

For environments with a wording, see `ace.task.wording`. Knows one trial, the playbook it was made with, and
the bench to prove things on. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ace.errors import ModelError
from ace.llm.prompts import question as quote_question
from ace.methods.ace.admission import PRIVATE, REPEATS, SourceTexts, collect_trial_texts, quarantine_new
from ace.methods.ace.curator import Curator, confine_delta
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import add_lesson, list_contents, record_proposal, revise_lesson
from ace.methods.ace.quarantine import release_needed
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.unproven import accept_unproven
from ace.methods.failed_replies import record_failure
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Bullet, Delta, Merge, Operation, Playbook, Revise, Status
from ace.runs.records import Proposal, Reason
from ace.safety.injection import find_suspicion
from ace.safety.markup import quote_later_headings
from ace.task.types import Feedback, FeedbackKind, Sample
from ace.task.wording import Advice, Flaw, Line, Wording, list_texts

_TEMPERATURES = (0.0, 0.7, 1.0)
_MOST_FOR_CURATOR = 8  # bullets
_MOST_FOR_REFLECTOR = 4  # bullets
_MOST_REFUTED = 2  # of earlier meetings, and of this one
_PROOFS_OF_A_CHANGE = 2


class _Try(NamedTuple):
    """Hold one proposal and what came of it.

    `trials`: the attempts made with it, that at its own sample first.
    `flaws`: what was wrong with lessons that were left out.
    `waiting`: lessons that must wait for a person, or for another sample.
    `broke`: the question of a neighbour that it broke.
    """

    proposal: Proposal
    trials: tuple[Trial, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    waiting: tuple[Add, ...] = ()
    broke: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSearch:
    """Search a lesson for one failed trial; a try that failed leads to a new state of the search."""

    reflector: Reflector
    """Puts what is missing into words."""

    curator: Curator
    """Edits what is there, from the fourth try on."""

    neighbours: int
    """How many near samples that were right must stay so."""

    trial: Trial
    """The failed attempt that is learned from: the first one, or one that came closer."""

    playbook: Playbook
    """That which the first trial was made with."""

    bench: Bench
    """Makes the attempts."""

    evidence: Evidence
    """Which samples prove which bullets."""

    wording: Wording
    """Knows the words of lessons."""

    taken: Delta = ()
    """Lessons that brought the attempt closer to the right answer."""

    refuted: tuple[Sequence[str], ...] = ()
    """Contents of edits that did not help since then."""

    earlier: tuple[Sequence[str], ...] = ()
    """Those refuted in earlier meetings, while the playbook said the same."""

    flaws: tuple[Flaw, ...] = ()
    """What was wrong with the lessons of the last try."""

    clashes: tuple[tuple[str, str], ...] = ()
    """Lessons that held, each with the question of a neighbour that it broke."""

    waiting: tuple[Add, ...] = ()
    """Lessons that were not tried and must wait (see `admission`)."""

    def propose(self, tries: int) -> Iterator[Proposal]:
        """Yield proposals until one holds, at most `tries`. From the fourth on every other is the curator's.

        A lesson that brought the attempt closer to the right answer is taken along: the next try learns what
        is still missing, from the attempt that was made with it. What must wait goes into quarantine with
        what holds, or else by a proposal of its own, the last one.
        """
        search = self
        for number in range(tries):
            asks_curator = number >= 3 and number % 2 and search._list_bullets()
            attempt = search._try_edit(number) if asks_curator else search._try_lesson(number)
            search = replace(search, waiting=(*search.waiting, *attempt.waiting))
            proposal = attempt.proposal
            if proposal.outcome == "accepted":
                yield replace(
                    proposal, delta=(*proposal.delta, *quarantine_new(search.waiting, self.playbook))
                )
                return
            yield proposal
            search = search._learn_from(attempt)
        if delta := quarantine_new(search.waiting, self.playbook):
            yield Proposal(
                sample_id=self.trial.sample.id,
                author="reflector",
                delta=delta,
                outcome="accepted",
                why="quarantined: it must wait for a person, or for an attempt at another sample",
                episodes=(self.trial.episode,),
                reason=Reason.QUARANTINED,
            )

    def propose_unproven(self, *, quarantine: bool) -> Proposal:
        """Return the first lesson as it comes; in quarantine where nothing that is shown could prove it."""
        trial, wording = self.trial, self.wording
        lessons: tuple[str, ...] = ()
        verdict = ""
        try:
            if trial.feedback.kind is FeedbackKind.NONE:  # all there is to go by is the model's own critique
                seed = self.bench.seed(trial.sample.id, 0)
                critique = self.reflector.critique(
                    trial.sample, trial.attempt, prompts=wording.prompts, seed=seed
                )
                verdict = critique.verdict
                if critique.wrong and critique.lesson:
                    lessons = (wording.adapt(critique.lesson, trial.sample.question, narrow=False),)
            else:
                lessons = self._ask_lessons(0, ())
        except ModelError as error:
            return record_failure(trial, "reflector", error)
        return accept_unproven(
            trial,
            self.playbook,
            tuple(map(add_lesson, lessons)),
            self._collect_texts(),
            critique=verdict,
            quarantine=quarantine,
        )

    def list_parts_to_learn(self) -> tuple[str, ...]:
        """Return what there is to learn: what a wrong attempt lacks, or no bullet says of a right one."""
        question, feedback = self.trial.sample.question, self.trial.feedback
        if feedback.is_solved:
            contents = [bullet.content for bullet in self._list_bullets()]
            return self.wording.list_unspoken(question, list_texts(feedback.facts), contents)
        return self.wording.list_unspoken(question, list_texts(feedback.missing))

    def _learn_from(self, attempt: _Try) -> FactSearch:
        """Return the search after a try that failed."""
        delta = attempt.proposal.delta
        if attempt.trials and is_closer(attempt.trials[0].feedback, self.trial.feedback):
            search = replace(self, trial=attempt.trials[0], taken=delta, refuted=(), flaws=())
        else:
            refuted = (*self.refuted, list_contents(delta))
            search = replace(self, refuted=refuted, flaws=attempt.flaws)
        if not attempt.broke:
            return search
        # What broke a neighbour is true, and said in words that the neighbour's question has as well.
        known = list_contents(self.taken)
        contents = [content for content in list_contents(delta) if content not in known]
        flaws = [Flaw.speaks_for(content, attempt.broke) for content in contents]
        clashes = [(content, attempt.broke) for content in contents]
        return replace(search, flaws=(*search.flaws, *flaws), clashes=(*search.clashes, *clashes))

    def _try_lesson(self, number: int) -> _Try:
        """Let the reflector word what is missing, and prove it beside what was taken before."""
        trial = self.trial
        try:
            lessons = self._ask_lessons(number, self._list_unhelpful(self.refuted if number > 2 else ()))
        except ModelError as error:
            return _Try(record_failure(trial, "reflector", error))
        texts, bullets = self._collect_texts(), self._list_bullets()
        suspects = {}  # lesson -> why it must wait
        for lesson in lessons:
            suspicion = texts.find_flaw(lesson)
            if suspicion:
                suspects[lesson] = suspicion
        operations: list[Operation] = []
        flaws: list[Flaw] = []
        lines = [Line(bullet.id, bullet.content) for bullet in bullets]
        for lesson in lessons:
            if lesson in suspects:
                continue
            advice = self.wording.consider(lesson, trial.sample, lines, widen=not self.refuted)
            operations += self._follow(advice, bullets)
            if advice.flaw:
                flaws.append(advice.flaw)

        note = "".join(f"; left out, {flaw.text}" for flaw in flaws)
        note += "".join(f"; held, {lesson} {flaw}" for lesson, flaw in suspects.items())
        flaws += [Flaw(f"a sentence that {flaw}") for flaw in dict.fromkeys(suspects.values())]
        waiting = tuple(
            add_lesson(lesson, provenance=(trial.episode,))
            for lesson, flaw in suspects.items()
            if flaw != PRIVATE
        )
        delta = (*self.taken, *operations)
        if not operations:
            proof = Proof(False, f"nothing new{note}", reason=Reason.NOTHING_NEW)
            delta = delta or tuple(map(add_lesson, lessons))
        elif self._was_refuted(delta):
            proof = Proof(False, f"refuted before{note}", reason=Reason.REFUTED_BEFORE)
        else:
            return self._prove("reflector", delta, note)._replace(flaws=tuple(flaws), waiting=waiting)
        proposal = record_proposal(trial, "reflector", delta, proof)
        return _Try(proposal, flaws=tuple(flaws), waiting=waiting)

    def _follow(self, advice: Advice, bullets: Sequence[Bullet]) -> Delta:
        """Return the operation that is advised, or what lets out a bullet in quarantine that it would add
        again.

        A bullet cannot be proven on a sample that it repeats; there nothing is left to try.
        """
        if not advice.text:
            return ()
        if advice.id:
            if find_suspicion(advice.text):
                return ()  # two names for one meaning may say together what neither says
            cited = next(bullet.provenance for bullet in bullets if bullet.id == advice.id)
            return (revise_lesson(advice.id, advice.text, cited),)
        operation = add_lesson(advice.text)
        bullet = self.playbook.bullets.get(operation.id)
        if bullet is None or bullet.status is not Status.QUARANTINED:
            return (operation,)
        tainted = self.trial.sample.id in self.evidence.tainted.get(bullet.id, ())
        return () if tainted else release_needed(bullet, self.trial, self.playbook, self.bench).delta

    def _try_edit(self, number: int) -> _Try:
        """Let the curator edit the nearest bullets, and prove what it changed."""
        trial, bullets = self.trial, self._list_bullets()[:_MOST_FOR_CURATOR]
        try:
            story = _describe_failure(trial, self._list_unhelpful(self.refuted))
            reply = self.curator(bullets, failure=story, seed=self.bench.seed(trial.sample.id, number))
        except ModelError as error:
            return _Try(record_failure(trial, "curator", error))
        texts, delta, waiting = self._collect_texts(), list[Operation](), list[Add]()
        confined, note = confine_delta(reply, bullets)
        for operation in confined:
            if isinstance(operation, Add | Revise | Merge) and texts.is_private(operation.content):
                note += f"; left out, {operation.content} {PRIVATE}"
                continue
            if not isinstance(operation, Add | Revise | Merge) or not texts.has_copied(operation.content):
                delta.append(operation)
                continue
            note += f"; held, {operation.content} {REPEATS}"
            if isinstance(operation, Add):
                waiting.append(replace(operation, provenance=(trial.episode,)))
        if self._was_refuted(tuple(delta)):
            proof = Proof(False, f"refuted before{note}", reason=Reason.REFUTED_BEFORE)
            proposal = record_proposal(trial, "curator", tuple(delta), proof)
            return _Try(proposal, waiting=tuple(waiting))
        return self._prove("curator", tuple(delta), note)._replace(waiting=tuple(waiting))

    def _was_refuted(self, delta: Delta) -> bool:
        """Return whether a delta says what was refuted already, and does nothing else."""
        contents = list_contents(delta)
        refuted = [list(texts) for texts in (*self.earlier, *self.refuted)]
        return len(contents) == len(delta) and contents in refuted

    def _list_unhelpful(self, refuted: Sequence[Sequence[str]]) -> list[str]:
        """Return for the roles what the latest refuted edits said, those of this search last."""
        latest = (*self.earlier[-_MOST_REFUTED:], *refuted[-_MOST_REFUTED:])
        return [" ".join(contents) for contents in latest]

    def _prove(self, author: str, delta: Delta, note: str) -> _Try:
        """Try a delta on its own sample, then on what proved the bullets it changes, and a few neighbours."""
        sample, evidence, bullets = self.trial.sample, self.evidence, self.playbook.bullets
        changed = [name for op in delta if not isinstance(op, Add) for name in touched_ids(op)]
        near = evidence.neighbours(sample, self.trial.feedback.topics, self.neighbours)
        others: dict[str, Sample] = {}
        for witness in (*evidence.proofs(changed)[:_PROOFS_OF_A_CHANGE], *near):
            if witness.id != sample.id:
                others[witness.id] = witness
        for operation in delta:
            if isinstance(operation, Revise) and operation.id in bullets:
                for name in self.wording.list_outdated(bullets[operation.id].content):
                    others.pop(name, None)
        proof = prove(delta, self.playbook, (sample,), tuple(others.values()), self.bench)
        proposal = record_proposal(self.trial, author, delta, replace(proof, why=f"{proof.why}{note}"))
        return _Try(proposal, proof.trials, broke=proof.broke)

    def _ask_lessons(self, number: int, refuted: Sequence[str]) -> tuple[str, ...]:
        """Return what the reflector says of this trial; it is told what the playbook says on the question."""
        trial, wording = self.trial, self.wording
        question = trial.sample.question
        parts = self.list_parts_to_learn()
        if number:  # alone they did not help
            parts = wording.combine(parts, list_texts(trial.feedback.facts)) or parts
        lessons = []
        for part in () if number else parts:  # words that the samples seen agree on need no model
            if words := wording.suggest(part, question):
                lessons.append(f"{words}: {part}.")
                parts = tuple(other for other in parts if other != part)
        if parts or not lessons:
            known = wording.list_known(question, (bullet.content for bullet in self._list_bullets()))
            lessons += self.reflector(
                trial.sample,
                trial.attempt,
                trial.feedback,
                prompts=wording.prompts,
                about=[wording.adapt(part, question, narrow=False) for part in parts],
                answer_location=trial.answer_location,
                known=known[:_MOST_FOR_REFLECTOR],
                refuted=tuple(refuted),
                flaws=[flaw.text for flaw in self.flaws],
                draw=number,
                temperature=_TEMPERATURES[min(number, len(_TEMPERATURES) - 1)],
                seed=self.bench.seed(trial.sample.id, number),
            )
        broke = dict(self.clashes)
        worded = []
        for lesson in lessons:
            if any(flaw.text in lesson for flaw in self.flaws):
                continue  # it repeats what it was told
            text = wording.adapt(lesson, question)
            worded.append(wording.separate(text, question, broke[text]) if text in broke else text)
        return tuple(worded)

    def _list_bullets(self) -> tuple[Bullet, ...]:
        """Return bullets in use on the topics of the trial, and the lessons taken along."""
        on_topic = self.evidence.bullets_on(self.playbook, self.trial.feedback.topics)
        taken = (Bullet(op.id, op.section, op.content) for op in self.taken if isinstance(op, Add))
        return (*(bullet for bullet in on_topic if bullet.status is Status.ACTIVE), *taken)

    def _collect_texts(self) -> SourceTexts:
        """Return the texts that stood beside the trial. A flaw may quote the question of another sample."""
        return collect_trial_texts(self.trial, (flaw.question for flaw in self.flaws))


def is_closer(now: Feedback, before: Feedback) -> bool:
    """Return whether an attempt that is still wrong ran, and less is missing from it than before."""
    return now.passed is False and bool(now.ran) and len(now.missing) < len(before.missing)


def _describe_failure(trial: Trial, unhelpful: Sequence[str]) -> str:
    """Tell the curator the question, the wrong answer, and what is known of the right one."""
    feedback = trial.feedback
    outcome = feedback.text
    if feedback.kind is FeedbackKind.EXECUTION:
        outcome = quote_later_headings(outcome)
    lines = [
        f"Question: {quote_question(trial.sample.question)}",
        f"Wrong answer: {quote_later_headings(trial.attempt.answer)}",
        feedback.right_answer or outcome,
    ]
    if feedback.missing:
        lines.append(f"It lacks: {'; '.join(list_texts(feedback.missing))}")
    lines += [f"This did not help: {text}" for text in unhelpful]
    return "\n".join(lines)
