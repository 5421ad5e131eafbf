"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it.

Each trial of a batch is studied alone (see `study`); what holds is tried beside the others, combined into one
delta and credited. After a batch the curator looks at the sections that it touched, and after an epoch
bullets that contradict the evidence are reconsidered, under the same proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ace.context.render import Rendered, render_playbook
from ace.llm.role_models import RoleModels
from ace.llm.window import window_of
from ace.methods.ace.chance import read_opening
from ace.methods.ace.combine import combine_accepted, join_authors, map_proofs
from ace.methods.ace.consolidation import Consolidation
from ace.methods.ace.credit import AUTHOR, cast_votes, write_notes
from ace.methods.ace.curation import Curation
from ace.methods.ace.curator import Curator
from ace.methods.ace.probation import ENOUGH, end_probation
from ace.methods.ace.refining import Refining
from ace.methods.ace.reflection import Reflect
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.reopened import keep_open, reopen_all
from ace.methods.ace.sections import SectionCuration
from ace.methods.ace.shared_causes import explain_together
from ace.methods.ace.state import AceState, LessonNotes
from ace.methods.ace.study import Study
from ace.methods.ace.together import keep_compatible
from ace.methods.guard import guard_delta
from ace.methods.protocol import Chore, Chores, Equipment, Lab, Moment, Summary, Trial, Update
from ace.methods.shown_bullets import show_bullets
from ace.playbook.delta import apply
from ace.playbook.model import Playbook
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import Proposal
from ace.runs.run_text import format_count
from ace.runs.steps import Phase, PhaseKind, StepRecord
from ace.settings import Part, Profile, Settings
from ace.task.guarded_scoring import Composing, compose_samples
from ace.task.team import find_team
from ace.task.types import Sample, Task
from ace.task.wording import Suggesting, Worded
from ace.text import CountTokens, estimate_tokens

_FULL_WINDOW = 16_000  # tokens
_BARREN = 24  # failures in a row that taught nothing, while nothing was ever proven


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """Learn by proposals for each failed sample, of which attempts decide what is kept."""

    reflector: Reflector
    """Words lessons for facts, and criticises answers that nothing has judged."""

    reflect: Reflect
    """Diagnoses failures; its profile is that of the method."""

    curator: Curator
    """Edits bullets that are there."""

    settings: Settings
    """`tries` are the proposals for a failed sample, `neighbours` the earlier samples to keep right;
    `without` names what is left out (the ablations), `top` bounds the bullets that are shown; `cite` shows
    the generator the ids of bullets, `drift` lets the latest label count online, `compose` tries lessons on
    questions made of two.
    """

    count_tokens: CountTokens = estimate_tokens
    """How a text counts against the room for the playbook."""

    select: HybridSelector | None = None
    """Chooses bullets when not all of them fit; None: the oldest stay."""

    name: str = "ace"

    @property
    def cites(self) -> bool:
        """Return the setting of that name."""
        return self.settings.cite

    @property
    def replays(self) -> bool:
        """Return that failures come back, as often as the setting of that name says."""
        return self.settings.replays > 0

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> AceState:
        """Return a state that knows the training questions and where the bullets are."""
        make_wording = None
        if self.reflect.profile is Profile.SMALL and isinstance(task.environment, Worded):
            make_wording = partial(task.environment.wording, newest_wins=lab.online and self.settings.drift)
        suggest = task.environment.suggest if isinstance(task.environment, Suggesting) else None
        compose = None
        if self.settings.compose and isinstance(task.environment, Composing):
            compose = partial(compose_samples, task.environment)
        return AceState.at(
            task.train,
            playbook,
            lab,
            make_wording=make_wording,
            suggest=suggest,
            compose=compose,
            team=find_team(task.solver),
        )

    def context(self, state: AceState, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the whole playbook where it fits, else what `select` chooses, or the oldest bullets.

        With the setting `top` it chooses in any case.
        """
        top, ids = self.settings.top, self.settings.cite
        if top is not None and self.select is not None:
            return self.select(playbook, sample.question, room, self.count_tokens, ids=ids, most=top)
        if top is not None:
            return show_bullets(playbook.active[:top], playbook, room, self.count_tokens, ids=ids)
        if self.select is None:
            return render_playbook(playbook, room, self.count_tokens, ids=ids)
        return self.select.render(playbook, sample.question, room, self.count_tokens, ids=ids)

    def learn(self, state: AceState, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Search a lesson for every trial that may teach one, and put what holds into one delta.

        The trials are studied in parallel, each on the same playbook. The order of the batch decides the
        order of the delta, so the result does not depend on the number of workers.
        """
        evidence = state.evidence
        batch, private = state.meet(batch)
        study = Study(
            reflector=self.reflector,
            reflect=self.reflect,
            curator=self.curator,
            settings=self.settings,
            state=state,
            playbook=playbook,
            lab=lab,
            chance=state.count_chance(batch),
        )
        lessons = study.study_batch(batch)
        proves = self.settings.has(Part.PROOF)
        if proves:
            if self.reflect.profile is Profile.FULL and self.settings.has(Part.BATCH):
                lessons = explain_together(lessons, state, lab)
            lessons = keep_compatible(lessons, playbook, lab)
        proposals, provers = list[Proposal](), list[tuple[Proposal, Sequence[str]]]()
        for lesson in lessons:
            # A sample that cannot be attempted again proves nothing.
            own = (lesson.trial.sample.id,) if lesson.trial.provable else ()
            proposals += lesson.proposals
            for proposal in lesson.proposals:
                provers.append((proposal, lesson.witnesses.get(proposal.delta, own) if own else ()))
        delta, ids = combine_accepted(proposals, state.evidence.wording)
        changes = guard_delta(delta, playbook, private)
        proofs = map_proofs(provers, ids)
        if proves and self.reflect.profile is Profile.FULL:
            curation = SectionCuration(
                curator=self.curator,
                playbook=apply(playbook, changes)[0],
                evidence=evidence,
                proofs=proofs,
                samples=state.map.samples,
                lab=lab,
            )
            edits = tuple(curation.propose(changes))
            proposals += edits
            proofs = {**proofs, **curation.carry_proofs(edits)}
            changes += guard_delta(combine_accepted(edits)[0], curation.playbook, private)
        notes = [write_notes(lesson, playbook, evidence) for lesson in lessons]
        return Update(
            delta=cast_votes(lessons, playbook, evidence) + changes,
            proposals=tuple(proposals),
            author=join_authors(proposals) if changes else AUTHOR,
            proofs=proofs,
            sample_notes=[note.to_json() for note in notes],
        )

    def maintain(self, state: AceState, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Curate and refine after an epoch; drop facts that no second sample needs at its end.

        Attempts decide all but what is said twice, so without proof only that is joined.
        """
        proves = self.settings.has(Part.PROOF)
        if moment is Moment.EPOCH_END:
            is_enough = proves and len(state.samples) >= ENOUGH
            if is_enough and self.settings.has(Part.TRANSFER) and state.evidence.list_unwitnessed(playbook):
                phase = Phase(PhaseKind.CURATION, number)
                yield Chore(phase, "probation", partial(end_probation, state.evidence))
            return
        curation = Curation(self.reflector, self.curator, state, self.settings)
        playbook = yield from curation.chores(playbook, number)
        if moment is Moment.EPOCH and self.settings.has(Part.REFINE):
            refining = state.refining or Refining(state.first_playbook)
            state.refining = refining
            playbook = yield from refining.refine(state, playbook, number)
            if proves and self.reflect.profile is Profile.FULL:
                consolidation = Consolidation(self.curator, state.evidence, self.count_tokens)
                yield from consolidation.chores(playbook, number, state.sections)

    def summarize(self, state: AceState) -> Summary:
        """Say why attempts failed, which labels are suspect, and that nothing was learned, if so.

        It gives up when many failures in a row were reflected on, and nothing was ever proven.
        """
        notes = []
        give_up = not state.taught and state.barren >= _BARREN
        if not state.taught and state.barren:
            early = "; learning stopped early" if give_up else ""
            failures = format_count(state.barren, "failure")
            notes.append(f"nothing learned: {failures} taught nothing that proved itself{early}")
        if state.failures:
            counts = ", ".join(f"{count} {failure}" for failure, count in sorted(state.failures.items()))
            notes.append(f"why attempts failed, by the reflector: {counts}")
        if state.suspects:
            notes.append(
                f"labels that go against proven bullets, not learned from: {', '.join(state.suspects)}; "
                "such a label may be wrong, or such a bullet too wide"
            )
        return Summary(tuple(notes), give_up)

    def replay(self, state: AceState, step: StepRecord, playbook: Playbook, lab: Lab) -> AceState:
        """Take in a committed step: outcomes, proofs, refuted edits, and what a change leaves open.

        After a step of phase DRIFT every bullet in use has to prove itself again, and no evidence counts.
        """
        state.taught |= step.taught
        if step.phase.kind is PhaseKind.DRIFT:
            state.reopened = reopen_all(playbook)
            state.forget_evidence(playbook, lab)
            return state
        evidence = state.evidence
        if state.opening is None and step.phase.learns and step.phase.kind is not PhaseKind.TRACES:
            state.opening = read_opening(result.right for result in step.results)
        episodes: dict[str, str] = {}  # id -> sample
        for result in step.results if step.phase.learns else ():
            notes = LessonNotes.from_json(result.notes)
            evidence.record_result(result.sample, result.topics, result.right, result.facts)
            state.take_in(result, notes)
            evidence.reflections[result.sample] += notes.reflections
            evidence.refuted[result.sample, notes.situation] += notes.refuted
            evidence.unhelpful.update(notes.unhelpful)
            if notes.episode:
                episodes[notes.episode] = result.sample
        for episode in lab.episodes(episodes):
            state.map.record_label(episodes[episode.id], episode.feedback)
        bullets = {name: playbook.bullets[name] for name in step.proofs if name in playbook.bullets}
        for name, bullet in bullets.items():
            state.take_in_proofs(bullet, step.proofs[name])
        state.taint_waiting(bullets.values(), lab)
        state.reopened = keep_open(state.reopened, playbook)
        return state


def build_ace(models: RoleModels, settings: Settings, equipment: Equipment) -> Ace:
    """Return the method with its roles.

    Where the settings name no profile, it is the small one for a reflector whose window has less than 16,000
    tokens, as far as that is known.
    """
    profile = settings.profile
    if not settings.has(Part.GUARD):
        settings = replace(settings, neighbours=0)
    if profile is None:
        tokens = window_of(models.reflector).tokens
        is_small = tokens is not None and tokens < _FULL_WINDOW
        profile = Profile.SMALL if is_small else Profile.FULL
    return Ace(
        reflector=Reflector(models.reflector),
        reflect=Reflect(models.reflector, profile),
        curator=Curator(models.curator, profile),
        settings=settings,
        count_tokens=equipment.count_tokens,
        select=equipment.choose_bullets,
    )
