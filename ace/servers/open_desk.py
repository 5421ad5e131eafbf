"""A desk over a playbook file or a folder of them, with the learner that each file gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from ace import api
from ace.errors import InputError
from ace.llm import check_model_name
from ace.loop import choose_agent_task
from ace.runs.drift import make_drift_detector
from ace.servers.desk import Desk
from ace.servers.shelf import Shelf
from ace.store import Store
from ace.store.store_database import Place, ServerAddress
from ace.task.types import Task, TaskContext


@contextmanager
def open_desk(
    place: Place,
    *,
    budget: int = 2_000,
    name: str = "agent",
    task: Task | None = None,
    model: api.Model | None = None,
) -> Iterator[Desk]:
    """Yield a desk over a file, or over the files of a folder. A missing file that ends in .db is made.

    `budget` is the most tokens of a context where a call names none. Episodes belong to `task`, or to one of
    this `name` whose contexts hold memories of users. `model` learns from outcomes; without one they are
    recorded only. In the end what waits to be learned from stays in the files. Raises TaskError for the name,
    ModelNameError for that of a model, InputError for a place that is not there and a package that learning
    needs, and errors of opening the file.
    """
    if task is None:
        task = choose_agent_task(None, name, "", None)
        task = replace(task, context=TaskContext(memories=True))
    if isinstance(model, str):
        check_model_name(model)
    if isinstance(place, ServerAddress):
        Store.open(place).close()
    elif not place.exists() and place.suffix != ".db":
        raise InputError(f"There is no playbook {place}.", hint="Give a folder, or a file that ends in .db.")
    elif not place.exists():
        Store.open(place).close()
    elif not place.is_dir():
        Store.open(place, create=False, read_only=True).close()  # what is no playbook is refused now
    if model is not None:
        make_drift_detector(True)  # what is not installed is missed now, not in every call
    open_learner = partial(api.learner, model=model, task=task, raises=True)
    desk = Desk(Shelf(place, open_learner), budget)
    try:
        yield desk
    finally:
        desk.shelf.close()
