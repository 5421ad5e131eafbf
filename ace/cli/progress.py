"""Live progress on stderr: one bar per phase on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ace.cli import output
from ace.runs.proven_lessons import ProvenLesson, render_lesson
from ace.runs.time_left import Stretch, TimeEstimate, TimeLeft, describe_left

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

    from ace.store.store_database import Place

SECONDS_BETWEEN_LINES = 10.0
_LONG = 10**6  # bytes: a file from which on work takes long enough to show how far it is


class Show(Protocol):
    """Show how far work is: what ace.loop calls Progress."""

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        """Take in that so much of a phase is done; any thread may call it."""
        ...


class ShowRun(Show, Protocol):
    """Show a run as well: what ace.loop calls RunObserver, and a time left that is known from elsewhere."""

    def expect(self, plan: Sequence[Stretch], /) -> None:
        """Take in what a run will go over, and say from then on how long the rest takes."""
        ...

    def show_lessons(self, lessons: Sequence[ProvenLesson], /) -> None:
        """Show lessons that were proven. A model wrote them: they are plain text."""
        ...

    def show_left(self, estimate: TimeEstimate | None) -> None:
        """Show how long the rest takes, where another process has worked that out."""
        ...


@contextmanager
def progress() -> Iterator[ShowRun]:
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


def announce_loading() -> None:
    """Say on a terminal which library is being loaded that takes seconds. Elsewhere nothing is said."""
    if not sys.stderr.isatty() or "--json" in sys.argv:
        return
    handler = logging.Handler()
    handler.emit = lambda record: output.note(f"ace: {record.getMessage()}")  # type: ignore[method-assign]
    logger = logging.getLogger("ace.loading")  # `ace.llm.providers.LOADING`, without what that imports
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False


def megabytes(show: Show) -> Callable[[str, int, int], None]:
    """Return the function to call with bytes, for downloads: a phase with its unit, in whole megabytes."""
    return lambda what, done, total: show(f"{what} (MB)", done // 10**6, total // 10**6)


class _Lines:
    """Write a phase's first and last line, and the ones between at intervals, so that logs stay short.

    Lines between come after ten seconds at the earliest. Lessons are written as they come, and once a run has
    said what it will go over, lines say how long the rest takes. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._phase = ""
        self._spoke = 0.0
        self._lock = Lock()
        self._left: TimeLeft | None = None  # of a run in this process
        self._fixed: TimeEstimate | None = None  # of one in another

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        with self._lock:
            now = time.monotonic()
            if self._left is not None:
                self._left.observe(phase, done, total, now)
            waited = now - self._spoke >= SECONDS_BETWEEN_LINES
            if phase == self._phase and done < total and not waited:
                return
            self._phase, self._spoke = phase, now
            estimate = self._left.estimate(now) if self._left is not None else self._fixed
        words = [f"{phase} {done}/{total} {note}".rstrip()]
        if done < total:
            words.append(describe_left(estimate))
        output.note(", ".join(filter(None, words)))

    def expect(self, plan: Sequence[Stretch]) -> None:
        """Take in what a run will go over."""
        with self._lock:
            self._left = TimeLeft()
            self._left.expect(plan)

    def show_lessons(self, lessons: Sequence[ProvenLesson]) -> None:
        """Write lessons that were proven."""
        for lesson in lessons:
            output.note(render_lesson(lesson))

    def show_left(self, estimate: TimeEstimate | None) -> None:
        """Take in how long the rest takes, for the lines to come."""
        self._fixed = estimate


@contextmanager
def _bars() -> Iterator[_Bars]:
    """Yield a function that draws a bar for each phase, on a terminal."""
    from rich.console import Console
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    console = Console(stderr=True)
    bars = _Bars(Progress(*columns, console=console), console)
    with Live(bars, console=console, refresh_per_second=4):
        yield bars
        bars.show_left(None)


class _Bars:
    """Draw a bar for each phase, lessons above them, and below them how long the rest of a run takes.

    Safe to use from many threads.
    """

    def __init__(self, bars: Progress, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()
        self._left: TimeLeft | None = None  # of a run in this process
        self._fixed: TimeEstimate | None = None  # of one in another

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        """Open a bar for a phase that is new, and move it on."""
        with self._lock:
            if self._left is not None:
                self._left.observe(phase, done, total, time.monotonic())
            if phase not in self._tasks:
                self._tasks[phase] = self._bars.add_task(phase, total=total, note=note)
        self._bars.update(self._tasks[phase], completed=done, total=total, note=note)

    def __rich__(self) -> RenderableType:
        """Return what is drawn now: rich asks several times a second, so that the time left goes down."""
        from rich.console import Group
        from rich.text import Text

        with self._lock:
            estimate = self._fixed
            if self._left is not None:
                estimate = self._left.estimate(time.monotonic())
        text = describe_left(estimate)
        return Group(self._bars, Text(text, style="bold")) if text else self._bars

    def expect(self, plan: Sequence[Stretch]) -> None:
        """Take in what a run will go over, and say from then on how long the rest takes."""
        with self._lock:
            self._left = TimeLeft()
            self._left.expect(plan)

    def show_lessons(self, lessons: Sequence[ProvenLesson]) -> None:
        """Print lessons that were proven above the bars, as plain text: a model wrote them."""
        from rich.text import Text

        for lesson in lessons:
            self._console.print(Text(output.make_printable(render_lesson(lesson))))

    def show_left(self, estimate: TimeEstimate | None) -> None:
        """Show how long the rest takes; None to say no more of it."""
        with self._lock:
            self._left = None
            self._fixed = estimate
