"""The command and its one error boundary: whatever goes wrong becomes a message and an exit code here.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 stopped by a cap, 130 interrupted, 143 ended by SIGTERM.
It is no failure when nobody reads the output to its end.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from ace.cli.hook_calls import answer_call, is_called_by_agent, read_call
from ace.cli.interrupts import Interrupts
from ace.cli.output import has_lost_reader, note, read_argument, set_up_streams
from ace.errors import AceError

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit."""
    set_up_streams()
    sys.argv[1:] = map(read_argument, sys.argv[1:])
    if is_called_by_agent(sys.argv[1:]):
        with suppress(SystemExit, KeyboardInterrupt):
            run()
        sys.exit(0)  # a fault of ours must not break somebody's session
    from ace.cli.progress import announce_loading  # takes as long as a hook does

    announce_loading()
    interrupts = Interrupts()
    code: object
    try:
        code = run()
    except SystemExit as stop:
        code = stop.code
        if code == INTERRUPTED:  # outside of a run
            note("ace: interrupted; everything committed so far is kept.")
    if code == INTERRUPTED:
        sys.stdout.flush()
        # A normal exit waits for the threads, and they for calls that nobody wants any more.
        os._exit(interrupts.exit_code or INTERRUPTED)
    sys.exit(code)


def run() -> int:
    """Run the command line. Return the exit code of what went wrong, or raise typer's SystemExit."""
    stdout = sys.stdout
    try:
        call = read_call(sys.argv[1:])
        if call is not None:
            answer_call(call)
            return 0
        from ace.cli import app as commands  # takes long to import, and no hook needs it

        commands.app(prog_name="ace")
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
