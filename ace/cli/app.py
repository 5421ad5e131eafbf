"""Puts the commands together: which there are, and under which names.

Importing this reads the options of all of them, which takes longer than most of what is called by programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ace.cli import (
    compare_commands,
    context_commands,
    doctor_commands,
    documents_commands,
    domains_commands,
    hook_commands,
    init_commands,
    learn_commands,
    memory_commands,
    models_commands,
    playbook_commands,
    proxy_commands,
    report_commands,
    runs_commands,
    serve_commands,
    tasks_commands,
    watch_commands,
)
from ace.cli.file_options import FileCommand

# Plain help: it is what docs/cli.md is generated from, and rich alone takes half of the start-up time.
app = typer.Typer(
    name="ace",
    help="An agent that gets better at its work by writing, and proving, its own playbook.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "init": init_commands.init,
    "learn": learn_commands.learn,
    "online": learn_commands.online,
    "eval": learn_commands.evaluate,
    "feedback": serve_commands.feedback,
    "mcp": serve_commands.serve_mcp,
    "ui": serve_commands.show_pages,
    "report": report_commands.report,
    "watch": watch_commands.watch,
    "doctor": doctor_commands.doctor,
}
for name, command in COMMANDS.items():
    app.command(name, cls=FileCommand)(command)
GROUPS = {
    "compare": compare_commands,
    "context": context_commands,
    "documents": documents_commands,
    "domains": domains_commands,
    "hook": hook_commands,
    "memory": memory_commands,
    "playbook": playbook_commands,
    "proxy": proxy_commands,
    "runs": runs_commands,
    "tasks": tasks_commands,
    "models": models_commands,
}
for name, module in GROUPS.items():
    group = typer.Typer(help=module.ABOUT, no_args_is_help=True, cls=getattr(module, "KIND", None))
    for command in module.COMMANDS:
        group.command(command.__name__.rstrip("_").replace("_", "-"), cls=FileCommand)(command)
    app.add_typer(group, name=name)


def _print_version(requested: bool) -> None:
    """Print the version of the package, and exit, where it was asked for."""
    if requested:
        from importlib.metadata import version

        typer.echo(f"ace {version('ace-engine')}")
        raise typer.Exit


@app.callback()
def before_any_command(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options of `ace` itself; its help is in `app`."""
