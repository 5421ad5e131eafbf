"""`ace context show`: what a model would see for a question, and what it would not. Nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ace.cli.options import Json, TaskFolder, VersionOption, takes, task_folder
from ace.cli.output import emit
from ace.errors import InputError
from ace.settings import Command, Settings

if TYPE_CHECKING:
    from ace.context import Assembled
    from ace.llm import Client
    from ace.store import Store
    from ace.task import Sample, Task

_LOCAL = "local/"
_NO_KEY = "none"  # nothing is asked, so no key is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """Hold what decides a context."""

    command: ClassVar[Command] = Command.CONTEXT

    task: TaskFolder
    sample: Annotated[str, typer.Option(metavar="ID", help="A question of the task, by its id.")]
    playbook: Annotated[
        Path | None, typer.Option(metavar="FILE", help="[default: the task's name + .db, if there is one]")
    ] = None
    version: VersionOption = None
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Count as this model does.  [default: estimate]"),
    ] = None
    settings: Settings = field(default_factory=Settings)
    text: Annotated[bool, typer.Option("--text", help="Print the prompt itself.")] = False
    json: Json = False


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What a model sees.", no_args_is_help=True)
    group.command("show")(show)
    app.add_typer(group, name="context")


@takes(ShowOptions)
def show(options: ShowOptions) -> None:
    """What goes into the context of a question, what is left out and why, and the tokens of each part."""
    from ace.llm import RoleModels
    from ace.loop.contexts import build_contexts
    from ace.task import load_task

    task = load_task(task_folder(options.task))
    sample = _sample(task, options.sample)
    with ExitStack() as stack:
        store = stack.enter_context(_store(task, options.playbook))
        team = RoleModels.of(_client(options.model, stack))
        made = build_contexts(task, store, team, options.settings).assemble_for(
            sample, store.checkout(options.version)
        )
    text = _prompt(made) if options.text else _table(made, task, sample)
    emit(options.json, {"task": task.name, "sample": sample.id, **asdict(made)}, text)


def _sample(task: Task, name: str) -> Sample:
    known = {sample.id: sample for sample in (*task.train, *task.val, *task.test)}
    if name not in known:
        close = get_close_matches(name, known, n=3) or list(known)[:3]
        raise InputError(f"Task {task.name} has no sample {name!r}.", hint=f"It has {', '.join(close)}, ...")
    return known[name]


@contextmanager
def _store(task: Task, given: Path | None) -> Iterator[Store]:
    """The playbook file; an empty one, gone afterwards, where nothing was learned yet."""
    from ace.store import Store

    path = given or Path(f"{task.name}.db")
    if given or path.exists():
        with Store.open(path, create=False, read_only=True) as store:
            yield store
        return
    with TemporaryDirectory(prefix="ace-") as folder, Store.open(Path(folder) / "empty.db") as store:
        yield store


def _client(model: str | None, stack: ExitStack) -> Client:
    """Something to count with."""
    from ace.llm import ScriptedClient, connect

    if model is None:
        return ScriptedClient(())
    if model.startswith(_LOCAL):
        return stack.enter_context(connect(model, slots=1, fetch=False))
    return stack.enter_context(connect(model, api_key=_NO_KEY))


def _prompt(made: Assembled) -> str:
    return f"=== system\n{made.system}\n\n=== user\n{made.user}"


def _table(made: Assembled, task: Task, sample: Sample) -> str:
    from ace.runs.run_text import align_columns

    head = f"{task.name}, {sample.id}: {made.tokens} of {made.budget} tokens, counted by {_counter(made)}"
    parts: list[list[Any]] = [[name, tokens, _note(made, name)] for name, tokens in made.tokens_by.items()]
    blocks = [head, align_columns([[name, str(tokens), note] for name, tokens, note in parts], right=(1,))]
    if made.items:
        rows = [[item.label, str(item.tokens), item.source] for item in made.items]
        blocks.append("Before the question:\n" + align_columns(rows, right=(1,)))
    if made.left_out:
        rows = [[left.source, left.reason] for left in made.left_out]
        blocks.append("Left out:\n" + align_columns(rows))
    return "\n\n".join(blocks)


def _counter(made: Assembled) -> str:
    return "an estimate that is meant to be high" if made.counter == "estimate" else f"{made.counter} itself"


def _bullets(made: Assembled) -> str:
    """Those in the prefix, and those that were chosen for the question."""
    from ace.runs.run_text import format_count

    chosen = sum(item.source == "playbook" for item in made.items)
    total = format_count(len(made.bullets) + chosen, "bullet")
    return f"{total}: {len(made.bullets)} for every question, {chosen} for this one" if chosen else total


def _note(made: Assembled, part: str) -> str:
    if part == "playbook":
        return _bullets(made)
    found = sum(item.source == part for item in made.items)
    return f"{found} items" if found else ""
