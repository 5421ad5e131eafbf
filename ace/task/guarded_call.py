"""Call somebody else's code, which may raise, hang, or be a coroutine, with a limit of time.

Knows nothing of what is called.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

# Seconds in which an event loop that is not blocked answers.
_LOOP_ANSWERS = 1.0


def call_with_limit(function: Callable[[], Any], seconds: float) -> Any:
    """Return what a function returns, or its coroutine. Raises what it raises, or TimeoutError.

    It runs in a thread of its own, a daemon: one that hangs never keeps the process alive. Coroutines are
    awaited in one event loop for all calls, in as many seconds again. Context variables are those of the
    caller.
    """
    result: Future[Any] = Future()
    context = copy_context()

    def call() -> None:
        """Call the function, and hand over what comes of it."""
        try:
            result.set_result(context.run(function))
        except BaseException as error:  # for the thread that waits
            result.set_exception(error)

    Thread(target=call, name="guarded call", daemon=True).start()
    return finish_awaitable(_wait(result, seconds), seconds)


def finish_awaitable(value: Any, seconds: float) -> Any:
    """Return a value as it is, and what an awaitable gives within `seconds`.

    Raises what the awaitable raises, or TimeoutError; it is cancelled then.
    """
    if inspect.isawaitable(value):
        return _LOOP.wait_for(value, seconds)
    return value


def _wait(result: Future[Any], seconds: float) -> Any:
    """Return a result, or raise what the code raised; TimeoutError where there is none in time."""
    try:
        return result.result(timeout=seconds)
    except TimeoutError as error:
        if result.done():  # the code raised it itself
            raise
        raise TimeoutError(f"it took more than {seconds:g} s") from error


@dataclass
class _EventLoop:
    """Runs coroutines of all calls, because clients that they share belong to one event loop.

    The loop begins at the first call, in a daemon thread. Safe to use from several threads.
    """

    _lock: Lock = field(default_factory=Lock)
    """Held while a loop is begun or given up."""

    _loop: asyncio.AbstractEventLoop | None = None
    """None before the first call, and after a loop was given up."""

    def wait_for(self, awaitable: Awaitable[Any], seconds: float) -> Any:
        """Return the result of `awaitable`, or raise TimeoutError and cancel it.

        Raises what the awaitable raises. A loop that cannot cancel it, because something in it blocks, is
        given up.
        """

        async def wait() -> Any:
            """Make a coroutine of any awaitable, which the loop asks for."""
            return await awaitable

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                Thread(target=self._loop.run_forever, name="guarded loop", daemon=True).start()
            loop = self._loop
        result = asyncio.run_coroutine_threadsafe(wait(), loop)
        try:
            return _wait(result, seconds)
        except TimeoutError:
            if result.cancel():
                self._drop_if_blocked(loop)
            raise

    def _drop_if_blocked(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let later coroutines have a new loop when one of this loop never gives way.

        The old one goes on in its thread, for those that wait in it.
        """
        alive = Event()
        loop.call_soon_threadsafe(alive.set)
        if not alive.wait(_LOOP_ANSWERS):
            with self._lock:
                if self._loop is loop:
                    self._loop = None


_LOOP = _EventLoop()
