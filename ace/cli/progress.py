"""Live progress on stderr: one bar per phase on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ace.cli import output

if TYPE_CHECKING:
    from ace.store.database import Place

Show = Callable[..., None]  # (phase, done, total, note=""): what ace.loop calls Progress

SECONDS_BETWEEN_LINES = 10.0
_LONG = 10**6  # bytes: a file from which on work takes long enough to show how far it is


@contextmanager
def progress() -> Iterator[Show]:
    """Yield the function to call whenever something is done; any thread may call it."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with _bars() as show:
        yield show


@contextmanager
def progress_on_terminal(work: Place | int, *, json: bool) -> Iterator[Show]:
    """Yield a function that draws bars on a terminal, for work on a playbook so large that it takes long.

    `work` may also be a number of bytes. Otherwise, and where the result is JSON, it shows nothing. A
    playbook on a server counts as large.
    """
    size = _LONG
    if isinstance(work, int):
        size = work
    elif isinstance(work, Path):
        size = work.stat().st_size
    if size < _LONG or json or not sys.stderr.isatty():
        yield lambda phase, done, total, note="": None
        return
    with _bars() as show:
        yield show


def megabytes(show: Show) -> Show:
    """Return the function to call with bytes, for downloads: a phase with its unit, in whole megabytes."""
    return lambda what, done, total: show(f"{what} (MB)", done // 10**6, total // 10**6)


class _Lines:
    """Write a phase's first and last line, and the ones between at intervals, so that logs stay short.

    Lines between come after ten seconds at the earliest. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._phase = ""
        self._spoke = 0.0
        self._lock = Lock()

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        with self._lock:
            now = time.monotonic()
            waited = now - self._spoke >= SECONDS_BETWEEN_LINES
            if phase == self._phase and done < total and not waited:
                return
            self._phase, self._spoke = phase, now
        output.note(f"{phase} {done}/{total} {note}".rstrip())


@contextmanager
def _bars() -> Iterator[Show]:
    """Yield a function that draws a bar for each phase, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    lock = Lock()
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as live:

        def show(phase: str, done: int, total: int, note: str = "") -> None:
            """Open a bar for a phase that is new, and move it on."""
            with lock:
                if phase not in bars:
                    bars[phase] = live.add_task(phase, total=total, note=note)
            live.update(bars[phase], completed=done, total=total, note=note)

        yield show
