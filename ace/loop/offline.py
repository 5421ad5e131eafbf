"""Offline: score, go over the training set, choose a version, score again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

from ace.errors import CapReached, InputError
from ace.llm import Team
from ace.loop import steps
from ace.loop.contested_lessons import Contest
from ace.loop.options import Progress, Settings, seed_of, silent
from ace.loop.refining import Refining
from ace.loop.run import Session, session
from ace.loop.run_outcome import finish
from ace.loop.selection import Selection
from ace.runs.report import Report
from ace.store import Store
from ace.task.types import Sample, Task

_WORDS = 3  # questions whose lengths differ by fewer words count as equally long


def learn(
    task: Task,
    store: Store,
    team: Team,
    options: Settings | None = None,
    *,
    progress: Progress = silent,
    resume: bool = False,
) -> Report:
    """Learn from `task.train` and score `task.test` before and after, with the same samples.

    Epochs go over the training set in a seeded order. With more than one epoch (or `validate`) a version is
    selected by how it does on `task.val`; the report says when nothing was validated. A cap ends the run
    between steps: the report then says so in `stopped`, and `resume` continues the run.
    Raises InputError for a task without training samples.
    """
    options = options or Settings()
    task = limited(task, options)
    if not task.train:
        raise InputError(f"Task {task.name} has no training samples.", hint="Add some to [data] train.")
    with session("learn", task, store, team, options, progress, resume) as run:
        selection = Selection(run)
        try:
            return _learn(run, selection)
        except CapReached as cap:
            return finish(run, "after", selection=selection, stopped=str(cap))


def _learn(run: Session, selection: Selection) -> Report:
    task, options = run.task, run.options
    tested = task.test if options.measure else ()
    steps.score(run, "before", tested, run.base)
    refining, contest = Refining(run), Contest(run)
    for epoch in range(1, options.epochs + 1):
        between = partial(_midway, run, selection, epoch) if _validates(run) else None
        steps.learn(run, f"epoch {epoch}", _ordered(task.train, options.seed, epoch), between)
        steps.curate(run, f"curation {epoch}")
        refining.refine(f"refinement {epoch}")
        _replay(run, epoch)
        if _validates(run):
            contest.settle(selection, epoch)
            _recheck(run, epoch)
            selection.meet(str(epoch))
    selected = run.select(selection.selected) if selection.comparisons else run.version
    steps.score(run, "after", tested, selected)
    return finish(run, "after", selected=selected, selection=selection)


def _midway(run: Session, selection: Selection, epoch: int, done: int) -> None:
    every = run.options.validate_every
    if every and done % every == 0:
        selection.meet(f"{epoch}.{done}")


def _replay(run: Session, epoch: int) -> None:
    """What is still wrong comes back while that helps: more is known by now than when it was first asked."""
    known = {sample.id: sample for sample in run.task.train}
    for turn in range(run.options.replays):
        due = _ordered(tuple(known[name] for name in run.replay.due(known)), run.options.seed, epoch)
        if due:
            first = [known[name] for name in run.replay.due(sample.id for sample in due)]
            steps.learn(run, f"replay {epoch}.{turn + 1}", first)


def _recheck(run: Session, epoch: int) -> None:
    """A few that were right are answered again with the newest version: measured, not learned from."""
    right = run.replay.right(sample.id for sample in run.task.train)
    seed = seed_of(run.options.seed, "recheck", epoch)
    chosen = set(Random(seed).sample(right, min(run.options.recheck, len(right))))  # noqa: S311 (no secret)
    again = [sample for sample in run.task.train if sample.id in chosen]
    steps.score(run, f"recheck {epoch}", again, run.version)


def _validates(run: Session) -> bool:
    options = run.options
    unsaid = options.epochs > 1 or options.validate_every is not None
    return bool(run.task.val) and (unsaid if options.validate is None else options.validate)


def _ordered(samples: tuple[Sample, ...], seed: int, epoch: int) -> list[Sample]:
    """Short questions first: what they teach one at a time, long ones combine. Seeded among equals."""
    order = list(samples)
    Random(seed_of(seed, "order", epoch)).shuffle(order)  # noqa: S311 (an order, not a secret)
    return sorted(order, key=lambda sample: len(sample.question.split()) // _WORDS)


def limited(task: Task, options: Settings) -> Task:
    """The task with the first `limit` samples of each split."""
    most = options.limit
    return replace(task, train=task.train[:most], val=task.val[:most], test=task.test[:most])
