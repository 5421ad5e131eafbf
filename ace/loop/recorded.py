"""Learning from recorded attempts: nobody makes them again, what they teach is proven where it can be.

An attempt at a training sample of the task is judged by the task's environment, and its lesson is proven as
any other. For the rest the log's own word counts as the label, and a lesson waits in quarantine until an
attempt proves it. With feedback of kind execution or none that word is not shown to any role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ace.errors import BudgetSpent, CapReached, InputError
from ace.llm.role_models import RoleModels
from ace.loop import steps
from ace.loop.lab import StepLab
from ace.loop.offline import limit_samples
from ace.loop.progress import Progress, silent
from ace.loop.run import Run, RunParts, StepWork, start_run
from ace.loop.run_outcome import finish
from ace.methods.protocol import Moment, Trial
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.store import Store
from ace.task.extraction import extract_answer
from ace.task.guarded_scoring import score_attempt
from ace.task.traces import WITHOUT_A_TASK, Recorded, Trace, fingerprint, match_traces, number_traces
from ace.task.types import Task

_TRACES = Phase(PhaseKind.TRACES)


def learn_from_traces(
    task: Task,
    traces: Sequence[Trace],
    store: Store,
    models: RoleModels,
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
    resume: bool = False,
) -> Report:
    """Go once over `traces`; score `task.test` before and after. For logs without a task: `unjudged`.

    Attempts at validation and test samples are left out; the report counts them in `skipped`. The setting
    `limit` bounds the attempts here, not the samples. `resume` continues the last unfinished run over the
    same logs.

    Raises InputError where nothing is left, and for settings that go over samples several times.
    """
    settings = settings or Settings()
    if settings.epochs > 1 or settings.validate:
        raise InputError(
            "Recorded attempts are gone over once, and no version is chosen among several.",
            hint="Leave out --epochs and --validate.",
        )
    traces = number_traces(traces)
    recorded, held_out = match_traces(task, traces[: settings.limit])
    task = replace(limit_samples(task, settings), train=task.train)  # the limit is one of attempts here
    if not recorded:
        raise InputError(
            f"None of the {len(held_out)} recorded attempts may be learned from: their samples are held out.",
            hint="Give attempts at training samples, or at samples the task does not have.",
        )
    name = fingerprint(traces)
    if not task.train:
        name = f"{name} {WITHOUT_A_TASK}"
    parts = RunParts(task=task, store=store, models=models, settings=settings, progress=progress)
    with store.lead(), start_run("learn", parts, resume=resume, traces=name) as run:
        try:
            return _learn(run, recorded, len(held_out))
        except CapReached as cap:
            return finish(run, PhaseKind.AFTER, stopped=str(cap), skipped=len(held_out))


def _learn(run: Run, recorded: Sequence[Recorded], skipped: int) -> Report:
    """Do the steps of a run over recorded attempts. Raises CapReached when a cap ends it."""
    tested = run.task.test if run.settings.measure else ()
    steps.score(run, Phase(PhaseKind.BEFORE), tested, run.base)
    right_answers: dict[str, str] = {}
    for attempt in recorded:
        if attempt.trace.correct:
            right_answers.setdefault(attempt.sample.id, attempt.trace.answer)
    study = partial(_study, run, right_answers)
    # What can be proven goes first, so that no batch says of one lesson that it holds and that it waits.
    provable = [attempt for attempt in recorded if attempt.provable]
    unprovable = [attempt for attempt in recorded if not attempt.provable]
    with suppress(BudgetSpent):
        steps.in_batches(run, _TRACES, provable, study)
        steps.in_batches(run, _TRACES, unprovable, study)
        if provable:  # what cannot be attempted again cannot be curated under proof
            steps.maintain(run, Moment.TRACES, 1)
    steps.score(run, Phase(PhaseKind.AFTER), tested, run.version)
    return finish(run, PhaseKind.AFTER, selected=run.version, skipped=skipped)


def _study(run: Run, right_answers: Mapping[str, str], recorded: Sequence[Recorded]) -> StepWork:
    """Record a batch of attempts, and learn from them, as the work of a step.

    `right_answers` are those that the log itself holds, by sample: an attempt that failed is shown the answer
    of one that did not.
    """
    lab = run.lab(_TRACES)
    trials = [_record(lab, attempt, right_answers.get(attempt.sample.id, "")) for attempt in recorded]
    work = steps.learn_from(run, lab, trials)
    pairs = zip(work.results, recorded, strict=True)
    return replace(work, results=[replace(result, calls=attempt.trace.id) for result, attempt in pairs])


def _record(lab: StepLab, recorded: Recorded, right_answer: str) -> Trial:
    """Record an attempt as one made here: judged here if it can be, else as the log says."""
    trace, sample = recorded.trace, recorded.sample
    bench = lab.bench(trace.id)
    attempt = trace.attempt(sample)
    if not recorded.provable:
        trial = bench.record(sample, attempt, trace.outcome(right_answer))
        return replace(trial, provable=False, recorded=True)
    attempt = extract_answer(attempt, bench.place.task.extract, lenient=True)
    outcome = score_attempt(bench.place.task.environment, sample, attempt)
    if trace.correct not in (None, outcome.correct):
        outcome = replace(outcome, detail=f"{outcome.detail}; {trace.record}".lstrip("; "))
    trial = bench.record(sample, attempt, outcome)
    return replace(trial, sources=(*trace.lines, trace.answer, trace.error), recorded=True)
