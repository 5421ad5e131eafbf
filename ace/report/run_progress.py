"""How far a run is, what it took so far, and how answers fared over all runs. Values from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ace.llm.client import Usage
from ace.runs.cost import sum_usage_by_role
from ace.runs.records import Run
from ace.runs.report import Report
from ace.runs.run_text import name_scores
from ace.runs.score import Score
from ace.runs.steps import Phase, read_journal
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


def read_progress(store: Store, number: int) -> RunProgress:
    """Return how far a run is. Raises UnknownVersion where there is none of this number."""
    run = store.run(number)
    steps = read_journal(store.steps(number))
    counts: dict[Phase, Score] = {}
    for step in steps:
        for answer in step.results:
            score = counts.get(answer.phase, Score(0, 0))
            counts[answer.phase] = Score(
                score.correct + answer.correct, score.total + 1, score.errors + bool(answer.error)
            )
    calls = store.calls(number)
    signs = [call.started + call.usage.seconds for call in calls]
    signs += [step.started + step.seconds for step in steps if step.started is not None]
    outcomes = [outcome for step in steps for outcome in step.proposals]
    return RunProgress(
        run=run,
        phases=counts,
        usage=sum_usage_by_role(calls),
        steps=len(steps),
        versions=store.versions_of(number),
        proposed=len(outcomes),
        accepted=outcomes.count("accepted"),
        last_sign=max(signs, default=None),
    )


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
