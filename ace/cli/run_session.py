"""Open and close together what a run needs: the task, the playbook file, the models, the progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ace.cli.options import (
    LearnOptions,
    NamesModels,
    OnlineOptions,
    RunOptions,
    load_folder,
    spell_options,
)
from ace.cli.output import width
from ace.cli.progress import Show, megabytes, progress
from ace.errors import AceError, InputError
from ace.settings import Command

if TYPE_CHECKING:
    from ace.llm import Client, RoleModels
    from ace.runs.report import Report
    from ace.store import Store
    from ace.store.store_database import Place
    from ace.task import Task

_DATABASE = b"SQLite format 3\0"  # what such a file begins with


class Interrupted(AceError):
    """Report a Ctrl-C during a run: what was committed is in the file."""

    exit_code = 130


@contextmanager
def session(options: RunOptions) -> Iterator[tuple[Task, Store, RoleModels, Show]]:
    """Open what a run needs; check everything before a model is started, because that takes a while."""
    from ace.llm import check_model_name
    from ace.loop import find_method
    from ace.loop.domains import name_branch, open_domain
    from ace.store import Store

    if options.domain and options.branch != "main":
        raise InputError("--domain and --branch both say where to learn.", hint="Give one of them.")

    find_method(options.settings.method)
    task = _load_task(options)
    path = options.playbook or Path(f"{task.name}.db")
    if isinstance(options, LearnOptions) and not (options.playbook or options.task):
        traces = options.from_traces
        path = traces if traces and is_playbook(traces) else path
    if getattr(options, "resume", False) and isinstance(path, Path) and not path.exists():
        hint = "Start a run without --resume, or say with --playbook where it is."
        raise InputError(f"There is no playbook {path}, and so no run to resume.", hint=hint)
    for role in ("generator", "reflector", "curator"):  # before a playbook is made for nothing
        model = _name_model(options, role)
        check_model_name(model, api_base=address(options, model))
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(path, branch=options.branch))
        if options.domain and options.command is Command.EVAL:
            store.switch(name_branch(options.domain))
        elif options.domain:
            open_domain(store, options.domain)
        before = store.run_summaries(limit=1)
        try:
            show = stack.enter_context(progress())
            yield task, store, connect_roles(options, stack, show), show
        except KeyboardInterrupt as error:
            begun = store.run_summaries(limit=1) != before or getattr(options, "resume", False)
            command = spell_resume(options) if begun else ""  # there is no run to resume otherwise
            hint = f"Continue with `{command}`." if command else "Run the command again."
            message = f"interrupted; everything committed so far is in {store.path}."
            raise Interrupted(message, hint=hint) from error


def is_playbook(file: Place) -> bool:
    """Tell whether it is a database, such as a playbook with recorded sessions, and no log."""
    if not isinstance(file, Path):
        return True
    if not file.is_file():  # a pipe would be waited for; who reads it says what it is
        return False
    try:
        with file.open("rb") as opened:
            return opened.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False  # who reads it says why


def _load_task(options: RunOptions) -> Task:
    """Load the task's folder, or make a task that is only a name, for recorded attempts without one."""
    from ace.task.samples import NAME
    from ace.task.traces import make_unjudged_task

    traces, name = None, None
    if isinstance(options, LearnOptions):
        traces, name = options.from_traces, options.name
    if options.task:
        if name:
            raise InputError(f"TASK {options.task} has a name.", hint="Leave out --name.")
        return load_folder(options.task, trust=options.trust)
    if traces is None:
        raise InputError("Missing TASK.", hint="Give a task folder, or recorded attempts with --from-traces.")
    name = name or traces.stem
    if not NAME.fullmatch(name):
        hint = "Give another with --name: letters, digits, '_', '-' and '.'."
        raise InputError(f"{name!r} cannot be the name of a playbook.", hint=hint)
    return make_unjudged_task(name)


def connect_roles(options: NamesModels, stack: ExitStack, show: Show) -> RoleModels:
    """Connect the model of each role, and put all of them under the caps that were asked for."""
    from ace.llm import Caps, RoleModels, connect

    @cache  # two roles on one model share one server
    def connect_once(name: str) -> Client:
        """Connect a model, which is closed with the stack."""
        client = connect(
            name,
            api_base=address(options, name),
            slots=options.settings.workers,
            progress=megabytes(show),
        )
        return stack.enter_context(client)

    def connect_role(role: str) -> Client:
        """Connect the model of a role."""
        return connect_once(_name_model(options, role))

    caps = Caps()
    if isinstance(options, RunOptions):
        caps = Caps(
            calls=options.max_calls,
            tokens=options.max_tokens,
            cost=options.max_cost,
            seconds=options.max_seconds,
        )
    generator = connect_role("generator")
    return RoleModels.of(
        generator, reflector=connect_role("reflector"), curator=connect_role("curator"), caps=caps
    )


def _name_model(options: NamesModels, role: str) -> str:
    """Return the name of a role's own model, or else of the one for all roles."""
    return getattr(options, f"{role}_model", None) or options.model


def address(options: NamesModels, name: str) -> str | None:
    """Return `--api-base` for models of the same provider: another one's key must not be sent there."""
    providers = {model.partition("/")[0] for model in (name, options.model)}
    return options.api_base if len(providers) == 1 else None


def render_close(report: Report, options: RunOptions, resume: str = "") -> str:
    """Return the text that closes a run, with the commands to try next; `resume` is one that continues it."""
    from ace.loop.domains import name_branch
    from ace.runs.run_text import render_report

    return render_report(
        report,
        folder=options.task,
        model=spell_options(
            options, "model", "api_base", "branch", "domain", "method", "examples", "answers", "top"
        ),
        learning=spell_options(options, "feedback"),
        branch=name_branch(options.domain) if options.domain else options.branch,
        resume=resume,
        width=width(),
    )


def spell_resume(options: RunOptions, *, capped: bool = False) -> str:
    """Return the command that continues a run with the same options, or "" for one that cannot be resumed.

    Caps count from the start of the run, so after one was reached (`capped`) the command has each of them
    doubled: at least 1, with few digits, and without a fraction where there was none.
    """
    match options:
        case LearnOptions():
            resumable = True
        case OnlineOptions():
            resumable = not (options.stdin or options.settings.behind)
        case _:
            resumable = False
    if not resumable:
        return ""

    changes: dict[str, Any] = {"task": "", "resume": True}
    for cap in ("max_calls", "max_tokens", "max_cost", "max_seconds"):
        limit = getattr(options, cap)
        if capped and limit is not None:
            has_fraction = limit % 1 != 0
            changes[cap] = float(f"{2 * limit:g}") if has_fraction else int(2 * limit) or 1
    words = [f"ace {options.command}"]
    if options.task:
        words.append(quote(options.task))
    words.append(spell_options(replace(options, **changes)))
    return " ".join(words)
