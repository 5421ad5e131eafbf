"""Parallel map, ordered results. One worker is plain `map`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import TypeVar

from ace.errors import BudgetSpent, CapReached

T = TypeVar("T")
R = TypeVar("R")

_GRACE = 60.0  # seconds: a server that hangs is not waited for much longer


def ordered_map(work: Callable[[T], R], items: Sequence[T], workers: int, stop: Event) -> Iterator[R]:
    """Yield the results of `work` in the order of `items`, with at most `workers` threads.

    With one worker, or one item, it runs in the caller's thread, each item when its result is asked for. The
    first error is raised; what has not started never does, and `stop` is set for what has. When a cap ends
    the work, calls that are under way are waited for, a minute at most: they are paid, so what they say is
    kept. Where only the calls for learning are used up, `stop` is not set, because the run goes on.
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
            wait(started, timeout=_GRACE)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
