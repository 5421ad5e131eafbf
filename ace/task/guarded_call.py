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

_LOOP_ANSWERS = 1.0  # seconds in which an event loop that is not blocked answers


def call_with_limit(function: Callable[[], Any], seconds: float) -> Any:
    """Return what a function returns, or its coroutine. Raises what it raises, or TimeoutError.

    It runs in a thread of its own, a daemon: one that hangs never keeps the process alive. Coroutines are
    awaited in one event loop for all calls.
    """
    result: Future[Any] = Future()
    context = copy_context()

    def call() -> None:
        try:
            result.set_result(context.run(function))
        except BaseException as error:  # for the thread that waits
            result.set_exception(error)

    Thread(target=call, name="guarded call", daemon=True).start()
    return finish_awaitable(_wait(result, seconds), seconds)


def finish_awaitable(value: Any, seconds: float) -> Any:
    """Return a value as it is, and what an awaitable gives. Raises TimeoutError."""
    if inspect.isawaitable(value):
        return _LOOP.wait_for(value, seconds)
    return value


def _wait(result: Future[Any], seconds: float) -> Any:
    try:
        return result.result(timeout=seconds)
    except TimeoutError as error:
        if result.done():  # the code raised it itself
            raise
        raise TimeoutError(f"it took more than {seconds:g} s") from error


@dataclass
class _EventLoop:
    """Runs coroutines of all calls, because clients that they share belong to one event loop."""

    _lock: Lock = field(default_factory=Lock)
    _loop: asyncio.AbstractEventLoop | None = None

    def wait_for(self, awaitable: Awaitable[Any], seconds: float) -> Any:
        """Return the result of `awaitable`, or raise TimeoutError and cancel it."""

        async def wait() -> Any:
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
        """Let later coroutines have a new loop when one of this loop never gives way."""
        alive = Event()
        loop.call_soon_threadsafe(alive.set)
        if not alive.wait(_LOOP_ANSWERS):
            with self._lock:
                if self._loop is loop:
                    self._loop = None


_LOOP = _EventLoop()
