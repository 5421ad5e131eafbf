"""Evaluate: score one version of a playbook on one split. Nothing is learned."""

from __future__ import annotations

from ace.errors import CapReached, InputError
from ace.llm import Team
from ace.loop import steps
from ace.loop.offline import limited
from ace.loop.options import Progress, Settings, silent
from ace.loop.run import session
from ace.loop.run_outcome import finish
from ace.runs.report import Report
from ace.store import Ref, Store
from ace.task.types import Task


def evaluate(
    task: Task,
    store: Store,
    team: Team,
    options: Settings | None = None,
    *,
    progress: Progress = silent,
    version: Ref | None = None,
) -> Report:
    """Score a version (number, branch or tag; the head by default) on `options.split`. Every sample counts.

    Raises InputError for a split without samples, UnknownVersion for a version that is not there.
    """
    options = options or Settings()
    samples = getattr(limited(task, options), options.split)
    if not samples:
        raise InputError(f"Task {task.name} has no {options.split} samples.", hint="Choose another --split.")
    chosen = store.head().number if version is None else store.resolve(version)
    with session("eval", task, store, team, options, progress, resume=False) as run:
        try:
            steps.score(run, options.split, samples, chosen)
        except CapReached as cap:
            return finish(run, options.split, stopped=str(cap), selected=chosen)
        return finish(run, options.split, selected=chosen)
