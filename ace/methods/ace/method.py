"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it.

For a failed sample the search goes over several tries (see `lesson_search`); the first proposal that makes
the sample right without breaking its neighbours is kept, the others are recorded with the attempts that
refuted them. A sample that was right although no bullet says why was lucky, and is learned from in the same
way. After an epoch bullets that contradict what was seen are reconsidered, and what stands twice is merged,
under the same proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ace.context.render import Rendered, render_playbook
from ace.llm.role_models import RoleModels
from ace.methods.ace import batch_credit
from ace.methods.ace.admission import guarded
from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.contested_lessons import settle_contested
from ace.methods.ace.curation import Curation
from ace.methods.ace.curator import Curator
from ace.methods.ace.group_merging import merge_groups
from ace.methods.ace.lesson_search import Search
from ace.methods.ace.proofs_of import authors_of, proofs_of
from ace.methods.ace.quarantine import released
from ace.methods.ace.refining import Refining
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.refusals import earlier
from ace.methods.ace.reopened import reopened, still_open, weighed
from ace.methods.ace.state import AceState, Lesson, LessonNotes
from ace.methods.equipment import Equipment
from ace.methods.protocol import Chores, Lab, Moment, Trial, Update
from ace.playbook.delta import apply
from ace.playbook.model import Playbook
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import Proposal
from ace.runs.steps import PhaseKind, StepRecord
from ace.settings import Settings
from ace.task.types import Sample, Task
from ace.text import CountTokens, estimate_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """The method. `tries` proposals for each failed sample, `neighbours` earlier samples to keep right.

    `verify` False keeps every first lesson unproven (the ablation). `cite` shows the generator the ids of
    bullets. `select` chooses when not all of them fit.
    """

    reflector: Reflector
    curator: Curator
    settings: Settings
    count_tokens: CountTokens = estimate_tokens
    select: HybridSelector | None = None
    name: str = "ace"

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> AceState:
        """Return a state that knows the training questions and where the bullets are."""
        newest_wins = lab.online and self.settings.drift
        return AceState.at(task.train, playbook, lab, newest_wins=newest_wins)

    def context(self, state: AceState, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the whole playbook where it fits; else what `select` chooses for the question, or the
        oldest.
        """
        whole = render_playbook(playbook, room, self.count_tokens, ids=self.settings.cite)
        if self.select is None or not whole.left_out:
            return whole
        return self.select(playbook, sample.question, room, self.count_tokens, ids=self.settings.cite)

    def learn(self, state: AceState, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Search a lesson for every trial that may teach one, and put what holds into one delta."""
        for trial in batch:
            if trial.provable:
                state.evidence.meet(trial.sample)
        study = partial(self._study, state, playbook, lab)
        lessons = list(lab.map(study, batch, lambda trial: lab.bench_of(trial).calls_for))
        lessons = merge_groups(lessons, playbook, lab)
        proposals = tuple(proposal for lesson in lessons for proposal in lesson.proposals)
        votes = batch_credit.cast_votes([lesson.trial for lesson in lessons], playbook, state.evidence)
        delta, ids = combine_accepted(proposals)
        changes = guarded(delta, playbook)
        notes = [batch_credit.notes_on(lesson, playbook, state.evidence) for lesson in lessons]
        measured = batch_credit.measure_bullets(batch, notes, playbook, lab)
        return Update(
            delta=votes + changes,
            proposals=proposals,
            author=authors_of(proposals) if changes else batch_credit.AUTHOR,
            proofs=proofs_of(_provers(lessons), ids),
            sample_notes=[note.to_json() for note in measured],
        )

    def maintain(self, state: AceState, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Curate and refine after an epoch; decide what is contested before a version is selected."""
        if moment is Moment.SELECTION:
            return (yield from settle_contested(state, playbook, lab, number))
        curation = Curation(self.reflector, self.curator, state, self.settings)
        playbook = yield from curation.chores(playbook, number)
        if moment is Moment.EPOCH and self.settings.refine:
            refining = state.refining or Refining(state.first_playbook)
            state.refining = refining
            playbook = yield from refining.refine(state, playbook, number)
        return playbook

    def replay(self, state: AceState, step: StepRecord, playbook: Playbook, lab: Lab) -> AceState:
        """Take in a committed step: outcomes, proofs, refuted edits, and what is still open after a
        change.
        """
        state.taught |= step.taught
        if step.phase.kind is PhaseKind.DRIFT:
            state.reopened = reopened(playbook)
            state.forget_evidence(playbook, lab)
            return state
        if step.phase.learns:
            self._take_in_results(state, step)
        bullets = {name: playbook.bullets[name] for name in step.proofs if name in playbook.bullets}
        for name, bullet in bullets.items():
            state.evidence.kept(bullet, step.proofs[name])
        state.taint_waiting(bullets.values(), lab)
        state.reopened = still_open(state.reopened, playbook)
        return state

    def _take_in_results(self, state: AceState, step: StepRecord) -> None:
        evidence = state.evidence
        for result in step.results:
            notes = LessonNotes.from_json(result.notes)
            evidence.saw(result.sample, result.topics, result.right, result.facts)
            evidence.reflections[result.sample] += notes.reflections
            evidence.refutes(result.sample, notes.situation, notes.refuted)
            if result.right or result.sample in step.taught or notes.contested:
                state.contested[result.sample] = notes.contested

    def _study(self, state: AceState, playbook: Playbook, lab: Lab, trial: Trial) -> Lesson:
        """Return what one trial teaches."""
        if (
            trial.recorded
            and trial.provable
            and trial.sample.id in state.taught
            and lab.phase.kind is PhaseKind.TRACES
        ):
            return Lesson(trial)  # the playbook knows what this attempt did not
        if batch_credit.is_spoiled(trial):
            return Lesson(trial)
        if batch_credit.was_bad_luck(trial, playbook, state.evidence, lab):
            return Lesson(trial, unlucky=True)
        decided = tuple(weighed(trial, state.reopened))
        rest, _ = apply(playbook, (operation for proposal in decided for operation in proposal.delta))
        return Lesson(trial, (*decided, *self.search_lesson(state, trial, rest, lab)))

    def search_lesson(
        self, state: AceState, trial: Trial, playbook: Playbook, lab: Lab
    ) -> tuple[Proposal, ...]:
        """Return every proposal that a trial led to, with its outcome; at most one is accepted."""
        evidence, settings = state.evidence, self.settings
        bench = lab.bench_of(trial)
        search = Search(
            reflector=self.reflector,
            curator=self.curator,
            neighbours=settings.neighbours,
            trial=trial,
            playbook=playbook,
            bench=bench,
            evidence=evidence,
            earlier=earlier(trial, playbook, evidence),
        )
        if trial.solved:
            lucky = settings.verify and trial.provable and bool(search.about())
            return tuple(search.tried(settings.tries)) if lucky else ()
        unproven = trial.solved is None or not trial.provable
        if unproven or not settings.verify:
            return (search.unproven(quarantine=unproven),)
        waited = tuple(released(trial, playbook, bench, evidence, settings.neighbours))
        if any(proposal.outcome == "accepted" for proposal in waited):
            return waited
        return (*waited, *search.tried(settings.tries))


def build_ace(models: RoleModels, settings: Settings, equipment: Equipment) -> Ace:
    """Return the method with its roles."""
    return Ace(
        reflector=Reflector(models.reflector),
        curator=Curator(models.curator),
        settings=settings,
        count_tokens=equipment.count_tokens,
        select=equipment.choose_bullets,
    )


def _provers(lessons: Iterable[Lesson]) -> Iterator[tuple[Proposal, Sequence[str]]]:
    """Yield each proposal with what proves it. A sample that cannot be attempted again proves nothing."""
    for lesson in lessons:
        samples = [lesson.trial.sample.id] if lesson.trial.provable else []
        for proposal in lesson.proposals:
            yield proposal, samples
