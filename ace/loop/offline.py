"""Offline: score, go over the training set, choose a version, score again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

from ace.errors import BudgetSpent, CapReached, InputError
from ace.llm.role_models import RoleModels
from ace.loop import steps
from ace.loop.progress import Progress, silent
from ace.loop.run import Run, RunParts, start_run
from ace.loop.run_outcome import finish
from ace.loop.selection import Selection
from ace.methods.protocol import Moment
from ace.runs.report import Report
from ace.runs.seeds import seed_of
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.store import Store
from ace.task.types import Sample, Task

_RECHECKED = 8  # right answers that are asked for again before a version is selected
_WORDS = 3  # questions whose lengths differ by fewer words count as equally long


def learn(
    task: Task,
    store: Store,
    models: RoleModels,
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
    resume: bool = False,
) -> Report:
    """Learn from `task.train` and score `task.test` before and after, with the same samples.

    Epochs go over the training set in a seeded order. With more than one epoch (or `validate`) a version is
    selected by how it does on `task.val`; the report says when nothing was validated. When its calls are used
    up (the setting `calls`), learning ends, and what it came to is scored. A cap ends the run between steps:
    the report then says so in `stopped`, and `resume` continues the run.

    Raises InputError for a task without training samples, and for a run that cannot be resumed with these
    settings; ModelUnavailable where the model cannot be reached. What was committed until then is kept.
    """
    settings = settings or Settings()
    task = limit_samples(task, settings)
    if not task.train:
        raise InputError(f"Task {task.name} has no training samples.", hint="Add some to [data] train.")
    parts = RunParts(task=task, store=store, models=models, settings=settings, progress=progress)
    tested = task.test if settings.measure else ()
    validates = settings.validate
    if validates is None:
        validates = settings.epochs > 1
    validates = validates and bool(task.val)
    with parts.store.lead(), start_run("learn", parts, resume=resume) as run:
        selection = Selection(run)
        selected: int | None = None  # until it is chosen, the newest
        try:
            steps.score(run, Phase(PhaseKind.BEFORE), tested, run.base)
            with suppress(BudgetSpent):
                for epoch in range(1, settings.epochs + 1):
                    samples = _in_order(task.train, settings.seed, epoch)
                    steps.learn(run, Phase(PhaseKind.EPOCH, epoch), samples)
                    steps.maintain(run, Moment.EPOCH, epoch)
                    _replay_failures(run, epoch)
                    steps.maintain(run, Moment.EPOCH_END, epoch)
                    if validates:
                        _recheck(run, epoch)
                        selection.select_newest(epoch)
            selected = run.version
            if selection.comparisons:
                selected = run.select(selection.selected)
            steps.score(run, Phase(PhaseKind.AFTER), tested, selected)
        except CapReached as cap:
            return finish(run, PhaseKind.AFTER, selection=selection, selected=selected, stopped=str(cap))
        return finish(run, PhaseKind.AFTER, selected=selected, selection=selection)


def _replay_failures(run: Run, epoch: int) -> None:
    """Attempt again what is still wrong, while that helps: more is known by now than at first."""
    if not run.method.replays:
        return
    samples = {sample.id: sample for sample in run.task.train}
    for turn in range(1, run.settings.replays + 1):
        due = [samples[name] for name in run.replay_queue.due(samples)]
        ordered = _in_order(tuple(due), run.settings.seed, epoch)
        if ordered:
            names = run.replay_queue.due(sample.id for sample in ordered)
            steps.learn(run, Phase(PhaseKind.REPLAY, epoch, turn), [samples[name] for name in names])


def _recheck(run: Run, epoch: int) -> None:
    """Answer a few that were right again with the newest version: measured, not learned from."""
    right = run.replay_queue.right(sample.id for sample in run.task.train)
    seed = seed_of(run.settings.seed, "recheck", epoch)
    size = min(_RECHECKED, len(right))
    chosen = set(Random(seed).sample(right, size))  # noqa: S311 (no secret)
    again = [sample for sample in run.task.train if sample.id in chosen]
    steps.score(run, Phase(PhaseKind.RECHECK, epoch), again, run.version)


def _in_order(samples: tuple[Sample, ...], seed: int, epoch: int) -> list[Sample]:
    """Return short questions first: what they teach one at a time, long ones combine. Seeded among equals."""
    order = list(samples)
    Random(seed_of(seed, "order", epoch)).shuffle(order)  # noqa: S311 (an order, not a secret)
    return sorted(order, key=lambda sample: len(sample.question.split()) // _WORDS)


def limit_samples(task: Task, settings: Settings) -> Task:
    """Return the task with the first `limit` samples of each split."""
    most = settings.limit
    return replace(task, train=task.train[:most], val=task.val[:most], test=task.test[:most])
