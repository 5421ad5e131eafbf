"""Remember a run: evidence, outcomes, what waits for a witness, bullets that must prove themselves again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ace.methods.ace.admission import collect_texts, list_private
from ace.methods.ace.chance import NO_CONTROLS, Chance, read_opening
from ace.methods.ace.composed import Compose
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.kept_terms import KeptTerms
from ace.methods.ace.pool import SampleMap
from ace.methods.ace.reflection import FailureType, Refuted
from ace.methods.ace.reopened import Reopened
from ace.methods.ace.search import Search, Waiting
from ace.methods.grades import grade
from ace.methods.protocol import Lab, Trial
from ace.playbook.model import Bullet, Delta, Playbook, Status
from ace.runs.records import Proposal
from ace.runs.steps import Notes, SampleResult
from ace.task.team import Team
from ace.task.types import Sample
from ace.task.wording import Suggest, Wording

if TYPE_CHECKING:
    from ace.methods.ace.consolidation import Sections
    from ace.methods.ace.refining import Refining


@dataclass(frozen=True, slots=True)
class Lesson:
    """Hold a trial and every proposal that it led to; at most one of a search is accepted."""

    trial: Trial
    proposals: tuple[Proposal, ...] = ()
    """In the order they were made, those on reopened bullets first."""

    search: Search | None = None
    """That which made the proposals, where it was one of the general kind."""

    suspect: bool = False
    """Its label goes against proven bullets."""

    witnesses: Mapping[Delta, Sequence[str]] = field(default_factory=dict)
    """The samples behind what was accepted, by delta, where others than its own are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonNotes:
    """Hold what the journal keeps of a sample beside its result."""

    cause: str = ""
    """Why it failed, for the report (see `credit.Cause`)."""

    reflections: int = 0
    """How many proposals did not help; 0 where one did."""

    situation: str = ""
    """Identifies what the playbook said of it (see `refusals`)."""

    refuted: Sequence[Sequence[str]] = ()
    """The contents that attempts refuted in this situation."""

    unhelpful: Sequence[str] = ()
    """The ids of waiting bullets of which no part made it right."""

    score: float | None = None
    """What was shown of it, where that is neither 0 nor 1."""

    failure: FailureType | None = None
    """What a reflector says of it."""

    controls: Chance = NO_CONTROLS
    """How attempts without a lesson came out."""

    edits: Sequence[Refuted] = ()
    """What was refuted, with the answers and the bullets beside it."""

    waiting: Sequence[Waiting] = ()
    """What made it right and waits for another sample."""

    suspect: bool = False
    """Its label goes against proven bullets."""

    episode: str = ""
    """The id of the attempt's record, where its right answer is to be found there."""

    def to_json(self) -> Notes:
        """Return the notes of a `SampleResult`."""
        # What most samples have nothing of is left out, so that a journal stays small.
        notes: dict[str, Any] = {
            "cause": str(self.cause),
            "reflections": self.reflections,
            "situation": self.situation,
            "refuted": [list(contents) for contents in self.refuted],
        }
        if self.unhelpful:
            notes["unhelpful"] = list(self.unhelpful)
        if self.score is not None:
            notes["score"] = self.score
        if self.failure:
            notes["diagnosis"] = str(self.failure)
        if self.controls.controls:
            notes["controls"] = [self.controls.controls, self.controls.right]
        if self.edits:
            notes["edits"] = [asdict(edit) for edit in self.edits]
        if self.waiting:
            notes["waiting"] = [asdict(edit) for edit in self.waiting]
        if self.suspect:
            notes["suspect"] = True
        if self.episode:
            notes["episode"] = self.episode
        return notes

    @classmethod
    def from_json(cls, notes: Notes) -> LessonNotes:
        """Read what `to_json` wrote, in this release or an earlier one."""
        return cls(
            cause=notes.get("cause", ""),
            reflections=notes.get("reflections", 0),
            situation=notes.get("situation", ""),
            refuted=notes.get("refuted", ()),
            unhelpful=notes.get("unhelpful", ()),
            score=notes.get("score"),
            failure=FailureType(notes["diagnosis"]) if "diagnosis" in notes else None,
            controls=Chance(*notes.get("controls", (0, 0))),
            edits=[
                Refuted(tuple(edit["contents"]), edit["answer"], edit["beside"])
                for edit in notes.get("edits", ())
            ],
            waiting=[
                Waiting(**{**edit, "episodes": tuple(edit["episodes"])}) for edit in notes.get("waiting", ())
            ],
            suspect=notes.get("suspect", False),
            episode=notes.get("episode", ""),
        )


@dataclass(slots=True)
class AceState:
    """Fold the steps of a run: what the learner knows of it beside the playbook."""

    samples: Sequence[Sample]
    """Those of the task for training; none where questions are not known before they are asked."""

    first_playbook: Playbook
    """What the run began with; refinement does not compare it with itself."""

    evidence: Evidence
    """Which samples prove which bullet."""

    make_wording: Callable[[], Wording] | None = None
    """Makes what knows the words of lessons, anew after a change of the world; None unless a small model puts
    the facts of its environment into words.
    """

    suggest: Suggest | None = None
    """Words lessons for a sample from its right answer and those of others; None where the environment does
    not.
    """

    compose: Compose | None = None
    """Makes one question of two; None where the environment does not, or the run does not ask for it."""

    team: Team | None = None
    """The agents that make the attempts, where there are several."""

    taught: set[str] = field(default_factory=set)
    """Samples that proved a bullet."""

    reopened: Reopened = field(default_factory=dict)
    """Bullets that must prove themselves again after a change."""

    refining: Refining | None = None
    """What was compared already, from the first refinement on."""

    sections: Sections = field(default_factory=dict)
    """What each section said when it was last said anew."""

    map: SampleMap = field(default_factory=SampleMap)
    """Every sample, its latest outcome, and which are near it."""

    terms: KeptTerms = field(default_factory=KeptTerms)
    """Finds bullets that share terms with a question."""

    chance: Chance = NO_CONTROLS
    """The controls of this run."""

    opening: Chance | None = None
    """What the first batch says of chance for want of controls; None before it."""

    edits: dict[str, list[Refuted]] = field(default_factory=dict)
    """What was refuted, by sample."""

    waiting: dict[str, Waiting] = field(default_factory=dict)
    """What waits for a witness, by content."""

    failures: Counter[FailureType] = field(default_factory=Counter)
    """How often a reflector named each kind."""

    barren: int = 0
    """Failures in a row that were reflected on and taught nothing."""

    suspects: dict[str, None] = field(default_factory=dict)
    """Samples whose label goes against proven bullets, as an ordered set."""

    @classmethod
    def at(
        cls,
        samples: Sequence[Sample],
        playbook: Playbook,
        lab: Lab,
        *,
        make_wording: Callable[[], Wording] | None = None,
        suggest: Suggest | None = None,
        compose: Compose | None = None,
        team: Team | None = None,
    ) -> AceState:
        """Return a state that knows the questions and the topics of bullets; nothing proves anything yet."""
        state = cls(samples, playbook, Evidence(), make_wording, suggest, compose, team)
        state.map.add(samples)
        state.forget_evidence(playbook, lab)
        return state

    def meet(self, batch: Sequence[Trial]) -> tuple[list[Trial], tuple[str, ...]]:
        """Take in the samples of a batch. Return its trials with what belongs to single users, and that."""
        for trial in batch:
            if trial.provable:
                self.evidence.add_sample(trial.sample)
                self.map.add((trial.sample,))
                self.map.record(trial.sample.id, grade(trial.feedback), trial.feedback.topics)
                self.map.record_label(trial.sample.id, trial.feedback)
        private = list_private(batch, self.map.labelled.values())
        return [replace(trial, private=private) for trial in batch], private

    def take_in(self, result: SampleResult, notes: LessonNotes) -> None:
        """Fold what a step says of one sample: its outcome, chance, what was refuted, what waits.

        A sample that proves a bullet is right from then on, see `take_in_proofs`.
        """
        name = result.sample
        score = None if result.right is None else float(result.right)
        if score == 0.0 and notes.score is not None:
            score = notes.score
        self.map.record(name, score, result.topics)
        self.chance += notes.controls
        if notes.failure:
            self.failures[notes.failure] += 1
        if notes.failure or notes.reflections:
            self.barren += 1
        if notes.edits:
            self.edits.setdefault(name, []).extend(notes.edits)
        self.waiting.update((edit.content, edit) for edit in notes.waiting)
        if notes.suspect:
            self.suspects[name] = None

    def take_in_proofs(self, bullet: Bullet, samples: Sequence[str]) -> None:
        """Fold in which samples prove a bullet: they are right with it, and it waits no more."""
        self.evidence.record_proofs(bullet, samples)
        for name in samples:
            self.map.record(name, 1.0, self.map.topics.get(name, ()))
            self.barren = 0
        if bullet.status is Status.ACTIVE:
            self.waiting.pop(bullet.content, None)

    def count_chance(self, batch: Sequence[Trial]) -> Chance:
        """Return the controls of the run so far, with what its first batch says; `batch` may be the first."""
        opening = self.opening
        if opening is None:
            opening = read_opening(trial.feedback.is_solved for trial in batch if not trial.recorded)
        return self.chance + opening

    def list_waiting(self, sample: Sample, most: int = 2) -> list[Waiting]:
        """Return the edits that wait for a witness and were learned from samples nearest to this one."""
        by_sample = {}
        for edit in self.waiting.values():
            source = self.map.samples.get(edit.sample)
            if (
                not sample.owner or source is None or source.owner != sample.owner
            ):  # another user must witness
                by_sample[edit.sample] = edit
        return [by_sample[name] for name in self.map.rank(sample, by_sample)[:most]]

    def list_rivals(self, sample: Sample, playbook: Playbook, most: int = 3) -> dict[str, Sample]:
        """Return bullets in use that one other sample alone speaks for, near this one, with that sample."""
        single = self.evidence.list_single(playbook)
        near = self.map.rank(sample, single)[:most]
        return {single[name]: self.map.samples[name] for name in near}

    def forget_evidence(self, playbook: Playbook, lab: Lab) -> None:
        """Start the evidence anew: what earlier samples showed is no longer to be counted on."""
        self.evidence = Evidence(self.samples, self.make_wording() if self.make_wording else None)
        self.map.forget()
        self.waiting.clear()
        self.edits.clear()
        for bullet in playbook:
            self.evidence.record_proofs(bullet, ())
        self.taint_waiting(playbook, lab)

    def taint_waiting(self, bullets: Iterable[Bullet], lab: Lab) -> None:
        """Mark the samples that cannot prove a bullet in quarantine, because it repeats a text of theirs."""
        waiting = [bullet for bullet in bullets if bullet.status is Status.QUARANTINED]
        cited = {name for bullet in waiting for name in bullet.provenance}
        if not cited:
            return
        episodes = {episode.id: episode for episode in lab.episodes(cited)}
        for bullet in waiting:
            for name in bullet.provenance:
                episode = episodes.get(name)
                if episode is None:
                    continue
                texts = collect_texts(episode.question, episode.attempt, episode.feedback)
                if texts.has_copied(bullet.content):
                    self.evidence.tainted.setdefault(bullet.id, set()).add(episode.sample_id)
