"""The command and its one error boundary: whatever goes wrong becomes a message and an exit code here.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 stopped by a cap, 130 interrupted, 143 ended by SIGTERM.
It is no failure when nobody reads the output to its end.
"""

from __future__ import annotations

import errno
import os
import sys
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
from ace.cli.interrupts import Interrupts
from ace.cli.output import has_lost_reader, note, read_argument, set_up_streams
from ace.cli.progress import announce_loading
from ace.errors import AceError

INTERRUPTED = 130

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


def main() -> None:
    """Run the command line and exit."""
    set_up_streams()
    sys.argv[1:] = map(read_argument, sys.argv[1:])
    announce_loading()
    interrupts = Interrupts()
    code: object
    try:
        code = run()
    except SystemExit as stop:
        code = stop.code
        if code == INTERRUPTED:  # outside of a run
            note("ace: interrupted; everything committed so far is kept.")
    if hook_commands.is_called_by_agent(sys.argv[1:]):
        code = 0  # a fault of ours must not break somebody's session
    if code == INTERRUPTED:
        sys.stdout.flush()
        # A normal exit waits for the threads, and they for calls that nobody wants any more.
        os._exit(interrupts.exit_code or INTERRUPTED)
    sys.exit(code)


def run() -> int:
    """Run the command line. Return the exit code of what went wrong, or raise typer's SystemExit."""
    stdout = sys.stdout
    try:
        app(prog_name="ace")
    except SystemExit:
        if sys.stdout is stdout:
            raise
        sys.stdout = stdout  # typer has replaced it after a broken pipe, which may be another one
        pipe = BrokenPipeError("A connection to another process was closed.")
        return 0 if has_lost_reader(stdout) else _fail(pipe, 1, str(pipe))
    except AceError as error:
        return _fail(error, error.exit_code, str(error))
    except OSError as error:  # the machine's fault, in words that are clear enough
        return _fail(error, 1, _word_fault(error))
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}. Set ACE_DEBUG=1 to see the traceback."
        return _fail(error, 1, message)
    return 0


def _word_fault(error: OSError) -> str:
    """Return what the machine refused: the file, why, and what to do. Words of ours stay as they are."""
    if error.errno is None or error.strerror is None:
        return str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            hint = "Free some space, or give another place, and run the command again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            hint = "Give a place that you may read and write."
        case errno.ENOENT | errno.ENOTDIR | errno.EISDIR:
            hint = "Check the path."
        case _:
            hint = ""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}. {hint}".strip()


def _fail(error: Exception, code: int, message: str) -> int:
    """Print why a command failed, without keys, and return its exit code.

    With ACE_DEBUG set, raise the error instead, for its traceback.
    """
    if os.environ.get("ACE_DEBUG"):
        raise error
    from ace.llm.faults import hide  # whatever failed may have put a key into its message

    note(f"ace: {hide(message)}")
    return code
