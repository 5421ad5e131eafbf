"""Starts a command under limits of the operating system: computing, the clock, memory, files and processes.

Run as a script of its own, it sets them on itself and becomes the command: in our own process they would have
to be set between fork and exec, where other threads may hold locks. Imports the standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence

_MEGABYTE = 1_000_000
_GRACE = 1  # seconds of computing between the signal that can be caught and the one that cannot
_CLOCK, _START = 4, 10.0  # seconds on the clock for one of computing, and more to start: others work, too


def limit_command(
    command: Sequence[str],
    *,
    seconds: int = 0,
    clock: float = 0.0,
    memory: int = 0,
    output: int = 0,
    files: int = 0,
    alone: bool = False,
) -> list[str]:
    """Return the command line that runs a command under limits; 0 is no limit.

    `seconds` are of computing, `clock` is in seconds on the clock; `memory`, of address space, and `output`,
    of one file that is written, are in megabytes; `files` are open at once. With `alone` it may start no
    further process or thread; the superuser is exempt from that. A system that is not POSIX limits nothing.
    """
    if os.name != "posix":
        return list(command)
    sizes = {"memory": memory * _MEGABYTE, "output": output * _MEGABYTE}
    limits = json.dumps({"seconds": seconds, "clock": clock, "files": files, "alone": alone, **sizes})
    return [sys.executable, "-I", "-S", __file__, limits, *command]


def clock_time(seconds: float) -> float:
    """Return how many seconds may pass on the clock for so many seconds of computing."""
    return _CLOCK * seconds + _START


def main() -> None:
    """Limit this process, and become the command; one that cannot be started ends it with the reason.

    The first argument is the JSON that `limit_command` writes. A limit that the process has already is never
    raised.
    """
    import resource  # only POSIX systems have it

    values, command = json.loads(sys.argv[1]), sys.argv[2:]
    # These hold even where nobody is left to wait, and whatever the parent ignored.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, values["clock"])
    limits = [
        (resource.RLIMIT_CPU, values["seconds"], values["seconds"] + _GRACE),
        (resource.RLIMIT_FSIZE, values["output"], values["output"]),
        (resource.RLIMIT_NOFILE, values["files"], values["files"]),
    ]
    if sys.platform != "darwin":  # which refuses this one
        limits.append((resource.RLIMIT_AS, values["memory"], values["memory"]))
    limits = [limit for limit in limits if limit[1]]
    if values["alone"]:
        limits += [(resource.RLIMIT_CORE, 0, 0), (resource.RLIMIT_NPROC, 0, 0)]
    for limit, soft, hard in limits:
        most = resource.getrlimit(limit)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(limit, (soft, hard))
    try:
        os.execvp(command[0], command)  # noqa: S606 (a list of words, no shell)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
