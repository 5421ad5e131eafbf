"""Search an edit that makes one failed sample right: reflect, screen the candidates, prove the best.

Knows one trial, the playbook it was made with, and a prover. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ace.errors import ModelError
from ace.methods.ace.admission import PRIVATE, collect_trial_texts, quarantine_new
from ace.methods.ace.kept_terms import KeptTerms
from ace.methods.ace.pool import Labelled
from ace.methods.ace.proof import Proof
from ace.methods.ace.proposals import add_lesson, list_contents, record_proposal, revise_lesson
from ace.methods.ace.prover import Prover
from ace.methods.ace.quarantine import release_needed
from ace.methods.ace.reflection import Case, Draft, FailureType, Reflect, Reflection, Refuted, Tag
from ace.methods.ace.witness import holds_answer
from ace.methods.failed_replies import record_failure
from ace.methods.grades import is_better
from ace.methods.protocol import Trial
from ace.playbook.delta import apply
from ace.playbook.model import Add, Bullet, Delta, Remove, Status
from ace.runs.records import Proposal, Reason
from ace.safety.copied import makes_claim
from ace.safety.injection import find_suspicion
from ace.safety.secrets import find_secrets
from ace.settings import Profile
from ace.task.team import Reader
from ace.task.types import Attempt, Sample

AUTHOR = "reflector"
_TEMPERATURES = (0.0, 0.9, 1.0)
_MOST_SHOWN = {Profile.SMALL: 4, Profile.FULL: 40}  # bullets, to a reflector
EXAMPLES = "examples"  # the section of worked examples
_LONGEST_EXAMPLE = 400  # characters
_MOST_REFUTED = 4


@dataclass(frozen=True, slots=True)
class Waiting:
    """Hold an edit that made its own sample right and waits for a witness: another sample."""

    content: str
    section: str
    """Those of the bullet that it would add."""

    sample: str
    """The id of its own sample."""

    episodes: tuple[str, ...] = ()
    """The attempt it was learned from, and the one that was made with it."""


@dataclass(slots=True)
class Search:
    """Search for one failed trial. What it found out beside proposals is kept here for the journal."""

    reflect: Reflect
    """Asks a model for a diagnosis; its profile decides when a worked example is tried."""

    prover: Prover
    """Has the trial, its playbook and its bench, and decides what holds."""

    earlier: Sequence[Refuted] = ()
    """What earlier searches for this sample refuted."""

    waiting: Sequence[Waiting] = ()
    """Edits of other samples that wait for a witness, to be tried first."""

    rivals: dict[str, Sample] = field(default_factory=dict)
    """Maps bullets with a single witness, near this sample, to that witness: one of them may be what makes it
    fail.
    """

    others: Sequence[Trial] = ()
    """Further failures to explain with it."""

    similar: Sequence[Labelled] = ()
    """Like questions with their right answers."""

    worked: str = ""
    """The right answer as like ones come by it, where they share a way."""

    suggestions: Sequence[Delta] = ()
    """What the environment itself would write down, the best first."""

    is_worded: bool = False
    """Whether the environment words lessons from right answers: it knows better than a worked example."""

    proven: Collection[tuple[str, ...]] = ()
    """The contents of suggestions that another sample of the batch has proven."""

    reader: Reader = field(default_factory=Reader)
    """Whom its lessons are for."""

    terms: KeptTerms = field(default_factory=KeptTerms)
    """Finds bullets that share terms with the question."""

    first_draw: int = 0
    """The number of the first reflection; a search after another must not ask the same again."""

    failure: FailureType | None = None
    """What the first reflection calls the failure; None where there was none."""

    tags: tuple[Tag, ...] = ()
    """Which bullets helped or did harm, by the reflections."""

    refuted: list[Refuted] = field(default_factory=list)
    """What attempts did not bear out."""

    undecided: list[Waiting] = field(default_factory=list)
    """What made the sample right and waits for a witness."""

    witnesses: dict[Delta, tuple[str, ...]] = field(default_factory=dict)
    """The samples behind what was accepted, by delta."""

    _suspects: list[Add] = field(default_factory=list)
    """Lessons that must wait for a person, or for another sample."""

    _flaws: tuple[str, ...] = ()
    """What was wrong with the latest drafts, for the next reflection."""

    @property
    def trial(self) -> Trial:
        """Return the trial that failed."""
        return self.prover.trial

    def propose(self, tries: int, rollouts: int = 1) -> Iterator[Proposal]:
        """Yield proposals until one holds: what the environment words, edits that wait for a witness, then
        what reflections give.

        There are `tries` reflections. With a small model the sample itself, as a worked example, is the first
        of two tries or more: that is what such a model learns most from. With a large one it is the last
        resort.
        """
        for suggestion in self.suggestions:
            contents = tuple(list_contents(suggestion))
            if contents in self.proven:  # if it fails all the same, it is asked again with all that is new
                yield self._record(suggestion, self.prover.screen(suggestion))
                return
            proof = self._prove(suggestion, is_vouched=True)
            yield self._record(suggestion, proof)
            if proof.holds:
                return
        for edit in self.waiting:
            add = add_lesson(edit.content, edit.section, edit.episodes)
            proof = self._prove((add,), is_waiting=True)
            yield self._record((add,), proof)
            if proof.holds:
                return
        if self.reflect.profile is Profile.SMALL and not self.is_worded:
            for proposal in self._try_example():
                yield proposal
                if proposal.outcome == "accepted":
                    return
            tries = max(min(tries, 1), tries - 1)
        contrast = self._find_contrast(rollouts)
        for number in range(self.first_draw, self.first_draw + tries):
            try:
                reflection = self._ask(number, contrast)
            except ModelError as error:
                yield record_failure(self.trial, AUTHOR, error)
                continue
            for proposal in self._try_drafts(reflection):
                yield proposal
                if proposal.outcome == "accepted":
                    return
            if not reflection.drafts and reflection.failure is not FailureType.GAP:
                break
        if self.reflect.profile is Profile.FULL and self.failure is not None and not self.others:
            for proposal in self._try_example():
                yield proposal
                if proposal.outcome == "accepted":
                    return
        if delta := quarantine_new(self._suspects, self.prover.playbook):
            yield Proposal(
                sample_id=self.trial.sample.id,
                author=AUTHOR,
                delta=delta,
                outcome="accepted",
                why="quarantined: it must wait for a person, or for an attempt at another sample",
                episodes=(self.trial.episode,),
                reason=Reason.QUARANTINED,
            )

    def _find_contrast(self, rollouts: int) -> Attempt | None:
        """Return a right attempt among `rollouts` at the same sample, if there is one."""
        for draw in range(1, rollouts):
            trial = self.prover.solve_without(draw)
            if is_better(trial, self.prover.base):
                return trial.attempt
        return None

    def _ask(self, number: int, contrast: Attempt | None) -> Reflection:
        """Ask for a diagnosis, and note what it says of the failure and of the bullets shown."""
        bullets = self._list_shown()
        case = Case(
            trial=self.trial,
            bullets=bullets,
            refuted=[*self.earlier[-_MOST_REFUTED:], *self.refuted[-_MOST_REFUTED:]],
            flaws=self._flaws,
            contrast=contrast,
            others=self.others,
            similar=self.similar,
            reader=self.reader,
        )
        reflection = self.reflect(
            case,
            draw=number,
            temperature=_TEMPERATURES[min(number, len(_TEMPERATURES) - 1)],
            seed=self.prover.bench.seed(self.trial.sample.id, number),
        )
        self.failure = self.failure or reflection.failure
        known = {bullet.id for bullet in bullets}
        self.tags = (*self.tags, *(tag for tag in reflection.tags if tag.id in known))
        return reflection

    def _list_shown(self) -> tuple[Bullet, ...]:
        """Return the bullets in use that share most with the question, as many as the profile reads well."""
        playbook, most = self.prover.playbook, _MOST_SHOWN[self.reflect.profile]
        bullets = playbook.active
        if len(bullets) <= most:
            return bullets
        nearest = self.terms.find_nearest(playbook, self.trial.sample.question, most)
        return tuple(sorted(nearest, key=playbook.make_sort_key()))

    def _try_example(self) -> Iterator[Proposal]:
        """Yield what becomes of the sample itself as a worked example: it must help another one.

        It repeats a question on purpose, so one that asks to be obeyed or lays down a rule is no example, and
        neither is one of several lines: those hold material that nobody vouches for.
        """
        question, expected = self.trial.sample.question.strip(), self.trial.feedback.expected.strip()
        content = f"{question} -> {self.worked or expected}"
        is_short = len(content) <= _LONGEST_EXAMPLE and len(content.splitlines()) == 1
        if (
            not expected
            or self.trial.sample.owner
            or not is_short
            or find_suspicion(content)
            or makes_claim(content)
        ):
            return
        delta = self._to_delta(Draft(section=self.reader.name_section(EXAMPLES), content=content))
        contents = tuple(list_contents(delta))
        if delta and not any(contents == edit.contents for edit in self.earlier):
            proof = self._prove(delta)
            if proof.reason is Reason.STILL_FAILS:
                self.refuted.append(Refuted(contents, proof.trials[0].attempt.answer))
            yield self._record(delta, proof)

    def _try_drafts(self, reflection: Reflection) -> Iterator[Proposal]:
        """Yield what becomes of each draft, the shortest first: fewer tokens for the same are better."""
        if not reflection.drafts:
            why = f"no lesson: {reflection.failure}"
            reason = Reason.NO_LESSON if reflection.failure is FailureType.GAP else Reason.NOT_A_GAP
            yield self._record((), Proof(False, why, reason=reason))
            return
        # The reflector has seen the questions of others beside the trial: a copy of one is no lesson.
        questions = [other.sample.question for other in self.others]
        questions += [other.sample.question for other in self.similar]
        texts = collect_trial_texts(self.trial, questions)
        flaws: list[str] = []
        for draft in sorted(reflection.drafts, key=lambda draft: len(draft.content)):
            # What it asks for may be hidden with a secret, and counts all the same.
            flaw = texts.find_flaw(draft.content) if draft.content else ""
            if flaw == PRIVATE:
                flaws.append(f"a text that {flaw}")
                proof = Proof(False, f"it {flaw}", reason=Reason.PRIVATE)
                yield self._record(self._to_delta(draft), proof)
                continue
            if flaw:
                flaws.append(f"a text that {flaw}")
                self._suspects.append(add_lesson(draft.content, draft.section, (self.trial.episode,)))
                continue
            yield from self._try_draft(draft, self._to_delta(draft), flaws)
        self._flaws = tuple(flaws)

    def _try_draft(self, draft: Draft, delta: Delta, flaws: list[str]) -> Iterator[Proposal]:
        """Prove what a draft would change, unless that is known or was refuted before."""
        contents = tuple(list_contents(delta))
        if find_secrets(draft.content):  # the lesson may say nothing without: that is proven, too
            safe = " ".join(contents) or draft.id
            flaws.append(f"a text of which a part looks like a secret, and is hidden: {safe}")
        beside = self.prover.playbook.contents_digest
        was_refuted = any(
            edit.contents == contents and edit.beside == beside for edit in (*self.earlier, *self.refuted)
        )
        if not delta:
            known = (add_lesson(draft.content, draft.section),) if draft.content else ()
            text = " ".join(list_contents(known)) or draft.id
            flaws.append(f"{text} is known, or cannot be changed")
            yield self._record(known, Proof(False, "nothing new", reason=Reason.NOTHING_NEW))
        elif contents and was_refuted:
            yield self._record(delta, Proof(False, "refuted before", reason=Reason.REFUTED_BEFORE))
        else:
            proof = self._prove(delta)
            if not proof.holds and proof.trials:
                answer = proof.trials[0].attempt.answer if proof.reason is Reason.STILL_FAILS else ""
                self.refuted.append(Refuted(contents, answer, beside))
            yield self._record(delta, proof)

    def _prove(self, delta: Delta, *, is_waiting: bool = False, is_vouched: bool = False) -> Proof:
        """Prove an edit, and keep what made its own sample right and cannot be decided yet.

        For an edit that waits, this sample is the witness. The environment vouches for what it words.
        """
        trial = self.trial
        content = "\n".join(list_contents(delta))
        # What was learned from one user must help another: their own questions prove nothing for everybody.
        is_key = trial.sample.owner or holds_answer(content, trial.feedback.expected, trial.sample.question)
        is_key = bool(is_key) and not is_waiting
        known = self._list_known(content)
        proof = self.prover.prove(delta, needs_witness=is_key, is_vouched=is_vouched, known=known)
        if proof.reason is Reason.STILL_FAILS and self.rivals:
            proof = self._prove_without_rivals(delta, proof, needs_witness=is_key, known=known)
        is_undecided = proof.reason in (Reason.WAITS_FOR_WITNESS, Reason.BROKE_NEIGHBOUR)
        if is_undecided and isinstance(delta[0], Add):
            episodes = (trial.episode, proof.trials[0].episode)
            self.undecided.append(Waiting(content, delta[0].section, trial.sample.id, episodes))
        return proof

    def _list_known(self, content: str) -> set[str]:
        """Return the samples whose right answers were shown to the reflector, and stand in what it wrote.

        Those of the same user are known as well. An answer that is this sample's as well is no copy.
        """
        own, owner = self.trial.feedback.expected.strip(), self.trial.sample.owner
        known = {helper.id for helper in self.prover.pool.helpers if owner and helper.owner == owner}
        for other in self.similar:
            has_own_answer = other.expected.strip() == own
            if not has_own_answer and holds_answer(content, other.expected, other.sample.question):
                known.add(other.sample.id)
        return known

    def _prove_without_rivals(
        self, delta: Delta, failed: Proof, *, needs_witness: bool, known: set[str]
    ) -> Proof:
        """Prove an edit together with the removal of a bullet that only one other sample speaks for.

        One attempt without all of them tells whether that is worth a try; it is made once in a search.
        """
        rivals, self.rivals = self.rivals, {}
        without_all, _ = apply(self.prover.playbook, (*delta, *map(Remove, rivals)))
        if not is_better(self.prover.bench.solve(self.trial.sample, without_all), self.prover.base):
            return failed
        for name, witness in rivals.items():
            together = (*delta, Remove(name))
            proof = self.prover.prove(together, needs_witness=needs_witness, guards=(witness,), known=known)
            if proof.reason is not Reason.STILL_FAILS:
                return replace(proof, delta=together)
        return failed

    def _to_delta(self, draft: Draft) -> Delta:
        """Return the operations of a draft; none, where it says what is there, or touches what it may not."""
        bullets = self.prover.playbook.bullets
        target = bullets.get(draft.id)
        if draft.op == "add" or target is None:
            add = add_lesson(draft.content, draft.section)
            twin = bullets.get(add.id)
            if draft.op == "remove" or (twin is not None and twin.status is Status.ACTIVE):
                return ()
            if twin is not None and twin.status is Status.QUARANTINED:
                return release_needed(twin, self.trial, self.prover.playbook, self.prover.bench).delta
            return (add,)
        if target.pinned or target.status is not Status.ACTIVE:
            return ()
        if draft.op == "remove":
            return (Remove(target.id),)
        revision = revise_lesson(target.id, draft.content, target.provenance)
        return () if revision.content == target.content else (revision,)

    def _record(self, delta: Delta, proof: Proof) -> Proposal:
        """Return a proposal with its proof; one that holds takes the suspects along, in quarantine."""
        proposal = record_proposal(self.trial, AUTHOR, proof.delta or delta, proof)
        waiting = quarantine_new(self._suspects, self.prover.playbook) if proof.holds else ()
        proposal = replace(proposal, delta=(*proposal.delta, *waiting))
        if proof.holds:
            self.witnesses[proposal.delta] = proof.witnesses
        return proposal
