"""The boundary between the engine and an environment: whatever scoring does, it ends in one Outcome.

An environment is somebody else's code. It may raise, hang, be a coroutine, or return no score at all. Knows
nothing of what is scored.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from typing import Any, SupportsFloat

from ace.errors import CapReached
from ace.task.types import Attempt, Environment, Explaining, Fact, Observing, Outcome, Sample

_LOOP_ANSWERS = 1.0  # seconds in which an event loop that is not blocked answers


def score_attempt(
    environment: Environment, sample: Sample, attempt: Attempt, *, seconds: float = 60.0
) -> Outcome:
    """Score an attempt once and return what the environment says of it.

    An exception, a result that is no Outcome, a score outside 0 to 1 and a time-out become an Outcome with
    `judge_error`. The environment runs in a thread of its own, unless it declares `bounded = True` because
    it limits its own time. Coroutines are awaited in one event loop for all attempts. An environment that
    explains is asked next, under the same limits, what an attempt without the full score lacks.
    Raises CapReached, which ends a run.
    """
    try:
        outcome = _call_guarded(environment, lambda: environment.score(sample, attempt), seconds)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"it returned {outcome!r:.60}, expected an Outcome")
        if outcome.score is None:
            return outcome
        outcome = replace(outcome, score=require_score(outcome.score))
    except CapReached:
        raise
    except TimeoutError as error:
        reason = str(error) or f"it took more than {seconds:g} s"
        return Outcome(observed=attempt.summary, judge_error=f"TimeoutError: {reason}")
    except (Exception, SystemExit) as error:
        return Outcome(observed=attempt.summary, judge_error=f"{type(error).__name__}: {error}")
    return _explain_outcome(outcome, environment, sample, attempt, seconds=seconds)


def observe_attempt(environment: Environment, sample: Sample, attempt: Attempt) -> Outcome:
    """Return what can be seen of an attempt without a label: nothing judges it."""
    if not isinstance(environment, Observing):
        return Outcome(observed=attempt.summary)
    try:
        return environment.observe(sample, attempt)
    except Exception as error:
        return Outcome(observed=attempt.summary, judge_error=f"{type(error).__name__}: {error}")


def require_score(value: object) -> float:
    """Return `value` as a float. Raises ValueError for all but a bool and a number from 0 to 1."""
    if isinstance(value, SupportsFloat):
        score = float(value)
        if 0 <= score <= 1:  # not so for NaN
            return score
    raise ValueError(f"it returned {value!r:.60}, expected a bool or a number from 0 to 1")


def _explain_outcome(
    outcome: Outcome, environment: Environment, sample: Sample, attempt: Attempt, *, seconds: float
) -> Outcome:
    """Add what a wrong attempt lacks. An environment that fails at it leaves a note in `detail`.

    Raises CapReached.
    """
    is_explained = outcome.correct or outcome.missing or outcome.label_error or outcome.judge_error
    if is_explained or not isinstance(environment, Explaining):
        return outcome
    try:
        facts = _call_guarded(environment, lambda: environment.explain(sample, attempt), seconds)
        missing = tuple(facts)
        if not all(isinstance(fact, Fact) for fact in missing):
            raise TypeError(f"it returned {facts!r:.60}, expected facts")
        return replace(outcome, missing=missing)
    except CapReached:
        raise
    except (Exception, SystemExit) as error:
        note = f"not explained: {type(error).__name__}: {error}"
        return replace(outcome, detail=f"{outcome.detail}; {note}" if outcome.detail else note)


def _call_guarded(environment: Environment, function: Callable[[], Any], seconds: float) -> Any:
    """Return the result of a method of an environment, awaited. Raises TimeoutError, and what it raises."""
    is_bounded = getattr(environment, "bounded", False)
    result = function() if is_bounded else _call_in_thread(function, seconds)
    return _LOOP.wait_for(result, seconds) if inspect.isawaitable(result) else result


def _call_in_thread(function: Callable[[], Any], seconds: float) -> Any:
    """Call a function that may hang. Its thread is a daemon: it never keeps the process alive."""
    result: Future[Any] = Future()
    context = copy_context()

    def call() -> None:
        try:
            result.set_result(context.run(function))
        except BaseException as error:  # for the thread that waits
            result.set_exception(error)

    Thread(target=call, name="scoring", daemon=True).start()
    return _wait(result, seconds)


def _wait(result: Future[Any], seconds: float) -> Any:
    try:
        return result.result(timeout=seconds)
    except TimeoutError as error:
        if result.done():  # the environment raised it itself
            raise
        raise TimeoutError(f"it took more than {seconds:g} s") from error


@dataclass
class _EventLoop:
    """Runs coroutines of all attempts, because clients that they share belong to one event loop."""

    _lock: Lock = field(default_factory=Lock)
    _loop: asyncio.AbstractEventLoop | None = None

    def wait_for(self, awaitable: Awaitable[Any], seconds: float) -> Any:
        """Return the result of `awaitable`, or raise TimeoutError and cancel it."""

        async def wait() -> Any:
            return await awaitable

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                Thread(target=self._loop.run_forever, name="scoring loop", daemon=True).start()
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
