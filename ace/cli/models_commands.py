"""`ace models ...`: which models there are, their weights, and one tiny call to see that one answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ace.cli.options import DEFAULT_MODEL, ApiBase, Json
from ace.cli.output import emit
from ace.cli.progress import megabytes, progress

Name = Annotated[str, typer.Argument(metavar="[NAME]")]
REMOTE = "Any litellm name works as well, for example openai/gpt-4.1-mini or ollama/llama3.2."


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Find, fetch and try models.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("pull")(pull)
    group.command("check")(check)
    app.add_typer(group, name="models")


def list_(json: Json = False) -> None:
    """The models that run in this process, and whether their weights are here."""
    from ace.llm import list_models
    from ace.runs.run_text import align_columns

    models = list_models()
    rows = [(m.name, f"{m.size // 10**6:,} MB", m.licence, str(m.path or "not fetched")) for m in models]
    text = f"{align_columns(rows, right=(1,))}\n{REMOTE}"
    emit(json, {"models": [asdict(model) for model in models]}, text)


def pull(name: Name = DEFAULT_MODEL, json: Json = False) -> None:
    """Fetch the weights of a local model, once; an interrupted download continues."""
    from ace.llm import pull

    with progress() as show:
        path = pull(name, megabytes(show))
    emit(json, {"model": name, "path": str(path)}, f"{name} is here, and its digest is right: {path}")


def check(name: Name = DEFAULT_MODEL, api_base: ApiBase = None, json: Json = False) -> None:
    """Make one tiny call; say what is wrong if it fails, and what to do about it."""
    from ace.llm import check
    from ace.runs.run_text import format_cost

    found = check(name, api_base=api_base)
    usage = found.reply.usage
    took = f"{found.seconds:.1f} s and {usage.prompt_tokens + usage.completion_tokens} tokens"
    text = f"{name} answered {found.reply.text.strip()!r} in {took}; cost {format_cost(usage.cost)}."
    data = {"model": name, "reply": found.reply.text, "seconds": found.seconds, "usage": asdict(usage)}
    emit(json, data, text)
