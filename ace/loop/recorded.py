"""Learning from recorded attempts: nobody makes them again, what they teach is proven where it can be.

An attempt at a training sample of the task is judged by the task's environment, and its lesson is proven as
any other. For the rest the log's own word counts as the label, and a lesson waits in quarantine until an
attempt proves it. With feedback of kind execution or none that word is not shown to any role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ace.errors import CapReached, InputError
from ace.llm import Team
from ace.loop import steps
from ace.loop.group_merging import Lesson
from ace.loop.lab import Bench
from ace.loop.offline import limited
from ace.loop.options import Progress, Settings, silent
from ace.loop.run import Session, Work, session
from ace.loop.run_outcome import finish
from ace.methods.protocol import Trial
from ace.runs.report import Report
from ace.store import Store
from ace.task.traces import WITHOUT_A_TASK, Recorded, Trace, fingerprint, match, numbered
from ace.task.types import FeedbackKind, Task

PHASE = "traces"


def learn_from_traces(
    task: Task,
    traces: Sequence[Trace],
    store: Store,
    team: Team,
    options: Settings | None = None,
    *,
    progress: Progress = silent,
    resume: bool = False,
) -> Report:
    """Go once over `traces`; score `task.test` before and after. For logs without a task: `unjudged`.

    Attempts at validation and test samples are left out. Raises InputError where nothing is left.
    """
    options = options or Settings()
    if options.epochs > 1 or options.validate:
        raise InputError(
            "Recorded attempts are gone over once, and no version is chosen among several.",
            hint="Leave out --epochs and --validate.",
        )
    traces = numbered(traces)
    recorded, left_out = match(task, traces[: options.limit])
    task = replace(limited(task, options), train=task.train)  # the limit is one of attempts here
    if not recorded:
        raise InputError(
            f"None of the {len(left_out)} recorded attempts may be learned from: their samples are held out.",
            hint="Give attempts at training samples, or at samples the task does not have.",
        )
    name = fingerprint(traces) if task.train else f"{fingerprint(traces)} {WITHOUT_A_TASK}"
    with session("learn", task, store, team, options, progress, resume, traces=name) as run:
        try:
            return _learn(run, recorded, len(left_out))
        except CapReached as cap:
            return finish(run, "after", stopped=str(cap), skipped=len(left_out))


def _learn(run: Session, recorded: Sequence[Recorded], skipped: int) -> Report:
    tested = run.task.test if run.options.measure else ()
    steps.score(run, "before", tested, run.base)
    works = {r.sample.id: r.trace.answer for r in reversed(recorded) if r.trace.correct}
    # What can be proven goes first, so that no batch says of one lesson that it holds and that it waits.
    order = sorted(recorded, key=lambda each: not each.provable)
    here = sum(each.provable for each in recorded)
    for part in (order[:here], order[here:]):
        steps.in_batches(run, PHASE, part, partial(_study, run, works))
    if here:  # what cannot be attempted again cannot be curated under proof
        steps.curate(run, "curation 1")
    steps.score(run, "after", tested, run.version)
    return finish(run, "after", selected=run.version, skipped=skipped)


def _study(run: Session, works: Mapping[str, str], recorded: Sequence[Recorded]) -> Work:
    version, playbook = run.version, run.playbook
    proven = frozenset(run.taught)

    def study(each: Recorded) -> Lesson:
        bench = run.bench(PHASE, version, each.trace.id)
        trial = _trial(bench, each, works.get(each.sample.id, ""))
        if each.sample.id in proven:  # the playbook knows what this attempt did not
            return bench, trial, ()
        return bench, trial, run.method.learn(trial, playbook, bench, run.evidence)

    work = steps.learned(run, PHASE, list(run.map(study, recorded, lambda each: each.trace.id)))
    named = [{**result, "calls": each.trace.id} for result, each in zip(work.results, recorded, strict=True)]
    return replace(work, results=named)


def _trial(bench: Bench, recorded: Recorded, works: str) -> Trial:
    """The recorded attempt as one made here: judged here if it can be, else as the log says."""
    trace, sample = recorded.trace, recorded.sample
    attempt = trace.attempt(sample)
    if not recorded.provable:
        shown = trace.feedback(bench.feedback, works if bench.feedback is FeedbackKind.LABELS else "")
        return bench.record(sample, attempt, shown, trace.verdict, provable=False)
    environment = bench.task.environment
    verdict = environment.judge(sample, attempt)
    if trace.correct not in (None, verdict.correct):
        verdict = replace(verdict, detail=f"{verdict.detail}; {trace.outcome}".lstrip("; "))
    shown = environment.feedback(sample, attempt, bench.feedback)
    trial = bench.record(sample, attempt, shown, verdict)
    return replace(trial, shown=(*trace.turns, trace.answer, trace.error))
