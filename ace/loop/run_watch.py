"""Follows a run through its file, from any process: how far it is, what it learned, whether it lives.

Reads only. Knows the journal, and nothing of how it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ace.playbook.model import Playbook
from ace.runs.proven_lessons import LessonFold, ProvenLesson
from ace.runs.records import CallTotals, Run
from ace.runs.setbacks import Setback
from ace.runs.steps import PhaseKind, StepRecord, read_journal
from ace.runs.time_left import TimeEstimate, TimeLeft, plan_run
from ace.store import Store
from ace.store.process_mark import ProcessState, check_process

_SERVED = ("online", "agent")  # kinds of runs whose answers may get feedback
_LOOKS = 1.0  # seconds at least between two looks for setbacks
_REST = 20.0  # times as long as it took, a look waits for the next


class RunState(StrEnum):
    """Say how a run stands. All but RUNNING and the last two are what it has written itself."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CAPPED = "capped"
    INTERRUPTED = "interrupted"
    KILLED = "killed"  # its process is gone, and could not write how it ended
    COPIED = "copied"  # it was under way in another file when that was copied to this one


_ENDED = {ProcessState.GONE: RunState.KILLED, ProcessState.ELSEWHERE: RunState.COPIED}


@dataclass(slots=True)
class PhaseProgress:
    """Say how far a phase is. Where nobody knows how many samples it will have, `total` is `done`."""

    phase: str
    """The text of a `Phase`."""

    total: int
    done: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLook:
    """Hold what a look at a run shows."""

    run: Run
    state: RunState

    phases: Sequence[PhaseProgress]
    """Those that have begun, in order."""

    lessons: tuple[ProvenLesson, ...]
    """Those that were proven since the look before."""

    bullets: int
    """How many the playbook has by now, on the branch of the store."""

    totals: CallTotals
    """What its calls took so far."""

    left: TimeEstimate | None
    """How long the rest takes; None where that cannot be said yet, and once it is over."""

    silence: float
    """Seconds since its last call ended, or since it began."""

    process: ProcessState
    """Whether its process is there, as far as this machine can tell."""

    leader: str
    """Which process learns from feedback on its task, for people; "" where none does."""

    backlog: int
    """How much feedback on its task nobody has learned from yet, whoever took it."""

    setbacks: tuple[Setback, ...]
    """Where learning from feedback on its task failed since the look before, in whichever run; at first the
    newest one.
    """


@dataclass(slots=True)
class RunWatch:
    """Look at a run again and again; each look reads only what is new in the journal.

    Belongs to the thread that opened the store, which may be read-only.
    """

    store: Store
    number: int
    """The run's number."""

    _step: int = -1
    _phases: dict[str, PhaseProgress] = field(default_factory=dict)
    _left: TimeLeft = field(default_factory=TimeLeft)
    _lessons: LessonFold = field(default_factory=LessonFold)
    _setback: tuple[int, int] | None = None  # run and step of the newest; None before the first look
    _look_again: float = 0.0  # for setbacks, by the clock that never jumps

    def look(self) -> RunLook:
        """Return how the run stands now.

        Raises UnknownVersion for a run that is not there, and StoreBusy where a writer keeps the file locked:
        nothing is lost then, and the next look shows it.
        """
        # The process first: one that ends in order writes its status before it is gone.
        process = check_process(self.store.run(self.number).config.get("process"), self.store.path)
        run = self.store.run(self.number)
        plan = plan_run(run.kind, run.config)
        self._left.expect(plan)
        totals = {stretch.phase: stretch.total for stretch in plan}
        lessons: list[ProvenLesson] = []
        for step in read_journal(self.store.steps(self.number, after=self._step)):
            lessons += self._take(step, totals)
        calls = self.store.call_totals(self.number)
        state = RunState(run.status)
        if state is RunState.RUNNING:
            state = _ENDED.get(process, state)
        is_served = run.kind in _SERVED
        backlog = self.store.count_unlearned(run.task) if is_served else 0
        now = time.time()
        began = datetime.fromisoformat(run.started).timestamp()
        return RunLook(
            run=run,
            state=state,
            phases=list(self._phases.values()),
            lessons=tuple(lessons),
            bullets=sum(self.store.count_by_section().values()),
            totals=calls,
            left=self._left.estimate(now) if state is RunState.RUNNING else None,
            silence=max(0.0, now - max(calls.last, began)),
            process=process,
            leader=self.store.find_leader(run.task) if is_served else "",
            backlog=backlog,
            setbacks=self._read_setbacks(run) if backlog or self._setback else (),
        )

    def _take(self, step: StepRecord, totals: dict[str, int]) -> list[ProvenLesson]:
        """Take in a step, and return the lessons that it proved."""
        self._step = step.number
        if step.phase.kind is PhaseKind.SETBACK:  # shown by itself
            return []
        playbook = Playbook()
        if step.proofs:
            playbook = self.store.checkout_part(step.proofs, step.version)
        lessons = self._lessons.take(
            step, playbook, lambda samples: self.store.questions(self.number, samples)
        )
        name = str(step.phase)
        total = totals.get(name, 0)
        progress = self._phases.setdefault(name, PhaseProgress(name, total))
        if step.started is not None:
            self._left.observe(name, progress.done, progress.total, step.started)
        progress.done += len(step.results)
        progress.total = max(total, progress.done)
        progress.right += sum(result.correct for result in step.results)
        if step.started is not None:
            self._left.observe(name, progress.done, progress.total, step.started + step.seconds)
        return lessons

    def _read_setbacks(self, run: Run) -> tuple[Setback, ...]:
        """Return the setbacks on a run's task that are new; at first the newest.

        That is done now and then, and when the run has ended: whole journals are gone over for it.
        """
        began = time.monotonic()
        if began < self._look_again and run.ended is None:
            return ()
        setbacks = self.store.setbacks(run.task, since=self.number)
        news = setbacks[-1:]
        if self._setback is not None:
            news = [setback for setback in setbacks if (setback.run, setback.step) > self._setback]
        self._setback = (setbacks[-1].run, setbacks[-1].step) if setbacks else (0, 0)
        ended = time.monotonic()
        self._look_again = ended + max(_LOOKS, _REST * (ended - began))
        return tuple(news)
