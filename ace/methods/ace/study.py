"""Study one trial of a batch: choose how a lesson is searched for, and search it.

For a failed sample the search goes over several tries (see `search`, and `fact_search` for environments with
a wording); the first proposal that makes the sample right without breaking its neighbours is kept, the others
are recorded with the attempts that refuted them. Where the environment has a wording, a sample that was right
although no bullet says why was lucky, and is learned from in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.composed import ComposedGuard, find_partners
from ace.methods.ace.credit import is_spoiled
from ace.methods.ace.curator import Curator
from ace.methods.ace.fact_search import FactSearch
from ace.methods.ace.proposals import add_lesson, changes_use, list_contents, revise_lesson
from ace.methods.ace.prover import Prover
from ace.methods.ace.quarantine import propose_releases
from ace.methods.ace.reflection import Reflect
from ace.methods.ace.reflector import Reflector
from ace.methods.ace.refusals import list_earlier
from ace.methods.ace.reopened import weigh_reopened
from ace.methods.ace.search import Search
from ace.methods.ace.state import AceState, Lesson
from ace.methods.ace.suspects import is_label_suspect, record_suspect
from ace.methods.ace.unproven import propose_unproven
from ace.methods.protocol import Lab, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Delta, Operation, Playbook
from ace.runs.records import Proposal
from ace.runs.steps import PhaseKind
from ace.settings import Part, Settings
from ace.task.team import Reader
from ace.task.team_credit import find_responsible
from ace.task.wording import Audience, list_texts

R = TypeVar("R")

_MOST_SIMILAR = 60  # samples that an environment may draw a lesson from


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Hold what the trials of one batch are studied with. Several are studied at once, so nothing changes."""

    reflector: Reflector
    """Words lessons for facts that have a wording."""

    reflect: Reflect
    """Diagnoses failures of any other kind."""

    curator: Curator
    """Edits the bullets that are there, where lessons for facts have failed."""

    settings: Settings
    """`tries`, `rollouts`, `neighbours` and `without` count here."""

    state: AceState
    """What the run knows before this batch."""

    playbook: Playbook
    """That which the trials were made with."""

    lab: Lab
    """Makes the attempts."""

    chance: Chance
    """How often failed samples come out right without a lesson."""

    proven: Collection[tuple[str, ...]] = ()
    """The contents of suggestions that other trials of the batch have proven."""

    suggested: dict[str, tuple[Delta, ...]] = field(default_factory=dict)
    """What the environment words for each trial of the batch, by its episode, with the batch's playbook."""

    def study_batch(self, batch: Sequence[Trial]) -> list[Lesson]:
        """Return what each trial teaches.

        What the environment words alike for several is proven with one of them. For the others one attempt
        with it is enough, so they wait for their turn.
        """
        for trial, deltas in zip(batch, self._map(self._list_suggested, batch), strict=True):
            self.suggested[trial.episode] = deltas
        lessons = dict[str, Lesson]()
        proven = set[tuple[str, ...]]()
        while len(lessons) < len(batch):
            turn = list[Trial]()
            seen = set[tuple[tuple[str, ...], ...]]()
            for trial in batch:
                contents = tuple(tuple(list_contents(delta)) for delta in self.suggested[trial.episode])
                is_open = proven.isdisjoint(contents)
                if trial.episode not in lessons and not (contents and is_open and contents in seen):
                    turn.append(trial)
                    seen.add(contents)
            for lesson in self._map(replace(self, proven=frozenset(proven)).study_trial, turn):
                lessons[lesson.trial.episode] = lesson
                accepted = [proposal for proposal in lesson.proposals if proposal.outcome == "accepted"]
                proven.update(tuple(list_contents(proposal.delta)) for proposal in accepted)
        return [lessons[trial.episode] for trial in batch]

    def _map(self, work: Callable[[Trial], R], trials: Sequence[Trial]) -> Iterator[R]:
        return self.lab.map(work, trials, lambda trial: self.lab.bench_of(trial).calls_for)

    def _list_suggested(self, trial: Trial) -> tuple[Delta, ...]:
        """Return what the environment words for a failed trial."""
        if trial.feedback.is_solved or self.state.evidence.wording:
            return ()
        return self._list_suggestions(trial, self.playbook)

    def study_trial(self, trial: Trial) -> Lesson:
        """Return what one trial teaches: nothing, where its label is broken or the playbook knows better.

        Bullets reopened after a change of the world are weighed first; what is learned is learned beside
        those that stand.
        """
        state = self.state
        was_taught = trial.recorded and trial.provable and trial.sample.id in state.taught
        if was_taught and self.lab.phase.kind is PhaseKind.TRACES:
            return Lesson(trial)  # the playbook knows what this attempt did not
        if is_spoiled(trial):
            return Lesson(trial)
        wording = state.evidence.wording
        weighed = tuple(weigh_reopened(trial, state.reopened, wording))
        operations = [operation for proposal in weighed for operation in proposal.delta]
        rest = apply(self.playbook, operations)[0] if operations else self.playbook
        if not wording:
            lesson = self._search_lesson(trial, rest)
            return replace(lesson, proposals=(*weighed, *lesson.proposals))
        proposals = (*weighed, *self.search_words(trial, rest))
        came_back = self.state.evidence.reflections[trial.sample.id] > 0
        is_open = not trial.feedback.is_solved and not any(map(changes_use, proposals))
        if not came_back or not is_open or self._takes_as_given(trial):
            return Lesson(trial, proposals)
        # Where words for its facts did not help, nor what was learned since, the sample itself may, as an
        # example of what no line says. No model is asked.
        contents = [bullet.content for bullet in rest.active]
        if not wording.list_unspoken(trial.sample.question, list_texts(trial.feedback.facts), contents):
            return Lesson(trial, proposals)
        search = self._build_search(trial, rest)
        proposals = (*proposals, *search.propose(0))
        return Lesson(trial, proposals, search=search, witnesses=search.witnesses)

    def search_words(self, trial: Trial, playbook: Playbook) -> tuple[Proposal, ...]:
        """Return every proposal that a trial led to, with its outcome; at most one is accepted.

        For environments with a wording only.
        """
        evidence, settings = self.state.evidence, self.settings
        bench = self.lab.bench_of(trial)
        assert evidence.wording  # noqa: S101 (the caller has asked)
        search = FactSearch(
            reflector=self.reflector,
            curator=self.curator,
            neighbours=settings.neighbours,
            trial=trial,
            playbook=playbook,
            bench=bench,
            evidence=evidence,
            wording=evidence.wording,
            earlier=list_earlier(trial, playbook, evidence),
        )
        if trial.feedback.is_solved:
            was_lucky = settings.has(Part.PROOF) and trial.provable and bool(search.list_parts_to_learn())
            return tuple(search.propose(settings.tries)) if was_lucky else ()
        if self._takes_as_given(trial):
            return (search.propose_unproven(quarantine=self._must_wait(trial)),)
        releases = tuple(propose_releases(trial, playbook, bench, evidence, settings.neighbours))
        if any(proposal.outcome == "accepted" for proposal in releases):
            return releases
        return (*releases, *search.propose(settings.tries))

    def _takes_as_given(self, trial: Trial) -> bool:
        """Return whether the first lesson is taken as it comes: nothing proves it, or nothing is to."""
        return not self.settings.has(Part.PROOF) or _cannot_be_judged(trial)

    def _must_wait(self, trial: Trial) -> bool:
        """Return whether a lesson that is taken as given waits in quarantine.

        Without proof it does so only where nobody has judged the attempt.
        """
        proves = self.settings.has(Part.PROOF)
        return trial.feedback.is_solved is None or (proves and not trial.provable)

    def _search_lesson(self, trial: Trial, playbook: Playbook) -> Lesson:
        """Return what a failed trial teaches: proposals, and the search that made them.

        One that taught nothing although near samples are proven may have a wrong label; that is recorded.
        """
        state, settings = self.state, self.settings
        if trial.feedback.is_solved:
            return Lesson(trial)
        bench = self.lab.bench_of(trial)
        if self._takes_as_given(trial):
            roles = (self.reflect, self.reflector)
            quarantine = self._must_wait(trial)
            proposal = propose_unproven(
                trial, playbook, bench, roles, quarantine=quarantine, reader=self._find_reader(trial)
            )
            return Lesson(trial, (proposal,))
        releases = tuple(propose_releases(trial, playbook, bench, state.evidence, settings.neighbours))
        if any(proposal.outcome == "accepted" for proposal in releases):
            return Lesson(trial, releases)
        search = self._build_search(trial, playbook)
        proposals = [*releases, *search.propose(settings.tries, settings.rollouts)]
        is_open = not any(map(changes_use, proposals))
        suspect = is_open and is_label_suspect(search.prover, playbook, state.evidence)
        if suspect:
            proposals.append(record_suspect(search.prover))
        return Lesson(trial, tuple(proposals), search=search, suspect=suspect, witnesses=search.witnesses)

    def _build_search(self, trial: Trial, playbook: Playbook) -> Search:
        """Return the search of an edit for a failed trial, with what the run knows of its sample."""
        state, sample = self.state, trial.sample
        composed = None
        if state.compose is not None:
            partners = find_partners(sample, playbook, state.map, state.evidence)
            composed = ComposedGuard(state.compose, sample, partners)
        prover = Prover(
            trial=trial,
            playbook=playbook,
            bench=self.lab.bench_of(trial),
            pool=state.map.choose_pool(sample),
            chance=self.chance,
            level=Level.share(len(state.samples), self.settings.tries),
            composed=composed,
            transfers=self.settings.has(Part.TRANSFER),
            guards=self.settings.has(Part.GUARD),
        )
        # It takes a look at many right answers to word a lesson, so that is done once for a trial.
        suggestions = self.suggested.get(trial.episode, ()) if playbook is self.playbook else ()
        suggestions = suggestions or self._list_suggestions(trial, playbook)
        # Where facts are put into words, they are parts of an answer, and no way to it.
        shared_fact = None if state.evidence.wording else state.map.find_shared_fact(sample)
        return Search(
            reflect=self.reflect,
            prover=prover,
            earlier=state.edits.get(sample.id, ()),
            waiting=state.list_waiting(sample),
            rivals=state.list_rivals(sample, playbook),
            similar=state.map.find_similar(sample),
            worked=shared_fact.text if shared_fact else "",
            suggestions=suggestions,
            proven=self.proven,
            is_worded=bool(suggestions or self._list_suggestions(trial, Playbook())),
            reader=self._find_reader(trial),
            terms=state.terms,
        )

    def _find_reader(self, trial: Trial) -> Reader:
        """Return whom the lessons of a trial are for: the agent of the team that decided it, or all."""
        team = self.state.team
        return Reader(team, find_responsible(team, trial.attempt, trial.feedback)) if team else Reader()

    def _list_suggestions(self, trial: Trial, playbook: Playbook) -> tuple[Delta, ...]:
        """Return the lessons that the environment words itself, where the right answer may be shown."""
        suggest, state_map = self.state.suggest, self.state.map
        if suggest is None or not trial.feedback.expected:
            return ()
        similar = state_map.find_labelled(trial.sample, self.state.samples, _MOST_SIMILAR)
        team = self.state.team
        readers = [Reader(team, name) for name in team.names] if team else [Reader()]
        by_reader = {
            reader.name: {b.content: b for b in playbook.active if reader.reads(b.section)}
            for reader in readers
        }
        if team is None:
            entries = suggest(trial.sample, similar, list(by_reader[""]))
        else:
            audience = Audience(team, {name: list(known) for name, known in by_reader.items()})
            entries = suggest(trial.sample, similar, (), audience)
        deltas = []
        for entry in entries:
            operations: list[Operation] = []
            for each in entry:
                bullet = by_reader.get(each.reader, {}).get(each.replaces)
                if bullet is None or bullet.pinned:
                    section = Reader(team, each.reader).name_section(each.section)
                    operations.append(add_lesson(each.text, section))
                else:
                    operations.append(revise_lesson(bullet.id, each.text, bullet.provenance))
            deltas.append(tuple(operations))
        return tuple(deltas)


def _cannot_be_judged(trial: Trial) -> bool:
    """Return whether nothing that is shown could prove what a trial teaches."""
    return not trial.provable or trial.feedback.is_solved is None
