"""What a run needs, opened and closed together: the task, the playbook file, the models, the progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ace.cli.options import LearnOptions, RunOptions, spell_options, task_folder
from ace.cli.progress import Show, megabytes, progress
from ace.errors import AceError, InputError

if TYPE_CHECKING:
    from ace.llm import Client, RoleModels
    from ace.store import Store
    from ace.task import Task

_CAPS = ("max_calls", "max_tokens", "max_cost", "max_seconds")


class Interrupted(AceError):
    """Ctrl-C during a run: what was committed is in the file."""

    exit_code = 130


@contextmanager
def session(options: RunOptions) -> Iterator[tuple[Task, Store, RoleModels, Show]]:
    """Open what a run needs; check everything before a model is started, because that takes a while."""
    from ace.loop import check_method
    from ace.store import Store

    check_method(options.settings.method)
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
    command = spell_resume(options) if begun or (isinstance(options, LearnOptions) and options.resume) else ""
    hint = f"Continue with `{command}`." if command else "Run the command again."
    return Interrupted(f"interrupted; everything committed so far is in {store.path}.", hint=hint)


def _task(options: RunOptions) -> Task:
    """The task's folder, or a task that is only a name, for logs that come without one."""
    from ace.task import load_task
    from ace.task.samples import NAME
    from ace.task.traces import make_unjudged_task

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
    return make_unjudged_task(name)


def _team(options: RunOptions, stack: ExitStack, show: Show) -> RoleModels:
    from ace.llm import Caps, RoleModels, connect

    @cache  # two roles on one model share one server
    def client(name: str) -> Client:
        shown = megabytes(show)
        found = connect(name, api_base=address(options, name), slots=options.settings.workers, progress=shown)
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


def spell_resume(options: RunOptions, *, capped: bool = False) -> str:
    """Return the command that continues a learn run with the same options, or "" for another run.

    Caps count from the start of the run, so after one was reached the command has each of them doubled.
    """
    if not isinstance(options, LearnOptions):
        return ""
    changes: dict[str, Any] = {"task": "", "resume": True}
    if capped:
        for cap in _CAPS:
            limit = getattr(options, cap)
            if limit is not None:
                changes[cap] = _double(limit)
    words = [
        "ace learn",
        quote(options.task) if options.task else "",
        spell_options(replace(options, **changes)),
    ]
    return " ".join(filter(None, words))


def _double(limit: float) -> float:
    """Return twice a cap, at least 1, with few digits and without a fraction where there was none."""
    if limit % 1:
        return float(f"{2 * limit:g}")
    return int(2 * limit) or 1
