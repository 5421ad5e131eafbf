"""What a run needs, opened and closed together: the task, the playbook file, the models, the progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ace.cli.options import LearningOptions, LearnOptions, RunOptions, spelled, task_folder
from ace.cli.progress import Show, megabytes, progress
from ace.errors import AceError, InputError

if TYPE_CHECKING:
    from ace.llm import Client, RoleModels
    from ace.loop import Options
    from ace.store import Store
    from ace.task import Task

_CAPS = ("max_calls", "max_tokens", "max_cost", "max_seconds")


class Interrupted(AceError):
    """Ctrl-C during a run: what was committed is in the file."""

    exit_code = 130


@contextmanager
def session(options: RunOptions) -> Iterator[tuple[Task, Store, RoleModels, Show]]:
    """Everything is checked before a model is started, because that takes a while."""
    from ace.store import Store

    task = _task(options)
    path = options.playbook or Path(f"{task.name}.db")
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(path, branch=options.branch))
        runs = len(store.runs())
        try:
            show = stack.enter_context(progress())
            yield task, store, _team(options, stack, show), show
        except KeyboardInterrupt as error:
            raise _interrupted(options, store, begun=len(store.runs()) > runs) from error


def _interrupted(options: RunOptions, store: Store, *, begun: bool) -> Interrupted:
    """A run that had not begun cannot be resumed."""
    command = resuming(options) if begun or (isinstance(options, LearnOptions) and options.resume) else ""
    hint = f"Continue with `{command}`." if command else "Run the command again."
    return Interrupted(f"interrupted; everything committed so far is in {store.path}.", hint=hint)


def _task(options: RunOptions) -> Task:
    """The task's folder, or a task that is only a name, for logs that come without one."""
    from ace.task import load_task
    from ace.task.samples import NAME
    from ace.task.traces import unjudged

    logs = options if isinstance(options, LearnOptions) and options.from_traces else None
    if options.task:
        if isinstance(options, LearnOptions) and options.name:
            raise InputError(f"TASK {options.task} has a name.", hint="Leave out --name.")
        return load_task(task_folder(options.task))
    if logs is None or logs.from_traces is None:
        raise InputError("Missing TASK.", hint="Give a task folder, or recorded attempts with --from-traces.")
    name = logs.name or logs.from_traces.stem
    if not NAME.fullmatch(name):
        hint = "Give another with --name: letters, digits, '_', '-' and '.'."
        raise InputError(f"{name!r} cannot be the name of a playbook.", hint=hint)
    return unjudged(name)


def loop_options(options: RunOptions) -> Options:
    """The loop's options are the command's of the same name; None leaves the loop's default."""
    from ace import loop
    from ace.task import FeedbackKind

    names = {item.name for item in fields(loop.Options)} & {item.name for item in fields(options)}
    given = {name: getattr(options, name) for name in names}
    if isinstance(options, LearningOptions):
        given["feedback"] = FeedbackKind(options.feedback)
    return loop.Options(**{name: value for name, value in given.items() if value is not None})


def _team(options: RunOptions, stack: ExitStack, show: Show) -> RoleModels:
    from ace.llm import Caps, RoleModels, connect

    @cache  # two roles on one model share one server
    def client(name: str) -> Client:
        shown = megabytes(show)
        found = connect(name, api_base=address(options, name), slots=options.workers, progress=shown)
        return stack.enter_context(found)

    def role(name: str) -> Client:
        return client(getattr(options, f"{name}_model", None) or options.model)

    caps = Caps(
        calls=options.max_calls, tokens=options.max_tokens, cost=options.max_cost, seconds=options.max_seconds
    )
    return RoleModels.of(role("generator"), reflector=role("reflector"), curator=role("curator"), caps=caps)


def address(options: RunOptions, name: str) -> str | None:
    """`--api-base`, for models of the same provider: the key of another one has no business there."""
    providers = {model.partition("/")[0] for model in (name, options.model)}
    return options.api_base if len(providers) == 1 else None


def resuming(options: RunOptions, *, capped: bool = False) -> str:
    """The command that continues a learn run: it wants the same options.

    Caps count from the start of the run, so after one was reached the command has each of them doubled.
    """
    if not isinstance(options, LearnOptions):
        return ""
    wider: dict[str, Any] = {
        cap: float(f"{2 * most or 1:g}") if most % 1 else int(2 * most) or 1
        for cap in _CAPS
        if (most := getattr(options, cap)) is not None
    }
    task = quote(options.task) if options.task else ""
    again = replace(options, task="", resume=True, **(wider if capped else {}))
    return " ".join(filter(None, ("ace learn", task, spelled(again))))
