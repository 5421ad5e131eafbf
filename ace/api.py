"""The Python interface: the loops with whatever stands for a model, options as keywords, a playbook as text.

Turns what a caller has at hand into what `ace.loop` wants; knows nothing of how lessons are made. The
public names are listed in `ace`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from ace import loop
from ace.context import render_playbook
from ace.errors import InputError
from ace.llm import DEFAULT_MODEL, Caps, Client, RoleModels, connect
from ace.loop import Agent, Options, Progress, silent
from ace.playbook import Playbook
from ace.runs import Report
from ace.store import Ref, Store
from ace.task import FeedbackKind, Task, load_task
from ace.text import CountTokens, estimate_tokens

Model = str | Client | RoleModels
"""A name (connected for the call, closed after it), a client for every role, or a client for each."""

_CHOICES = {
    "feedback": ("labels", "execution", "none"),
    "accept": ("strict", "best", "always"),
    "split": ("train", "val", "test"),
}


class Settings(TypedDict, total=False):
    """The fields of `ace.loop.Options`, which says what they mean, as keywords."""

    seed: int
    epochs: int
    batch_size: int
    workers: int
    feedback: Literal["labels", "execution", "none"]
    limit: int | None
    budget: int
    select: Literal["hybrid", "oldest"]
    tries: int
    neighbours: int
    replays: int
    graduate: int
    evict: int
    recheck: int
    verify: bool
    merge: bool
    refine: bool
    validate: bool | None
    validate_every: int | None
    accept: Literal["strict", "best", "always"]
    measure: bool
    agreement: int
    rerun: bool
    measure_credit: float
    cite: bool
    split: Literal["train", "val", "test"]
    window: int
    drift: bool
    behind: bool
    waiting: int


def open_playbook(path: str | Path, *, read_only: bool = False, branch: str = "main") -> Store:
    """The playbook file at `path` with its history, made if it is not there. Close it, or use `with`.

    What is learned goes to `branch`.

    Raises NotAPlaybook for another kind of file, StoreUnwritable where none can be made.
    """
    return Store.open(path, create=not read_only, read_only=read_only, branch=branch)


def learn(
    task: Task,
    store: Store,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    resume: bool = False,
    **settings: Unpack[Settings],
) -> Report:
    """Learn from `task.train`; score `task.test` before and after. `resume` continues an unfinished run.

    A cap ends the run cleanly: `report.stopped` says so, and what was learned is kept.
    """
    options = _options(settings)
    with _team(model, caps, options.workers) as team:
        return loop.learn(task, store, team, options, progress=progress, resume=resume)


def online(
    task: Task,
    store: Store,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    **settings: Unpack[Settings],
) -> Report:
    """Go once over `task.train`: answer, score, then learn. `report.after` scores the answers as given."""
    options = _options(settings)
    with _team(model, caps, options.workers) as team:
        return loop.online(task, store, team, options, progress=progress)


@contextmanager
def serve(
    task: Task | str | Path,
    store: Store,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    **settings: Unpack[Settings],
) -> Iterator[Agent]:
    """An agent that answers at once and learns behind, when `agent.feedback` says what became of an answer.

    `task` may be a task's folder. What waits when the block is left is learned from first, unless an error
    leaves it: then the next serving does, because feedback is in the file.
    """
    options = _options(settings)
    found = task if isinstance(task, Task) else load_task(task)
    with (
        _team(model, caps, options.workers) as team,
        loop.serve(found, store, team, options, progress=progress) as agent,
    ):
        yield agent


def evaluate(
    task: Task,
    store: Store,
    model: Model = DEFAULT_MODEL,
    *,
    version: Ref | None = None,
    caps: Caps | None = None,
    progress: Progress = silent,
    **settings: Unpack[Settings],
) -> Report:
    """Score a version (number, branch or tag; the head by default) on `split`. Nothing is learned."""
    options = _options(settings)
    with _team(model, caps, options.workers) as team:
        return loop.evaluate(task, store, team, options, progress=progress, version=version)


def as_context(
    playbook: Store | Playbook, budget: int = 10_000, *, count_tokens: CountTokens = estimate_tokens
) -> str:
    """The active bullets as text for a prompt of one's own, never more than `budget` tokens.

    New bullets append within their section, so a cached prefix lives long. The default counter guesses
    high; give the model's own where there is one.
    """
    value = playbook.checkout() if isinstance(playbook, Store) else playbook
    return render_playbook(value, budget, count_tokens).text


def _options(settings: Settings) -> Options:
    values: dict[str, Any] = {**settings}
    for name, choices in _CHOICES.items():
        if values.get(name, choices[0]) not in choices:
            raise InputError(f"There is no {name} {values[name]!r}.", hint=f"Use {' or '.join(choices)}.")
    if "feedback" in values:
        values["feedback"] = FeedbackKind(values["feedback"])
    return Options(**values)


@contextmanager
def _team(model: Model, caps: Caps | None, workers: int) -> Iterator[RoleModels]:
    if isinstance(model, RoleModels):
        if caps is not None:
            raise InputError(
                "This team has a meter, and caps, of its own.", hint="Give caps to RoleModels.of."
            )
        yield model
    elif isinstance(model, str):
        with connect(model, slots=workers) as client:
            yield RoleModels.of(client, caps=caps)
    else:
        yield RoleModels.of(model, caps=caps)
