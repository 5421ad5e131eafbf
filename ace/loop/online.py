"""Online: answer first, score, then learn. The score is that of the answers as they were given."""

from __future__ import annotations

from functools import partial

from ace.errors import CapReached, InputError
from ace.llm import Team
from ace.loop import steps
from ace.loop.answer_stream import PHASE, Stream
from ace.loop.offline import limited
from ace.loop.online_server import Agent
from ace.loop.options import Progress, Settings, silent
from ace.loop.run import Session, session
from ace.loop.run_outcome import finish
from ace.runs.drift import watch
from ace.runs.report import Report
from ace.store import Store
from ace.task.types import Task


def online(
    task: Task, store: Store, team: Team, options: Settings | None = None, *, progress: Progress = silent
) -> Report:
    """Go once over `task.train` in order, `batch_size` samples to a version.

    `after` in the report is the prequential score: every answer counts as it was given, before its sample
    was learned from, and with `behind` before learning has caught up. `recent` is that of the last ones.
    Raises InputError for a task without samples.
    """
    options = options or Settings()
    task = limited(task, options)
    if not task.train:
        raise InputError(f"Task {task.name} has no samples to serve.", hint="Add some to [data] train.")
    watch(options.drift)  # what is not installed is missed now, not when the run has begun
    if options.behind:
        return _learning_behind(Agent(task, store, team, options, progress))
    with session("online", task, store, team, options, progress, resume=False) as run:
        try:
            _serve(run)
        except CapReached as cap:
            return finish(run, PHASE, stopped=str(cap))
        return finish(run, PHASE)


def _learning_behind(agent: Agent) -> Report:
    """Answers wait for the learner only when it is too far behind."""
    with agent:
        stopped = ""
        for sample in agent.task.train:
            if agent.ended:
                break
            try:
                agent.examine(sample)
            except CapReached as cap:
                stopped = str(cap)
                break
        return agent.close(stopped)


def _serve(run: Session) -> None:
    """One step for each batch, all of whose samples share a version."""
    stream, samples, size = Stream(run), run.task.train, run.options.batch_size
    for start in range(0, len(samples), size):
        run.progress(PHASE, start, len(samples), stream.note())
        part = samples[start : start + size]
        stream.step(part, partial(steps.study, run, PHASE, part, stream.lessons))
    run.progress(PHASE, len(samples), len(samples), stream.note())
