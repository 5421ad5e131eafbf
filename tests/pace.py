"""How slow this machine is at the moment: limits are longer by that, and work is counted instead of timed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any

_VARIABLE = "ACE_TEST_SLOWNESS"  # processes that tests start need not measure again
_WORK = "total = 0\nfor number in range(1_500_000): total += number * number"
_IDLE = 0.15  # seconds that the work takes on every core of an idle machine
_MOST = 50.0


@cache
def slowness() -> float:
    """Return how many times longer work takes now, on all cores, than on an idle machine; at least 1."""
    if _VARIABLE not in os.environ:
        started = time.perf_counter()
        command = [sys.executable, "-I", "-S", "-c", _WORK]
        processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
        for process in processes:
            process.wait()
        times = (time.perf_counter() - started) / _IDLE
        os.environ[_VARIABLE] = f"{min(max(1.0, times), _MOST):.1f}"
    return float(os.environ[_VARIABLE])


def patience(seconds: float) -> float:
    """Return how long to wait here for what takes no `seconds` on an idle machine."""
    return seconds * slowness()


def count_steps(work: Callable[[], Any]) -> int:
    """Return how many functions a work calls, those written in C included: its time, without the machine.

    The work is done once before, so that what is imported or cached at first use does not count.
    """
    work()
    steps = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return steps
