"""Runs Python code that nobody trusts in a child process, which the operating system limits.

Limits are of computing time, time on the clock, memory, the size of a file, open files and processes. The
child has a process group, a folder and an almost empty environment of its own; what it prints goes nowhere.
Nothing keeps it from reading files or from the network: what must not be read belongs in a container.

Run as a script, this module sets the limits on itself and becomes the program: in our own process they would
have to be set between fork and exec, where other threads may hold locks. Imports the standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_MEGABYTE = 1_000_000
_FILES = 64
_GRACE = 1  # seconds of computing between the signal that can be caught and the one that cannot
_CLOCK, _START = 4, 10.0  # seconds on the clock for one of computing, and more to start: others work, too
_LONGEST_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """Limit a child."""

    seconds: int = 5
    """Whole seconds of computing."""

    memory: int = 512
    """Megabytes of address space."""

    output: int = 1
    """Megabytes of one file that it writes, its standard output among them."""

    @property
    def clock(self) -> float:
        """Return the seconds that may pass until it is stopped, whatever it does."""
        return _CLOCK * self.seconds + _START


def run_bounded(program: Path, folder: Path, limits: Limits) -> tuple[bytes, str]:
    """Run a Python program in `folder`; return its standard output, and why it did not come to its end or "".

    Its output is kept in a file beside `folder`. The child and whatever it started are gone when this
    returns. Never raises for what the program does.
    """
    report = folder.parent / "report"
    settings = json.dumps({**asdict(limits), "clock": limits.clock, "program": str(program)})
    command = [sys.executable, "-I", "-S", __file__, settings]
    with report.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            command,
            cwd=folder,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        is_done = _wait_for(child, limits.clock)
    finally:
        # The leader is not reaped yet, so its group's number belongs to nobody else.
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
    with report.open("rb") as written:
        content = written.read(limits.output * _MEGABYTE)
    error = ""
    if not is_done or code == -signal.SIGALRM:
        error = f"stopped after {limits.clock:g} s"
    elif code == -signal.SIGXCPU:
        error = f"stopped after {limits.seconds} s of computing"
    elif code < 0:
        error = f"ended by {signal.Signals(-code).name}"
    elif code:
        error = f"ended with exit code {code}"
    return content, error


def _wait_for(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Return whether the child has ended in time; where the system can, it stays to be reaped.

    It is looked at ever less often, at least fifty times a second.
    """
    deadline, pause = time.monotonic() + seconds, 0.001
    while True:
        if hasattr(os, "waitid"):
            is_done = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        else:
            is_done = child.poll() is not None
        if is_done:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def become_program(settings: str) -> None:
    """Limit this process, and go on as the program that the settings name: this never returns.

    `settings` is the JSON of `Limits` with "clock" and "program", as `run_bounded` writes it. A limit that
    the process has already is never raised.
    """
    import resource  # only POSIX systems have it

    values = json.loads(settings)
    seconds = values["seconds"]
    memory = values["memory"] * _MEGABYTE
    output = values["output"] * _MEGABYTE
    signal.setitimer(signal.ITIMER_REAL, values["clock"])  # holds even where nobody is left to wait
    limits = [
        (resource.RLIMIT_CPU, seconds, seconds + _GRACE),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, output, output),
        (resource.RLIMIT_NOFILE, _FILES, _FILES),
        (resource.RLIMIT_NPROC, 0, 0),  # no further process or thread; the superuser is exempt from it
    ]
    if sys.platform != "darwin":  # which refuses this one
        limits.append((resource.RLIMIT_AS, memory, memory))
    for limit, soft, hard in limits:
        most = resource.getrlimit(limit)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(limit, (soft, hard))
    # Not -I for the program: it would ignore the fixed seed of hashes, and the same code must do the same.
    # Of variables there are only these.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    variables = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", **threads}
    os.execve(sys.executable, [sys.executable, "-s", "-P", values["program"]], variables)  # noqa: S606


if __name__ == "__main__":
    become_program(sys.argv[1])
