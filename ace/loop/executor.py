"""Parallel work of a run: the protocol of executors, and the one that works in threads.

An executor maps work over items; results come in order. Which one a run has is a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Event
from typing import TYPE_CHECKING, Protocol, TypeVar

from ace.errors import BudgetSpent, CapReached
from ace.llm.meter import mark_calls
from ace.settings import ExecutorKind, Settings

if TYPE_CHECKING:
    from ace.llm.meter import Meter
    from ace.loop.lab import StepLab

T = TypeVar("T")
R = TypeVar("R")

GRACE = 60.0
"""Seconds that calls under way are waited for at a cap: a server that hangs is not waited for much longer."""


class Executor(Protocol):
    """Work on several items at once. Whichever does it, a run makes the same versions."""

    def map(
        self, lab: StepLab, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str]
    ) -> Iterator[R]:
        """Yield the results of `work` in the order of the items; model calls are counted for an item's name.

        What attempts are recorded on the benches of the `lab` is there once a result is. The first error is
        raised; what has not started never does, and the stop event of the run is set for what has. When a cap
        ends the work, calls that are under way are waited for, a minute at most: they are paid, so what they
        say is kept. Where only the calls for learning are used up, the event is not set: the run goes on.
        """
        ...


class ThreadExecutor:
    """Work in threads of this process. With one worker, all is done in the caller's thread."""

    def __init__(self, workers: int, stop: Event) -> None:
        """Use at most `workers` threads, and set `stop` where an error ends all."""
        self._workers, self._stop = workers, stop

    def map(
        self, lab: StepLab, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str]
    ) -> Iterator[R]:
        """Yield the results in order; see `Executor`. Attempts are recorded as they are made."""

        def work_counted(item: T) -> R:
            with mark_calls(name(item)):
                return work(item)

        return ordered_map(work_counted, items, self._workers, self._stop)


def ordered_map(work: Callable[[T], R], items: Sequence[T], workers: int, stop: Event) -> Iterator[R]:
    """Yield the results of `work` in the order of `items`, with at most `workers` threads.

    With one worker, or one item, it runs in the caller's thread, each item when its result is asked for.
    Errors and caps end it as `Executor.map` says.
    """
    if workers <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(workers)
    started = [pool.submit(work, item) for item in items]
    try:
        for future in started:
            yield future.result()
    except BaseException as error:
        if not isinstance(error, BudgetSpent):
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, CapReached):
            # What was cancelled in the queue never tells anybody that it has ended.
            wait([future for future in started if not future.cancelled()], timeout=GRACE)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def open_executor(settings: Settings, meter: Meter, stop: Event) -> Iterator[Executor]:
    """Open the executor that the settings name, and close it at the end.

    A connection to Ray stays until the process ends, or calls `ray.shutdown()`.
    Raises InputError where it is not installed, or its cluster cannot be used.
    """
    if settings.executor is ExecutorKind.THREADS:
        yield ThreadExecutor(settings.workers, stop)
        return
    from ace.loop.ray_cluster import connect_ray
    from ace.loop.ray_executor import RayExecutor

    connect_ray(settings)
    with closing(RayExecutor(meter, settings.workers, stop)) as executor:
        yield executor
