"""Online: answer first, score, then learn. The score is that of the answers as they were given."""

from __future__ import annotations

from functools import partial

from ace.errors import CapReached, InputError
from ace.llm.role_models import RoleModels
from ace.loop import steps
from ace.loop.answer_stream import ONLINE, AnswerStream
from ace.loop.offline import limit_samples
from ace.loop.online_server import OnlineServer
from ace.loop.progress import Progress, silent
from ace.loop.run import Run, RunParts, start_run
from ace.loop.run_outcome import finish
from ace.runs.drift import make_drift_detector
from ace.runs.report import Report
from ace.runs.steps import PhaseKind
from ace.settings import Settings
from ace.store import Store
from ace.task.types import Task


def online(
    task: Task,
    store: Store,
    models: RoleModels,
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
    resume: bool = False,
) -> Report:
    """Go once over `task.train` in order, `batch_size` samples to a version.

    `after` in the report is the prequential score: every answer counts as it was given, before its sample was
    learned from, and with `behind` before learning has caught up. `recent` is that of the last ones. `resume`
    continues the last unfinished run, unless it learned behind.

    Raises InputError for a task without samples, and for resuming a run that learns behind; ModelUnavailable
    where the model cannot be reached.
    """
    settings = settings or Settings()
    task = limit_samples(task, settings)
    if not task.train:
        raise InputError(f"Task {task.name} has no samples to serve.", hint="Add some to [data] train.")
    make_drift_detector(settings.drift)  # what is not installed is missed now, not when the run has begun
    parts = RunParts(task=task, store=store, models=models, settings=settings, progress=progress)
    if settings.behind:
        if settings.calls:
            raise InputError(
                "The calls of a learner that works behind the answers cannot be told from theirs.",
                hint="Leave out --behind, or --calls; a cap (--max-calls) counts both.",
            )
        if resume:
            raise InputError(
                "A run that learns behind its answers cannot be resumed.",
                hint="Start a new one: it learns from the feedback that is in the file.",
            )
        return _learn_behind(OnlineServer(parts))
    with parts.store.lead(), start_run("online", parts, resume=resume) as run:
        try:
            _answer_and_learn(run)
        except CapReached as cap:
            return finish(run, PhaseKind.ONLINE, stopped=str(cap))
        return finish(run, PhaseKind.ONLINE)


def _learn_behind(server: OnlineServer) -> Report:
    """Answer every sample; answers wait for the learner only when it is too far behind."""
    with server:
        stopped = ""
        for sample in server.task.train:
            if server.ended:
                break
            try:
                server.examine(sample)
            except CapReached as cap:
                stopped = str(cap)
                break
        return server.close(stopped)


def _answer_and_learn(run: Run) -> None:
    """Do one step for each batch, all of whose samples share a version."""
    stream = AnswerStream(run)
    samples = run.task.train
    size = run.settings.batch_size
    for start in range(0, len(samples), size):
        run.progress(str(ONLINE), start, len(samples), stream.note())
        batch = samples[start : start + size]
        stream.step(batch, partial(steps.study, run, ONLINE, batch))
    run.progress(str(ONLINE), len(samples), len(samples), stream.note())
