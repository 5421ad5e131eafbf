"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it.

For a failed sample the search goes over several tries (see `lesson_search`); the first proposal that makes
the sample right without breaking its neighbours is kept, the others are recorded with the attempts that
refuted them. A sample that was right although no bullet says why was lucky, and is learned from in the same
way. After an epoch, bullets that contradict the evidence are reconsidered, and what stands twice is merged,
under the same proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ace.context.render import Rendered, render_playbook
from ace.llm.role_models import RoleModels
from ace.methods.ace.admission import guard_delta
from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.contested_lessons import settle_contested
from ace.methods.ace.credit import (
    AUTHOR,
    cast_votes,
    is_spoiled,
    measure_bullets,
    was_bad_luck,
    write_notes,
)
from ace.methods.ace.curation import Curation
from ace.methods.ace.curator import Curator
from ace.methods.ace.groups import merge_groups
from ace.methods.ace.lesson_search import Search
from ace.methods.ace.quarantine import propose_releases
from ace.methods.ace.refining import Refining
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.refusals import list_earlier
from ace.methods.ace.reopened import keep_open, reopen_all, weigh_reopened
from ace.methods.ace.state import AceState, Lesson, LessonNotes
from ace.methods.protocol import Chores, Equipment, Lab, Moment, Trial, Update
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
    """Learn by `tries` proposals for each failed sample, with `neighbours` earlier samples to keep right.

    Of the settings, `verify` False keeps every first lesson unproven (the ablation), and `cite` shows the
    generator the ids of bullets. `select` chooses when not all of them fit.
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
        """Return the whole playbook where it fits, else what `select` chooses, or the oldest bullets."""
        whole = render_playbook(playbook, room, self.count_tokens, ids=self.settings.cite)
        if self.select is None or not whole.left_out:
            return whole
        return self.select(playbook, sample.question, room, self.count_tokens, ids=self.settings.cite)

    def learn(self, state: AceState, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Search a lesson for every trial that may teach one, and put what holds into one delta."""
        evidence = state.evidence
        for trial in batch:
            if trial.provable:
                evidence.add_sample(trial.sample)
        study = partial(self._study, state, playbook, lab)
        lessons = list(lab.map(study, batch, lambda trial: lab.bench_of(trial).calls_for))
        lessons = merge_groups(lessons, playbook, lab)
        votes = cast_votes([lesson.trial for lesson in lessons], playbook, evidence)

        proposals, provers = list[Proposal](), list[tuple[Proposal, Sequence[str]]]()
        for lesson in lessons:
            # A sample that cannot be attempted again proves nothing.
            samples = [lesson.trial.sample.id] if lesson.trial.provable else []
            proposals += lesson.proposals
            provers += [(proposal, samples) for proposal in lesson.proposals]
        delta, ids = combine_accepted(proposals)
        changes = guard_delta(delta, playbook)
        notes = [write_notes(lesson, playbook, evidence) for lesson in lessons]
        measured = measure_bullets(batch, notes, playbook, lab)
        return Update(
            delta=votes + changes,
            proposals=tuple(proposals),
            author=join_authors(proposals) if changes else AUTHOR,
            proofs=map_proofs(provers, ids),
            sample_notes=[note.to_json() for note in measured],
        )

    def maintain(self, state: AceState, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Curate and refine after an epoch; decide what is contested before a version is selected."""
        if moment is Moment.SELECTION:
            yield from settle_contested(state, playbook, lab, number)
            return
        curation = Curation(self.reflector, self.curator, state, self.settings)
        playbook = yield from curation.chores(playbook, number)
        if moment is Moment.EPOCH and self.settings.refine:
            refining = state.refining or Refining(state.first_playbook)
            state.refining = refining
            yield from refining.refine(state, playbook, number)

    def replay(self, state: AceState, step: StepRecord, playbook: Playbook, lab: Lab) -> AceState:
        """Take in a committed step: outcomes, proofs, refuted edits, and what a change leaves open."""
        state.taught |= step.taught
        if step.phase.kind is PhaseKind.DRIFT:
            state.reopened = reopen_all(playbook)
            state.forget_evidence(playbook, lab)
            return state
        if step.phase.learns:
            self._take_in_results(state, step)
        bullets = {name: playbook.bullets[name] for name in step.proofs if name in playbook.bullets}
        for name, bullet in bullets.items():
            state.evidence.record_proofs(bullet, step.proofs[name])
        state.taint_waiting(bullets.values(), lab)
        state.reopened = keep_open(state.reopened, playbook)
        return state

    def _take_in_results(self, state: AceState, step: StepRecord) -> None:
        evidence = state.evidence
        for result in step.results:
            notes = LessonNotes.from_json(result.notes)
            evidence.record_result(result.sample, result.topics, result.right, result.facts)
            evidence.reflections[result.sample] += notes.reflections
            evidence.record_refuted(result.sample, notes.situation, notes.refuted)
            if result.right or result.sample in step.taught or notes.contested:
                state.contested[result.sample] = notes.contested

    def _study(self, state: AceState, playbook: Playbook, lab: Lab, trial: Trial) -> Lesson:
        """Return what one trial teaches."""
        was_taught = trial.recorded and trial.provable and trial.sample.id in state.taught
        if was_taught and lab.phase.kind is PhaseKind.TRACES:
            return Lesson(trial)  # the playbook knows what this attempt did not
        if is_spoiled(trial):
            return Lesson(trial)
        if was_bad_luck(trial, playbook, state.evidence, lab):
            return Lesson(trial, unlucky=True)
        weighed = tuple(weigh_reopened(trial, state.reopened))
        rest, _ = apply(playbook, (operation for proposal in weighed for operation in proposal.delta))
        return Lesson(trial, (*weighed, *self.search_lesson(state, trial, rest, lab)))

    def search_lesson(
        self, state: AceState, trial: Trial, playbook: Playbook, lab: Lab
    ) -> tuple[Proposal, ...]:
        """Return every proposal that a trial led to, with its outcome; at most one is accepted."""
        evidence, settings, solved = state.evidence, self.settings, trial.feedback.is_solved
        bench = lab.bench_of(trial)
        search = Search(
            reflector=self.reflector,
            curator=self.curator,
            neighbours=settings.neighbours,
            trial=trial,
            playbook=playbook,
            bench=bench,
            evidence=evidence,
            earlier=list_earlier(trial, playbook, evidence),
        )
        if solved:
            was_lucky = settings.verify and trial.provable and bool(search.list_parts_to_learn())
            return tuple(search.propose(settings.tries)) if was_lucky else ()
        cannot_prove = solved is None or not trial.provable
        if cannot_prove or not settings.verify:
            return (search.propose_unproven(quarantine=cannot_prove),)
        releases = tuple(propose_releases(trial, playbook, bench, evidence, settings.neighbours))
        if any(proposal.outcome == "accepted" for proposal in releases):
            return releases
        return (*releases, *search.propose(settings.tries))


def build_ace(models: RoleModels, settings: Settings, equipment: Equipment) -> Ace:
    """Return the method with its roles."""
    return Ace(
        reflector=Reflector(models.reflector),
        curator=Curator(models.curator),
        settings=settings,
        count_tokens=equipment.count_tokens,
        select=equipment.choose_bullets,
    )
