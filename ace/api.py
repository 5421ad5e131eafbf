"""The Python interface: the loops with whatever stands for a model, settings as keywords, a playbook as text.

It turns what a caller has at hand into what `ace.loop` takes, and knows nothing of how lessons are made. The
public names are listed in `ace`; the settings are declared in `ace.settings`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ace import loop
from ace.agent.watch import WatchedBlock, watch_calls
from ace.context import render_playbook
from ace.errors import InputError
from ace.llm import DEFAULT_MODEL, Caps, Client, RoleModels, connect
from ace.loop import AgentLearner, LearningPlace, OnlineServer, Progress, choose_agent_task, silent
from ace.playbook import Playbook
from ace.runs.drift import make_drift_detector
from ace.runs.report import Report
from ace.runs.run_table import Runs
from ace.runs.study_report import Study
from ace.settings import Command, FeedbackKind, Settings, settings_of
from ace.store import Ref, Store
from ace.store.store_database import Place, parse_place, require_file
from ace.store.study_file import read_study
from ace.task import Task, load_task
from ace.task.solving import AgentFunction
from ace.text import CountTokens, estimate_tokens

Model = str | Client | RoleModels
"""A name (connected for the call, closed after it), a client for every role, or a client for each."""

_BESIDE = ("caps", "progress", "resume", "version", "task", "name", "instructions", "agent", "raises")

Function = TypeVar("Function", bound=Callable[..., Any])


def offers_settings(command: Command) -> Callable[[Function], Function]:
    """Show the settings of a command in a function's signature and docstring, for `help` and notebooks.

    The function itself takes them as `**settings` and checks them.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        parameters.pop()  # **settings
        lines = [inspect.getdoc(function) or "", "", "Settings:"]
        for setting in settings_of(command):
            default = setting.default_for(command)
            parameters.append(
                inspect.Parameter(
                    setting.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=setting.annotation,
                )
            )
            lines.append(f"    {setting.name}: {setting.help}")
        documented: Any = function
        documented.__signature__ = signature.replace(parameters=parameters)
        documented.__doc__ = "\n".join(lines)
        return function

    return decorate


def open_playbook(path: str | Place, *, read_only: bool = False, branch: str = "main") -> Store:
    """Open the playbook at `path` with its history; make it if it is not there. Close it, or use `with`.

    `path` is a file, or the address of one on a server, as "postgresql://USER@HOST/DATABASE". What is learned
    goes to `branch`.

    Raises NotAPlaybook for what is something else, StoreUnwritable where none can be made, and
    StoreUnreachable for a server that does not answer.
    """
    return Store.open(path, create=not read_only, read_only=read_only, branch=branch)


@offers_settings(Command.LEARN)
def learn(
    task: Task | str | Path,
    store: Store | str | Place,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    resume: bool = False,
    **settings: Any,
) -> Report:
    """Learn from `task.train`; score `task.test` before and after. `resume` continues an unfinished run.

    `task` may be a task's folder, and `store` the file or the address of a playbook, which is made if it is
    missing and closed in the end. A cap ends the run cleanly: `report.stopped` says so, and what was learned
    is kept.

    Raises InputError for a setting that is wrong, a method that nobody knows, and a run that cannot be
    resumed with these settings, models and samples; ModelUnavailable where the model is out of reach for
    several samples in a row; and what `ace.connect` raises for a model's name.
    """
    options = _checked_settings(Command.LEARN, settings)
    task = _read_task(task)
    with _connect_roles(model, caps, options.workers) as team, _hold_store(store, create=True) as opened:
        return loop.learn(task, opened, team, options, progress=progress, resume=resume)


@offers_settings(Command.ONLINE)
def online(
    task: Task | str | Path,
    store: Store | str | Place,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    resume: bool = False,
    **settings: Any,
) -> Report:
    """Go once over `task.train`: answer, score, then learn. `report.after` scores the answers as given.

    `resume` continues an unfinished run; one that learned `behind` its answers cannot be continued. A cap
    ends the run cleanly. `task` and `store` may be paths, and errors are raised, as for `ace.learn`.
    """
    options = _checked_settings(Command.ONLINE, settings)
    task = _read_task(task)
    with _connect_roles(model, caps, options.workers) as team, _hold_store(store, create=True) as opened:
        return loop.online(task, opened, team, options, progress=progress, resume=resume)


@offers_settings(Command.SERVE)
@contextmanager
def serve(
    task: Task | str | Path,
    store: Store | str | Place,
    model: Model = DEFAULT_MODEL,
    *,
    caps: Caps | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Iterator[OnlineServer]:
    """Yield an agent that answers at once and learns when `agent.feedback` says what became of an answer.

    `task` may be a task's folder, and `store` the file or the address of a playbook. Feedback that waits when
    the block ends is learned from first. After an error it stays in the file, and the next serving learns
    from it.

    Raises InputError for settings under which feedback could not be learned from, TaskError for a folder that
    cannot be used, and what `ace.connect` raises for a model's name.
    """
    options = _checked_settings(Command.SERVE, settings)
    task = _read_task(task)
    with (
        _connect_roles(model, caps, options.workers) as team,
        _hold_store(store, create=True) as opened,
        loop.serve(task, opened, team, options, progress=progress) as agent,
    ):
        yield agent


@offers_settings(Command.SERVE)
def learner(
    store: Store | str | Place,
    model: Model | None = DEFAULT_MODEL,
    *,
    task: Task | str | Path | None = None,
    name: str = "agent",
    instructions: str = "",
    agent: AgentFunction | None = None,
    caps: Caps | None = None,
    progress: Progress = silent,
    raises: bool = False,
    **settings: Any,
) -> AgentLearner:
    """Return what gives somebody's own agent its context, and learns from what became of its work.

    `store` is a store, or the file or the address of one. `model` learns: it is connected when there is
    something to learn from, and None records only. `task` may be a task's folder; without one it is a task of
    this `name` and `instructions`, which the agent's playbook knows again by the name. With `agent`, a
    function of a question and a context, the agent can be asked again, so that lessons are proven. Use it as
    a context manager, or call `close()`. Where the package that watches for changes is not installed and
    nobody asked for `drift`, it goes without and its report says so.

    Raises InputError or TaskError for what cannot work, and errors of opening the file. Later on it raises
    nothing: see `problems`. With `raises` each call raises its own errors instead, and records nothing then.
    """
    options = _checked_settings(Command.SERVE, settings, caller="learner")
    if options.feedback is not FeedbackKind.LABELS:
        raise InputError("What became of an answer is a label.", hint="Leave out feedback.")
    notes: tuple[str, ...] = ()
    if options.drift and "drift" not in settings:
        try:
            make_drift_detector(True)
        except InputError as error:
            options = replace(options, drift=False)
            if model is not None:
                notes = (f"changes were not watched for: {error}",)
    if isinstance(task, (str, Path)):
        task = load_task(task)
    if not isinstance(store, Store):
        path, branch = parse_place(store), "main"
    else:
        path, branch = store.path, store.branch_name
    place = LearningPlace(
        task=choose_agent_task(task, name, instructions, agent),
        path=path,
        branch=branch,
        settings=options,
        connect=partial(_connect_roles, DEFAULT_MODEL if model is None else model, caps, options.workers),
        progress=progress,
        notes=notes,
    )
    return AgentLearner(place, learns=model is not None, raises=raises)


@contextmanager
def learning(
    store: Store | str | Place | AgentLearner, model: Model | None = DEFAULT_MODEL, **options: Any
) -> Iterator[WatchedBlock]:
    """Yield a block in which calls of openai, anthropic and litellm get the playbook, and are learned from.

    The playbook goes behind the caller's own system prompt; each conversation becomes an episode. Nothing
    else changes, and a fault here never reaches a call. Calls of other threads and tasks than the block's are
    not touched. `options` are the keywords of `learner`, and what is raised for them is the same. In place of
    a store it may be a learner, which then stays open and takes no options.
    """
    if isinstance(store, AgentLearner):
        if options:
            raise InputError("This learner has options of its own.", hint="Give them to ace.learner.")
        with watch_calls(store, store.guard) as block:
            yield block
        return
    with learner(store, model, **options) as episodes, watch_calls(episodes, episodes.guard) as block:
        yield block


@offers_settings(Command.EVAL)
def evaluate(
    task: Task | str | Path,
    store: Store | str | Place,
    model: Model = DEFAULT_MODEL,
    *,
    version: Ref | None = None,
    caps: Caps | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Report:
    """Score a version (number, branch or tag; the head by default) on `split`. Nothing is learned.

    `report.after` has the score. `task` may be a task's folder, and `store` the file or the address of a
    playbook. Raises UnknownVersion where there is no such version, and what `ace.learn`
    raises.
    """
    options = _checked_settings(Command.EVAL, settings)
    task = _read_task(task)
    with _connect_roles(model, caps, options.workers) as team, _hold_store(store, create=True) as opened:
        return loop.evaluate(task, opened, team, options, progress=progress, version=version)


@offers_settings(Command.COMPARE)
def compare(
    task: Task | str | Path,
    model: Model = DEFAULT_MODEL,
    *,
    methods: Sequence[str] = ("ace", "zero_shot", "few_shot"),
    seeds: Sequence[int] = (0, 1, 2),
    floor: bool = True,
    study: str | Path | None = None,
    reference: str = "",
    client: Client | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Study:
    """Run methods with the same samples, model and seeds, and return the study that compares them.

    A method may have options of its own, as "ace+no-refine+tries=3". `floor` adds `zero_shot`. The file
    `study` (by default the task's name and .study.db) keeps every answer: the same call goes on where the
    last one was cut off, and other methods or seeds extend it. `reference` is the method that all others are
    compared with; without one every two are. `client` may stand for `model`.

    Raises InputError for what cannot be compared: another task, data, model or settings than the file has,
    test samples that are learned from, an unknown method.
    """
    options = Settings.of(Command.COMPARE, settings, beside=(*_BESIDE, "methods", "seeds", "study"))
    task = _read_task(task)
    path = require_file(study or f"{task.name}.study.db", "A study")
    known = read_study(path) if path.exists() else None
    plan = loop.plan_study(task, options, methods, seeds, floor=floor, known=known)
    with _connect_roles(model if client is None else client, None, options.workers) as team:
        return loop.compare(plan, path, team, progress=progress).refer_to(reference)


def list_runs(store: Store | str | Place) -> Runs:
    """Return the runs of a playbook file, oldest first: rows, a data frame, or a table in a notebook."""
    with _hold_store(store, read_only=True) as opened:
        return Runs(tuple(opened.runs()))


def as_context(
    playbook: Store | Playbook | str | Place,
    budget: int = 10_000,
    *,
    count_tokens: CountTokens = estimate_tokens,
) -> str:
    """Return the active bullets as text for a prompt of one's own, never more than `budget` tokens.

    Of a store, or of the file or the address of one, those at the head of its branch. New bullets append
    within their section, so a cached prefix lives long. The default counter guesses high; give the model's
    own where there is one. Without a bullet that fits the text is "". Raises InputError for a budget below 0.
    """
    if budget < 0:
        raise InputError(f"budget is {budget}.", hint="Give a number of tokens, at least 0.", field="budget")
    if not isinstance(playbook, Playbook):
        with _hold_store(playbook, read_only=True) as opened:
            playbook = opened.checkout()
    return render_playbook(playbook, budget, count_tokens).text


def _read_task(task: Task | str | Path) -> Task:
    """Return a task, loaded where it is the folder of one. Raises InputError for anything else."""
    if isinstance(task, str | Path):
        return load_task(task)
    if not isinstance(task, Task):
        hint = "Give a task's folder, or what ace.define_task or ace.load_task returns."
        raise InputError(f"task is no task: {task!r:.60}.", hint=hint, field="task")
    return task


@contextmanager
def _hold_store(
    store: Store | str | Place, *, create: bool = False, read_only: bool = False
) -> Iterator[Store]:
    """Yield a store; one that is opened here, from a file or an address, is closed in the end.

    Raises InputError for anything else, and errors of opening.
    """
    if isinstance(store, Store):
        yield store
        return
    if not isinstance(store, str | Place):
        hint = "Give the path of a playbook, or what ace.open_playbook returns."
        raise InputError(f"store is no playbook: {store!r:.60}.", hint=hint, field="store")
    with Store.open(store, create=create, read_only=read_only) as opened:
        yield opened


def _checked_settings(command: Command, keywords: Mapping[str, Any], caller: str = "") -> Settings:
    """Return the keywords as settings. Raises InputError for a wrong name, value or method.

    `caller` is the function that takes them, where it is not called like the command.
    """
    settings = Settings.of(command, keywords, beside=_BESIDE, caller=caller)
    loop.find_method(settings.method)
    return settings


@contextmanager
def _connect_roles(model: Model, caps: Caps | None, workers: int) -> Iterator[RoleModels]:
    """Yield a client for each role; one that was named is connected here, and closed in the end.

    `workers` is the number of slots of an embedded model. Raises InputError for caps beside a team that has
    its own.
    """
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
