"""How far a run is, what it took so far, and how answers fared over all runs. Values from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from ace.llm.client import Usage
from ace.runs.records import Run
from ace.runs.report import Report
from ace.runs.run_text import name_scores
from ace.runs.score import Score
from ace.runs.steps import Phase, StepRecord, read_journal
from ace.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """Say how far a run is."""

    run: Run

    phases: Mapping[Phase, Score]
    """The answers of each phase so far, in order of their first steps."""

    usage: Mapping[str, Usage]
    """What calls took so far, by role, those of steps that are not done yet included."""

    steps: int
    """How many steps are done."""

    versions: int
    """How many versions it committed."""

    proposed: int
    """How many lessons were proposed."""

    accepted: int
    """How many of them were accepted."""

    last_sign: float | None
    """When it last did something, in seconds since 1970; None where nothing says when."""

    @property
    def total(self) -> Usage:
        """Return what all calls took."""
        return sum(self.usage.values(), Usage())


@dataclass(frozen=True, slots=True)
class ScoredAt:
    """Hold a score and when it was measured."""

    run: int
    kind: str
    """That of the run: learn, online, eval or agent."""

    task: str
    moment: str
    """ISO 8601, UTC."""

    name: str
    """What was scored: before, after, recorded, or as served."""

    score: Score


@dataclass(slots=True)
class ProgressReader:
    """Read how far a run is, again and again: each time only the steps and calls that are new.

    Safe to use from several threads. A step and a call are never changed once they are in the file.
    """

    number: int
    """The run's number."""

    _lock: Lock = field(default_factory=Lock)
    _step: int = -1
    _call: int = 0
    _phases: dict[Phase, Score] = field(default_factory=dict)
    _usage: dict[str, Usage] = field(default_factory=dict)
    _steps: int = 0
    _proposed: int = 0
    _accepted: int = 0
    _last_sign: float | None = None

    def read(self, store: Store) -> RunProgress:
        """Return how far the run is now. Raises UnknownVersion where there is none of this number."""
        with self._lock:
            run = store.run(self.number)
            for step in read_journal(store.steps(self.number, after=self._step)):
                self._take(step)
            since = store.usage_since(self.number, self._call)
            self._call = since.last
            for role, usage in since.usage.items():
                self._usage[role] = self._usage.get(role, Usage()) + usage
            self._note_sign(since.ended)
            return RunProgress(
                run=run,
                phases=dict(self._phases),
                usage=dict(self._usage),
                steps=self._steps,
                versions=store.versions_of(self.number),
                proposed=self._proposed,
                accepted=self._accepted,
                last_sign=self._last_sign,
            )

    def _take(self, step: StepRecord) -> None:
        """Take in a step."""
        for answer in step.results:
            score = self._phases.get(answer.phase, Score(0, 0))
            self._phases[answer.phase] = Score(
                score.correct + answer.correct, score.total + 1, score.errors + bool(answer.error)
            )
        self._step = step.number
        self._steps += 1
        self._proposed += len(step.proposals)
        self._accepted += step.proposals.count("accepted")
        if step.started is not None:
            self._note_sign(step.started + step.seconds)

    def _note_sign(self, moment: float) -> None:
        """Note when something was done; 0 is nothing."""
        if moment:
            self._last_sign = max(moment, self._last_sign or 0.0)


def list_scores(runs: Iterable[Run]) -> tuple[ScoredAt, ...]:
    """Return what runs that have ended measured, in their order: before learning and after it.

    Runs without a report measured nothing that is comparable.
    """
    scores = []
    for run in runs:
        report = Report.from_json(run.report) if run.report else None
        if report is None:
            continue
        _, last = name_scores(run.kind)
        for name, moment, score in (
            ("recorded", run.started, report.recorded),
            ("before", run.started, report.before),
            (last, run.ended or run.started, report.after),
        ):
            if score is not None:
                scored = ScoredAt(
                    run=run.id, kind=run.kind, task=run.task, moment=moment, name=name, score=score
                )
                scores.append(scored)
    return tuple(scores)
