"""Online: answer first, score, then learn. The score is that of the answers as they were given."""

from __future__ import annotations

from ace.errors import CapReached, InputError
from ace.loop import steps
from ace.loop.offline import limited
from ace.loop.options import Options, Progress, silent
from ace.loop.outcome import finish
from ace.loop.session import session
from ace.roles import Team
from ace.runs.report import Report
from ace.store import Store
from ace.task.types import Task


def online(
    task: Task, store: Store, team: Team, options: Options | None = None, *, progress: Progress = silent
) -> Report:
    """Go once over `task.train` in order, `batch_size` samples to a version.

    `after` in the report is the prequential score: every answer counts as it was given, before its sample
    was learned from. Raises InputError for a task without training samples.
    """
    options = options or Options()
    task = limited(task, options)
    if not task.train:
        raise InputError(f"Task {task.name} has no samples to serve.", hint="Add some to [data] train.")
    with session("online", task, store, team, options, progress, resume=False) as run:
        try:
            steps.learn(run, "online", task.train)
        except CapReached as cap:
            return finish(run, "online", stopped=str(cap))
        return finish(run, "online")
