"""Runs Python code that nobody trusts in a child process, which the operating system limits.

Limits are of computing time, time on the clock, memory, the size of a file, open files and processes. The
child has a process group, a folder and an almost empty environment of its own; what it prints goes nowhere.
Nothing keeps it from reading files or from the network: what must not be read belongs in a container.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ace.task.limited_process import clock_time, limit_command

_MEGABYTE = 1_000_000
_FILES = 64
_LONGEST_PAUSE = 0.02
# Without a fixed seed of hashes the same code might do another thing.
_VARIABLES = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
_VARIABLES |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


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
        return clock_time(self.seconds)


def run_bounded(program: Path, folder: Path, limits: Limits) -> tuple[bytes, str]:
    """Run a Python program in `folder`; return its standard output, and why it did not come to its end or "".

    Its output is kept in a file beside `folder`. The child and whatever it started are gone when this
    returns. Never raises for what the program does.
    """
    report = folder.parent / "report"
    command = limit_command(
        [sys.executable, "-s", "-P", str(program)],  # not -I: it would ignore the fixed seed
        seconds=limits.seconds,
        clock=limits.clock,
        memory=limits.memory,
        output=limits.output,
        files=_FILES,
        alone=True,
    )
    with report.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            command,
            cwd=folder,
            env=_VARIABLES,
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
