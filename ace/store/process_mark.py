"""Says which process works on a run, and in which file, so that another one can tell whether it still does.

A run that was killed leaves its row as it was, and a copy of a file has the rows of runs that go on in the
original. A mark holds the number of the process and when that began, and instead of a machine's name and a
file's number digests of them: a playbook is given to others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ace.store.store_database import Place

_BEGAN = 19  # the field of /proc/PID/stat behind the name, from 0: when the process began
_GONE = ("Z", "X", "x")  # states in which nothing is done any more


class ProcessState(StrEnum):
    """Say whether a process still works on a run."""

    ALIVE = "alive"
    GONE = "gone"
    ELSEWHERE = "elsewhere"  # it worked on another file, of which this one is a copy
    UNKNOWN = "unknown"  # it runs on another machine, or this system does not tell


def mark_process(place: Place) -> dict[str, Any]:
    """Return the mark of this process, which works on a run in a playbook, as JSON."""
    pid = os.getpid()
    return {"pid": pid, "host": _digest_host(), "began": _read_stat(pid)[1], "file": _digest_file(place)}


def check_process(mark: Mapping[str, Any] | None, place: Place) -> ProcessState:
    """Tell whether the process of a mark is alive, and works on this playbook. Nothing is sent to it.

    A number that another process has got since does not count, where the system says when that began.
    """
    if mark and mark.get("file") and mark["file"] != _digest_file(place):
        return ProcessState.ELSEWHERE
    if not mark or mark.get("host") != _digest_host() or os.name != "posix":
        return ProcessState.UNKNOWN
    pid = int(mark.get("pid", 0))
    if pid <= 0:
        return ProcessState.UNKNOWN
    try:
        os.kill(pid, 0)  # asks whether it could be signalled
    except ProcessLookupError:
        return ProcessState.GONE
    except PermissionError:  # it is somebody else's, and there
        pass
    state, began = _read_stat(pid)
    is_other = bool(began and mark.get("began")) and began != mark["began"]
    return ProcessState.GONE if is_other or state in _GONE else ProcessState.ALIVE


def _digest_host() -> str:
    """Return what differs between machines, and between containers that count processes apart."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return blake2b(f"{socket.gethostname()} {space}".encode(), digest_size=6).hexdigest()


def _digest_file(place: Place) -> str:
    """Return what differs between a file and a copy of it, wherever that is; "" for a server."""
    if not isinstance(place, Path):
        return ""
    try:
        number = place.stat().st_ino
    except OSError:
        return ""
    return blake2b(f"file {number}".encode(), digest_size=6).hexdigest()


def _read_stat(pid: int) -> tuple[str, str]:
    """Return the state of a process, and when it began in the system's own ticks; "" where nobody says."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "", ""
    fields = text.rpartition(")")[2].split()
    return (fields[0], fields[_BEGAN]) if len(fields) > _BEGAN else ("", "")
