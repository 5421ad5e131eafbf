"""Evaluate: score one version of a playbook on one split. Nothing is learned."""

from __future__ import annotations

from ace.errors import CapReached, InputError
from ace.llm.role_models import RoleModels
from ace.loop import steps
from ace.loop.offline import limit_samples
from ace.loop.progress import Progress, silent
from ace.loop.run import RunParts, start_run
from ace.loop.run_outcome import finish
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.store import Ref, Store
from ace.task.types import Task


def evaluate(
    task: Task,
    store: Store,
    models: RoleModels,
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
    version: Ref | None = None,
    resume: bool = False,
) -> Report:
    """Score a version (number, branch or tag; the head by default) on `settings.split`. Every sample counts.

    A cap ends the run: the report then says so in `stopped`, and counts the samples that were scored.
    `resume` goes on with the last unfinished evaluation: of the same version, or the head as it was then.

    Raises InputError for a split without samples, UnknownVersion for a version that is not there,
    ModelUnavailable where the model cannot be reached.
    """
    settings = settings or Settings()
    split = PhaseKind(settings.split)
    samples = getattr(limit_samples(task, settings), settings.split)
    if not samples:
        raise InputError(f"Task {task.name} has no {split} samples.", hint="Choose another --split.")
    named = None if version is None else store.find_version(version)
    parts = RunParts(task=task, store=store, models=models, settings=settings, progress=progress)
    with start_run("eval", parts, resume=resume) as run:
        chosen = run.base if named is None else named
        try:
            steps.score(run, Phase(split), samples, chosen)
        except CapReached as cap:
            return finish(run, split, stopped=str(cap), selected=chosen)
        return finish(run, split, selected=chosen)
