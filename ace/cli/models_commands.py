"""`ace models ...`: list models, fetch their weights, and see with small calls what one can do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ace.cli.completion import complete_model
from ace.cli.options import DEFAULT_MODEL, ApiBase, Json
from ace.cli.output import emit
from ace.cli.progress import megabytes, progress

Name = Annotated[
    str,
    typer.Argument(
        metavar="[NAME]", help="local/NAME, or any litellm model name.", autocompletion=complete_model
    ),
]
REMOTE = "Any litellm name works as well, for example openai/gpt-4.1-mini or ollama/llama3.2."


def list_(json: Json = False) -> None:
    """List the models that run in this process, and whether their weights are here."""
    from ace.llm import list_models
    from ace.runs.run_text import align_columns
    from ace.text.sizes import format_size

    models = list_models()
    rows = []
    for model in models:
        rows.append((model.name, format_size(model.size), model.licence, str(model.path or "not fetched")))
    text = f"{align_columns(rows, right=(1,))}\n{REMOTE}"
    emit(json, {"models": [asdict(model) for model in models]}, text)


def pull(name: Name = DEFAULT_MODEL, json: Json = False) -> None:
    """Fetch the weights of a local model, once. An interrupted download continues."""
    from ace.llm import pull

    with progress() as show:
        path = pull(name, megabytes(show))
    emit(json, {"model": name, "path": str(path)}, f"{name} is here, and its digest is right: {path}")


def check(name: Name = DEFAULT_MODEL, api_base: ApiBase = None, json: Json = False) -> None:
    """Make a few small calls, and say what the model's endpoint refuses, leaves out or does otherwise.

    If the first fails, say what is wrong and what to do about it. What is found is allowed for in every run.
    """
    from ace.llm import check
    from ace.runs.run_text import format_cost

    result = check(name, api_base=api_base)
    reply = result.reply.text
    usage = result.reply.usage
    effort = f"{result.seconds:.1f} s and {usage.prompt_tokens + usage.completion_tokens} tokens"
    lines = [f"{name} answered {reply.strip()!r} in {effort}; cost {format_cost(usage.cost)}."]
    lines += [
        f"{'ok' if finding.good else '! '}  {finding.topic}: {finding.text}" for finding in result.findings
    ]
    text = "\n".join(lines)
    data = {
        "model": name,
        "reply": reply,
        "seconds": result.seconds,
        "usage": asdict(usage),
        "findings": [asdict(finding) for finding in result.findings],
    }
    emit(json, data, text)


ABOUT = "Find, fetch and try models."
COMMANDS = (list_, pull, check)
