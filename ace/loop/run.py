"""A run in progress: its journal, its playbook, its method's state. Every step is journaled as it is
committed.

On resume the journal is replayed: a step that is in it is not done again, the method only takes it in. Of a
step that was cut off, the calls that came to an end are answered from the journal of calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from threading import Event

from ace.agent import connect_agent
from ace.errors import CapReached, StoreConflict, StoreError, describe_error
from ace.llm.faults import hide
from ace.llm.prompts import hash_prompts
from ace.llm.role_models import RoleModels
from ace.loop.contexts import Contexts, build_contexts
from ace.loop.executor import Executor, open_executor
from ace.loop.lab import RunStopped, StepLab, Workplace
from ace.loop.learning_budget import LearningBudget
from ace.loop.outage import OutageDetector
from ace.loop.progress import Progress, RunObserver
from ace.loop.replay_queue import ReplayQueue
from ace.loop.run_record import close_failed, open_record
from ace.methods import find_method
from ace.methods.guard import guard_delta
from ace.methods.protocol import Method, Update
from ace.playbook.ancestry import find_changed
from ace.playbook.delta import diff, touched_ids
from ace.playbook.model import Delta, Playbook, Vote
from ace.retrieval.sources import build_sources, fingerprint_sources
from ace.runs.cost import list_faults, measure_working_time, sum_usage_by_role
from ace.runs.proven_lessons import LessonFold
from ace.runs.records import Proposal, Reason, RunStatus
from ace.runs.records import Run as RunRecord
from ace.runs.steps import Notes, Phase, PhaseKind, SampleResult, StepRecord
from ace.runs.time_left import plan_run
from ace.settings import Settings
from ace.store import Commit, Store
from ace.task.types import Episode, Task
from ace.task.wording import Worded


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """Hold what a step did: the delta to commit, and what its journal row keeps."""

    delta: Delta = ()
    """What to commit; empty where the playbook stays as it is."""

    results: Sequence[SampleResult] = ()
    """How its samples fared."""

    reason: str
    """Goes with the version, for people."""

    author: str = "curator"
    """The role, person or program that the version is by."""

    episodes: Sequence[Episode] = ()
    """The attempts to record."""

    proposals: Sequence[Proposal] = ()
    """What asked to be kept, with the decisions."""

    proofs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """From each bullet of the delta to the samples that are right with it."""

    notes: Notes = field(default_factory=dict)
    """What the method finds again on resume."""

    @classmethod
    def of(
        cls, update: Update, lab: StepLab, playbook: Playbook, reason: str, private: Iterable[str] = ()
    ) -> StepWork:
        """Return the work of a method's update to a playbook, with every episode of the lab.

        `reason` stands for updates that bring none. What asks to be obeyed, and what holds a secret or one of
        the `private` texts, is guarded against (`ace.methods.guard`).
        """
        return cls(
            delta=guard_delta(update.delta, playbook, private),
            reason=update.reason or reason,
            author=update.author,
            episodes=lab.episodes_made(),
            proposals=update.proposals,
            proofs=update.proofs,
            notes=update.notes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """Hold what a run is made of."""

    task: Task

    store: Store
    """The playbook file."""

    models: RoleModels
    """Where the task has an agent of its own, that agent is the generator among them."""

    settings: Settings

    progress: Progress
    """Whom to tell of progress."""

    stop: Event = field(default_factory=Event)
    """Set to end the run from another thread: attempts that have not begun never do."""

    goes_on: bool = False
    """Whether what the meter has counted before counts towards the caps of the run, which is a new one."""

    def __post_init__(self) -> None:
        agent = connect_agent(self.task, self.models.generator)
        if agent is not None and agent.model != self.models.generator.model:
            metered = self.models.meter.client(agent)
            object.__setattr__(self, "models", replace(self.models, generator=metered))


class Run:
    """One run over a task and a store. Make it with `start_run`.

    `id` is its number in the file, `kind` "learn", "online" or "eval". `base` is the version that it began
    with, `version` the one after the last step, `bullets` how many live bullets that has. `steps` are those
    so far, in order. `replay_queue` knows which samples come back, `budget` how many calls learning may take.
    The outages say whether attempts and learning roles reach their models, and whether the judge judges.

    A run belongs to the thread that started it; its labs pass work on to `executor`.
    """

    def __init__(self, parts: RunParts, record: RunRecord, contexts: Contexts, executor: Executor) -> None:
        self.parts = parts
        self.task = parts.task
        self.store = parts.store
        self.models = parts.models
        self.settings = parts.settings
        self.progress = parts.progress
        self.id = record.id
        self.kind = record.kind
        self.base = int(record.config["base"])
        self.contexts = contexts
        self.executor = executor
        self.workplace = Workplace(
            self.task,
            contexts.solver,
            contexts.assemble_for,
            self.settings,
            parts.stop,
        )
        self.version = self.base
        self.steps: list[StepRecord] = []
        self.bullets = len(self.store.checkout(self.base))
        self.replay_queue = ReplayQueue()
        self.attempts_outage = OutageDetector()
        self.roles_outage = OutageDetector()
        self.judge_outage = OutageDetector(is_patient=True)
        self._next_step = 0
        self._lessons = LessonFold()
        rows = self.store.steps(self.id)
        self._journal = {row.number: StepRecord.from_step(row) for row in rows}
        self.call_journal = self.store.call_journal(self.id)
        calls = self.store.calls(self.id)
        reported = float((record.report or {}).get("seconds", 0))
        seconds = max(reported, measure_working_time(calls, self._journal.values()))
        spent = sum_usage_by_role(calls)
        meter = self.models.meter
        if parts.goes_on:
            spent, seconds = meter.usage, meter.seconds
        meter.begin_run(self.call_journal, spent=spent, seconds=seconds)
        self.budget = LearningBudget(self.settings.calls, calls)
        self.method: Method = contexts.method
        lab = self.lab(Phase(PhaseKind.BEFORE))
        contexts.state = self.method.start(self.task, self.store.checkout(self.base), lab)

    @property
    def playbook(self) -> Playbook:
        """Return the playbook as of the last step."""
        return self.store.checkout(self.version)

    def lab(self, phase: Phase, version: int | None = None) -> StepLab:
        """Return a lab for one step, whose attempts begin with `version` (the last one by default)."""
        return StepLab(
            self.workplace,
            phase,
            self.version if version is None else version,
            online=self.kind == "online",
            executor=self.executor,
            read_episodes=lambda ids: self.store.episodes(ids=ids),
        )

    def step(self, phase: Phase, work: Callable[[], StepWork]) -> StepRecord:
        """Do `work` and commit it with its journal row, unless the journal has it already.

        Steps are numbered in the order of the calls, so a resumed run must make the same ones. Whether done
        or read, the run and the method take the step in. Raises what `work` raises, and StoreError where it
        cannot be committed: then the step is not in the journal.
        """
        number = self._next_step
        self._next_step += 1
        journaled = self._journal.get(number)
        step = journaled or self._do(number, phase, work)
        if not step.phase.measures:  # else the run goes on from what it has measured
            self._count_bullets(step.version)
            self.version = step.version
        # What the run knows is a fold of its steps: outages, samples that are owed, the method's state.
        if any(not result.error for result in step.results):
            self.attempts_outage.heard = True
        if any(not result.error and not result.judge_error for result in step.results):
            self.judge_outage.heard = True
        if "accepted" in step.proposals:
            self.roles_outage.heard = True
        if step.phase.learns:
            taught = step.taught
            for result in step.results:
                self.replay_queue.observe(result.sample, right=result.right, taught=result.sample in taught)
        playbook = self.store.checkout(self.version)
        lab = self.lab(step.phase)
        self.contexts.state = self.method.replay(self.contexts.state, step, playbook, lab)
        self.steps.append(step)
        lessons = self._lessons.take(step, playbook, self._name_questions)
        if lessons and journaled is None and isinstance(self.progress, RunObserver):
            self.progress.show_lessons(lessons)
        return step

    def _name_questions(self, samples: frozenset[str]) -> dict[str, str]:
        """Return the questions of training samples, by their ids; others are not looked up."""
        return {sample.id: sample.question for sample in self.task.train if sample.id in samples}

    def select(self, version: int) -> int:
        """Make the head what `version` was, so that what is used next is what was selected.

        Return the number of the new head: a version of its own, unless nothing differs.
        """
        delta = diff(self.playbook, self.store.checkout(version))
        reason = f"version {version} holds its place on validation"
        work = StepWork(delta=delta, reason=reason, author="gate")
        return self.step(Phase(PhaseKind.SELECTION), lambda: work).version

    def _do(self, number: int, phase: Phase, work: Callable[[], StepWork]) -> StepRecord:
        """Do the work of a step, with its model calls counted, and commit it."""
        meter = self.models.meter
        began = time.time()  # for people; the other clock never jumps
        started = time.perf_counter()
        meter.begin_step(number, str(phase))
        self.budget.begin_step(number, phase)
        if phase.kind is not PhaseKind.ONLINE:  # where answers are given in any case
            meter.limit_step(self.budget.most)
        try:
            result = work()
        finally:
            calls = meter.calls
            self.budget.record(number, phase, calls)
        record = StepRecord(
            run=self.id,
            number=number,
            phase=phase,
            version=self.version,
            results=tuple(result.results),
            proofs=result.proofs,
            proposals=tuple(proposal.outcome for proposal in result.proposals),
            usage={role: asdict(usage) for role, usage in sum_usage_by_role(calls).items()},
            faults=list_faults(calls),
            started=began,
            seconds=time.perf_counter() - started,
            notes=result.notes,
        )
        record, commit = self._commit(record, result)
        self.contexts.keep_vectors(commit.playbook)
        return replace(record, version=commit.version.number)

    def _commit(self, record: StepRecord, work: StepWork) -> tuple[StepRecord, Commit]:
        """Commit a step, and keep edits that another writer committed in the meantime.

        The rest of the delta is committed; what is dropped is recorded as a rejected proposal. Raises
        StoreConflict where the store names no bullets that were edited, and other StoreErrors as they come.
        """
        try:
            commit = self.store.commit(
                work.delta,
                author=work.author,
                reason=work.reason,
                expect=self.version,
                run=self.id,
                step=(record.number, str(record.phase), record.payload()),
                episodes=work.episodes,
                proposals=work.proposals,
            )
        except StoreConflict as conflict:
            edited = frozenset(conflict.details.get("bullets", ()))
            if not edited:
                raise
            proofs = {bullet: samples for bullet, samples in record.proofs.items() if bullet not in edited}
            proposals = (*record.proposals, "rejected")
            record = replace(record, proposals=proposals, proofs=proofs)
            return self._commit(record, _without_edited(work, edited))
        return record, commit

    def _count_bullets(self, version: int) -> None:
        """Keep `bullets` by what differs between the last step's version and this one."""
        if version == self.version:
            return
        before, after = self.playbook, self.store.checkout(version)
        for name in find_changed(before, after):
            old, new = before.bullets.get(name), after.bullets.get(name)
            self.bullets += int(new is not None and new.live) - int(old is not None and old.live)


def _without_edited(work: StepWork, edited: frozenset[str]) -> StepWork:
    """Return work without what edits bullets that were edited elsewhere. Votes never conflict."""
    dropped = []
    for operation in work.delta:
        if not isinstance(operation, Vote) and not edited.isdisjoint(touched_ids(operation)):
            dropped.append(operation)
    rest = tuple(operation for operation in work.delta if operation not in dropped)
    why = f"edited by another writer meanwhile: {', '.join(sorted(edited))}"
    proposal = Proposal("", work.author, tuple(dropped), "rejected", why, reason=Reason.EDITED_ELSEWHERE)
    return replace(work, delta=rest, proposals=[*work.proposals, proposal])


@contextmanager
def start_run(kind: str, parts: RunParts, *, resume: bool = False, traces: str = "") -> Iterator[Run]:
    """Start a run, or take up the last unfinished one; mark how it ended.

    `kind` is "learn", "online" or "eval"; `traces` identifies the recorded attempts that it learns from, if
    it does. A run that an exception leaves is marked in the file: capped, interrupted or failed. One that
    ends well is marked by `ace.loop.run_outcome.finish`.

    Raises InputError when there is nothing to resume, or when it was started with other settings, models,
    samples or sources; also for an unknown method, or sources, budgets and executors that cannot work.
    """
    task = parts.task
    store = parts.store
    models = parts.models
    settings = parts.settings
    method = find_method(settings.method)  # what cannot work is refused before the run has begun
    sources = build_sources(task, store)
    packages = ["ace.agent", "ace.memory", *method.prompts]
    if isinstance(task.environment, Worded):
        packages.append(task.environment.wording().prompts)
    config = {
        **settings.record(),
        "models": dict(models.models),
        "prompts": hash_prompts(*packages),
        "traces": traces,
        "sources": fingerprint_sources(sources),
        "branch": store.branch_name,
        "base": store.head().number,
    }
    contexts = build_contexts(task, store, models, settings, sources)
    with open_executor(settings, models.meter, parts.stop) as executor:
        run_id = open_record(kind, task, store, config, resume=resume)
        run: Run | None = None
        try:
            record = store.run(run_id)
            run = Run(parts, record, contexts, executor)
            if isinstance(parts.progress, RunObserver):
                parts.progress.expect(plan_run(kind, record.config))
            yield run
            models.meter.journal = None  # what else is asked of the models is no part of the run
        except BaseException as error:
            status: RunStatus = "failed"
            if isinstance(error, CapReached):
                status = "capped"
            elif isinstance(error, KeyboardInterrupt | RunStopped):
                status = "interrupted"
            # What ended the run must not be hidden by a file that is locked as well.
            with suppress(StoreError):
                if status == "failed":
                    close_failed(run_id, store, models, hide(describe_error(error)))
                else:
                    store.finish_run(run_id, status, None)
            raise
        finally:
            if run is not None:
                run.call_journal.close()
