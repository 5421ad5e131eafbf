"""A run in progress: its journal, its playbook, its evidence. Every step is journaled as it is committed.

On resume the journal is replayed: a step that is in it is not done again, it only rebuilds the evidence. Of a
step that was cut off, the calls that came to an end are answered from the journal of calls.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from threading import Event
from typing import Any, TypeVar

from ace.context import Source
from ace.errors import CapReached, InputError, StoreConflict, StoreError
from ace.llm import Team
from ace.llm.prompts import prompt_hash
from ace.loop.contexts import contexts_of, solver_of
from ace.loop.executor import ordered_map
from ace.loop.lab import Bench, RunStopped
from ace.loop.options import Progress, Settings
from ace.loop.outage import Silence
from ace.loop.replay_queue import Replay
from ace.methods.ace.admission import seen_in
from ace.methods.ace.evidence import Evidence
from ace.methods.protocol import Method, Trial
from ace.playbook.delta import diff, touched
from ace.playbook.model import Bullet, Delta, Playbook, Status, Vote
from ace.retrieval.sources import recorded, sources_of
from ace.runs.cost import faults_met, usage_by_role, worked
from ace.runs.records import Proposal, Run, RunStatus, Step
from ace.store import Commit, Store
from ace.task.types import Episode, Task

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Work:
    """What a step did: the delta to commit, and what its journal row keeps."""

    delta: Delta
    results: Sequence[Mapping[str, Any]]
    reason: str
    author: str = "curator"
    episodes: Sequence[Episode] = ()
    proposals: Sequence[Proposal] = ()
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)  # what else the journal row says


class Session:
    """One run over a task and a store. Make it with `session`."""

    def __init__(
        self,
        task: Task,
        store: Store,
        team: Team,
        options: Settings,
        progress: Progress,
        record: Run,
        sources: tuple[Source, ...],
        stop: Event | None = None,
    ) -> None:
        self.task, self.store, self.team, self.options, self.progress = task, store, team, options, progress
        self.run, self.kind, self.base = record.id, record.kind, int(record.config["base"])
        self.contexts = contexts_of(task, store, team, options, sources)
        self.method: Method = self.contexts.method
        self.solver = solver_of(task, team, self.contexts)
        self.evidence = self._fresh(store.checkout(self.base))
        self._journal = {step.number: step for step in store.steps(self.run)}
        self._number, self.version = 0, self.base
        self._stop = stop or Event()
        self.payloads: list[Mapping[str, Any]] = []
        self.taught: set[str] = set()  # samples that proved a bullet
        self.contested: dict[str, Mapping[str, list[str]]] = {}  # sample -> what mended it and broke another
        self.bullets = len(store.checkout(self.base))
        self.replay = Replay(options.graduate, options.evict)
        self.silence, self.deafness = Silence(), Silence()  # of attempts, and of the other roles
        self.journal = store.call_journal(self.run)
        paid = store.calls(self.run)
        took = max(float((record.report or {}).get("seconds", 0)), worked(paid, self._journal.values()))
        team.meter.begin_run(self.journal, spent=usage_by_role(paid), seconds=took)

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    @property
    def playbook(self) -> Playbook:
        """As of the last step."""
        return self.store.checkout(self.version)

    def lessons(self, trial: Trial, playbook: Playbook, bench: Bench) -> tuple[Proposal, ...]:
        """What the method makes of a trial."""
        return self.method.learn(trial, playbook, bench, self.evidence)

    def forget(self) -> None:
        """What earlier samples showed is no longer to be counted on: the evidence starts anew."""
        self.evidence = self._fresh(self.playbook)

    def _fresh(self, playbook: Playbook) -> Evidence:
        """Knows the questions, and where the bullets are; nothing proves anything yet."""
        evidence = Evidence(self.task.train, newest_wins=self.kind == "online" and self.options.drift)
        for bullet in playbook:
            evidence.kept(bullet, ())
        _taint(evidence, self.store, playbook)
        return evidence

    def bench(self, phase: str, version: int, purpose: str) -> Bench:
        options = self.options
        return Bench(
            self.task,
            self.solver,
            self.contexts,
            options.feedback,
            options.seed,
            version,
            phase,
            purpose,
            self._stop,
            options.agreement,
        )

    def map(self, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str] = str) -> Iterator[R]:
        """In parallel, results in order. The calls that `work` makes for an item are made for its `name`."""

        def named(item: T) -> R:
            with self.team.meter.about(name(item)):
                return work(item)

        return ordered_map(named, items, self.options.workers, self._stop)

    def step(self, phase: str, work: Callable[[], Work]) -> Step:
        """Do `work` and commit it with its journal row, unless the journal has it already."""
        number, self._number = self._number, self._number + 1
        step = self._journal.get(number) or self._do(number, phase, work)
        self._count(step.version)
        self.version = step.version
        self._learn_from(step)
        self.payloads.append(step.payload)
        return step

    def select(self, version: int) -> int:
        """Make the head what `version` was, so that what is used next is what was selected."""
        delta = diff(self.playbook, self.store.checkout(version))
        reason = f"version {version} holds its place on validation"
        return self.step("selection", lambda: Work(delta, [], reason, "gate")).version

    def _do(self, number: int, phase: str, work: Callable[[], Work]) -> Step:
        began, started, meter = time.time(), time.perf_counter(), self.team.meter
        meter.begin_step(number, phase)
        done = work()
        calls = meter.calls
        payload = {
            "results": list(done.results),
            "kept": {bullet: list(samples) for bullet, samples in done.kept.items()},
            "proposals": [proposal.outcome for proposal in done.proposals],
            "usage": {role: asdict(used) for role, used in usage_by_role(calls).items()},
            "faults": faults_met(calls),
            "started": began,
            "seconds": time.perf_counter() - started,
            **done.noted,
        }
        commit = self._committed((number, phase, payload), done)
        self.contexts.keep(commit.playbook)
        return Step(self.run, number, phase, payload, commit.version.number)

    def _committed(self, step: tuple[int, str, dict[str, Any]], done: Work) -> Commit:
        """What another writer has edited since stays as that left it: the rest of the delta is committed,
        and what is dropped is a rejected proposal.
        """
        try:
            return self.store.commit(
                done.delta,
                author=done.author,
                reason=done.reason,
                expect=self.version,
                run=self.run,
                step=step,
                episodes=done.episodes,
                proposals=done.proposals,
            )
        except StoreConflict as conflict:
            if not (names := frozenset(conflict.details.get("bullets", ()))):
                raise
            payload = step[2]
            payload["proposals"] = [*payload["proposals"], "rejected"]
            payload["kept"] = {name: by for name, by in payload["kept"].items() if name not in names}
            return self._committed(step, _yielding(done, names))

    def _count(self, version: int) -> None:
        """Keeps `bullets` by what a step changed; nothing here goes over the whole playbook."""
        if version == self.version:
            return
        before, after = self.playbook.bullets, self.store.checkout(version).bullets
        ids = {name for operation in self.store.operations(version) for name in touched(operation)}
        for name in ids:
            was, now = before.get(name), after.get(name)
            self.bullets += bool(now and now.live) - bool(was and was.live)

    def _learn_from(self, step: Step) -> None:
        self.taught.update(name for samples in step.payload["kept"].values() for name in samples)
        self.silence.broken |= any(not result["error"] for result in step.payload["results"])
        self.deafness.broken |= "accepted" in step.payload["proposals"]
        if step.phase.startswith(("epoch", "replay", "online", "traces")):
            taught = {sample for samples in step.payload["kept"].values() for sample in samples}
            for result in step.payload["results"]:
                self.evidence.saw(result["sample"], result["subjects"], result["right"], result["uses"])
                self.evidence.reflections[result["sample"]] += result["reflections"]
                name = result["sample"]
                self.evidence.refutes(name, result["situation"], result["refuted"])
                self.replay.saw(name, right=result["right"], taught=name in taught)
                if result["right"] or name in taught or result["contested"]:
                    self.contested[name] = result["contested"]
        if step.payload["kept"]:
            bullets = self.store.checkout(step.version).bullets
            for bullet, samples in step.payload["kept"].items():
                if bullet in bullets:
                    self.evidence.kept(bullets[bullet], samples)
            _taint(self.evidence, self.store, (bullets[b] for b in step.payload["kept"] if b in bullets))


def _yielding(work: Work, edited: frozenset[str]) -> Work:
    """Work without what edits bullets that were edited elsewhere."""
    edits = (op for op in work.delta if not isinstance(op, Vote))
    gone = tuple(op for op in edits if not edited.isdisjoint(touched(op)))
    rest = tuple(op for op in work.delta if op not in gone)
    why = f"edited by another writer meanwhile: {', '.join(sorted(edited))}"
    dropped = Proposal("", work.author, gone, "rejected", why)
    return replace(work, delta=rest, proposals=[*work.proposals, dropped])


@contextmanager
def session(
    kind: str,
    task: Task,
    store: Store,
    team: Team,
    options: Settings,
    progress: Progress,
    resume: bool,
    *,
    traces: str = "",
    stop: Event | None = None,
) -> Iterator[Session]:
    """Start a run, or take up the last unfinished one; mark how it ended.

    `traces` identifies the recorded attempts that it learns from, if it does. `stop` ends it from outside.
    """
    sources = sources_of(task, store)
    config = {
        **options.record(),
        "models": dict(team.models),
        "prompts": prompt_hash("ace.agent", "ace.methods.ace", "ace.memory"),
        "samples": _fingerprint(task),
        "traces": traces,
        "sources": recorded(sources),
        "branch": store.branch_name,
        "base": store.head().number,
    }
    run = _resumed(kind, task, store, config) if resume else store.start_run(kind, task.name, config)
    active = Session(task, store, team, options, progress, store.run(run), sources, stop)
    try:
        yield active
        team.meter.end_run()
    except BaseException as error:
        with suppress(StoreError):  # what ended the run must not be hidden by a file that is locked as well
            store.finish_run(run, _status(error), None)
        raise
    finally:
        active.journal.close()


def _taint(evidence: Evidence, store: Store, bullets: Iterable[Bullet]) -> None:
    """What waits in quarantine and repeats the samples that it cites cannot be proven by them."""
    waiting = [bullet for bullet in bullets if bullet.status is Status.QUARANTINED]
    cited = {name for bullet in waiting for name in bullet.provenance}
    known = {episode.id: episode for episode in store.episodes(ids=sorted(cited))} if cited else {}
    for bullet in waiting:
        for episode in (known[name] for name in bullet.provenance if name in known):
            if seen_in(episode.question, episode.attempt, episode.feedback).repeated(bullet.content):
                evidence.taint(bullet.id, episode.sample_id)


def _status(error: BaseException) -> RunStatus:
    match error:
        case CapReached():
            return "capped"
        case KeyboardInterrupt() | RunStopped():
            return "interrupted"
        case _:
            return "failed"


def _fingerprint(task: Task) -> str:
    """Changes when a sample of the task does, or how it is solved."""
    told = [[s.id, s.question, sorted(s.data.items())] for s in (*task.train, *task.val, *task.test)]
    text = json.dumps([task.instructions, str(task.solver), told], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_CALLED = {"sources": "documents, memories or sources (or another embedder)"}  # keys of a run's configuration


def _resumed(kind: str, task: Task, store: Store, config: Mapping[str, Any]) -> int:
    found = store.last_unfinished(kind, task.name)
    if found is None:
        raise InputError(
            f"No unfinished {kind} run of {task.name} in {store.path}.", hint="Start one without --resume."
        )
    changed = [key for key, value in config.items() if key != "base" and found.config.get(key) != value]
    if changed:
        raise InputError(
            f"Run {found.id} was started with other {', '.join(_CALLED.get(key, key) for key in changed)}.",
            hint="Resume with the same ones, or start a new run.",
        )
    return found.id
