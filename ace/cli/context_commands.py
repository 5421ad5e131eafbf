"""`ace context show`: what a model would see for a question, and what it would not. No model is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ace.cli.options import Json, TaskFolder, Trust, VersionOption, load_folder, takes
from ace.cli.output import emit
from ace.cli.playbook_places import ShownPlaybook
from ace.errors import InputError
from ace.settings import Command, Settings

if TYPE_CHECKING:
    from ace.context import Assembled
    from ace.llm import Client
    from ace.store import Store
    from ace.store.store_database import Place
    from ace.task import Task

_LOCAL = "local/"
_NO_KEY = "none"  # nothing is asked, so no key is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """Hold what decides a context."""

    command: ClassVar[Command] = Command.CONTEXT

    task: TaskFolder
    sample: Annotated[str, typer.Option(metavar="ID", help="A question of the task, by its id.")]
    playbook: ShownPlaybook = None
    version: VersionOption = None
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Count as this model does.  [default: estimate]"),
    ] = None

    settings: Settings = field(default_factory=Settings)
    """Spread over options of their own by `takes`."""

    text: Annotated[bool, typer.Option("--text", help="Print the prompt itself.")] = False
    trust: Trust = False
    json: Json = False


@takes(ShowOptions)
def show(options: ShowOptions) -> None:
    """Show the context of a question: its parts, their tokens, and what is left out and why."""
    from ace.llm import RoleModels
    from ace.loop.contexts import build_contexts

    task = load_folder(options.task, trust=options.trust)
    samples = {sample.id: sample for sample in (*task.train, *task.val, *task.test)}
    sample = samples.get(options.sample)
    if sample is None:
        close = get_close_matches(options.sample, samples, n=3) or list(samples)[:3]
        message = f"Task {task.name} has no sample {options.sample!r}."
        raise InputError(message, hint=f"It has {', '.join(close)}, ...")
    with ExitStack() as stack:
        store = stack.enter_context(_open_store(task, options.playbook))
        team = RoleModels.of(_connect_to_count(options.model, stack))
        contexts = build_contexts(task, store, team, options.settings)
        context = contexts.assemble_for(sample, store.checkout(options.version))
    if options.text:
        text = f"=== system\n{context.system}\n\n=== user\n{context.user}"
    else:
        text = f"{task.name}, {sample.id}: {_describe_context(context)}"
    emit(options.json, {"task": task.name, "sample": sample.id, **asdict(context)}, text)


@contextmanager
def _open_store(task: Task, file: Place | None) -> Iterator[Store]:
    """Open the playbook file, or a temporary empty one where nothing was learned yet."""
    from ace.store import Store

    path = file or Path(f"{task.name}.db")
    if file or (isinstance(path, Path) and path.exists()):
        with Store.open(path, create=False, read_only=True) as store:
            yield store
        return
    with TemporaryDirectory(prefix="ace-") as folder, Store.open(Path(folder) / "empty.db") as store:
        yield store


def _connect_to_count(model: str | None, stack: ExitStack) -> Client:
    """Connect the client whose tokens are counted. Nothing is asked, so no key and no weights are needed."""
    from ace.llm import ScriptedClient, connect

    if model is None:
        return ScriptedClient(())
    if model.startswith(_LOCAL):
        return stack.enter_context(connect(model, slots=1, fetch=False))
    return stack.enter_context(connect(model, api_key=_NO_KEY))


def _describe_context(context: Assembled) -> str:
    """Return the tokens of every part, what stands before the question, and what was left out."""
    from ace.runs.run_text import align_columns, format_count

    counter = f"{context.counter} itself"
    if context.counter == "estimate":
        counter = "an estimate that is meant to be high"
    blocks = [f"{context.tokens} of {context.budget} tokens, counted by {counter}"]
    rows = []
    for part, tokens in context.tokens_by.items():
        items = sum(item.source == part for item in context.items)
        about = f"{items} items" if items else ""
        if part == "playbook":
            about = format_count(len(context.bullets) + items, "bullet")
            if items:
                about = f"{about}: {len(context.bullets)} for every question, {items} for this one"
        rows.append((part, str(tokens), about))
    blocks.append(align_columns(rows, right=(1,)))
    if context.items:
        rows = [(item.label, str(item.tokens), item.source) for item in context.items]
        blocks.append("Before the question:\n" + align_columns(rows, right=(1,)))
    if context.left_out:
        blocks.append(
            "Left out:\n" + align_columns([(item.source, item.reason) for item in context.left_out])
        )
    return "\n\n".join(blocks)


ABOUT = "What a model sees."
COMMANDS = (show,)
