"""The program of the child: imports `solution.py` of its folder, then runs `tests.py`, and reports each test.

Imports the standard library only, and runs nowhere but in that child. A report is one JSON array a line:
["loaded", error], [number of a test, error] and ["ended", error]; an error is one line, "" for none.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import runpy
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

_LONGEST_ERROR = 200
_REFUSED = ("os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess", "pty.")


def main() -> None:
    """Run the tests of the working folder, and report them. What the code prints goes nowhere."""
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):
        os.dup2(nowhere, standard)

    def report(name: object, error: BaseException | None = None) -> None:
        """Write one line of the report, at once: the process may be killed after it."""
        line = json.dumps([name, describe_error(error) if error else ""])
        os.write(channel, f"{line}\n".encode())

    sys.addaudithook(refuse_processes)
    spec = spec_from_file_location("solution", "solution.py")
    if spec is None or spec.loader is None:
        return
    solution = sys.modules["solution"] = module_from_spec(spec)
    try:
        spec.loader.exec_module(solution)
    except BaseException as error:  # whatever the code raises, SystemExit too, is its result
        report("loaded", error)
        return
    report("loaded")
    names = vars(solution) | {"_ace_report": report, "_ace_call": call_test}
    try:
        runpy.run_path("tests.py", init_globals=names)
    except BaseException as error:
        report("ended", error)
    else:
        report("ended")


def call_test(test: Callable[[], Any]) -> None:
    """Call a test function, which may be a coroutine. Raises what it raises."""
    result = test()
    if inspect.iscoroutine(result):
        asyncio.run(result)


def describe_error(error: BaseException) -> str:
    """Return an error in one line of at most 200 characters: its kind and the first line of its message."""
    try:
        lines = str(error).splitlines()
    except Exception:  # of a class of the code's own
        lines = []
    text = type(error).__name__
    if lines and lines[0]:
        text = f"{text}: {lines[0]}"
    return text[:_LONGEST_ERROR]


def refuse_processes(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise for what would start a process: the superuser is exempt from the system's own limit.

    Python calls this for every audited event; see PEP 578.
    """
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event} is not allowed: no further process")


if __name__ == "__main__":
    main()
