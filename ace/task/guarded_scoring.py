"""The boundary between the engine and an environment: whatever scoring does, it ends in one Outcome.

An environment is somebody else's code. It may raise, hang, be a coroutine, or return no score at all. Knows
nothing of what is scored.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, SupportsFloat, runtime_checkable

from ace.errors import CapReached, ModelUnavailable, describe_error
from ace.task.guarded_call import call_with_limit, finish_awaitable
from ace.task.types import Attempt, Environment, Explaining, Fact, Failure, Observing, Outcome, Sample


@runtime_checkable
class Composing(Protocol):
    """Environments that make one question of two: a lesson that holds alone may fail beside another."""

    def compose(self, first: Sample, second: Sample) -> Sample | None:
        """Return a sample that asks both, with an id of its own; None where two do not make one.

        Its data hold what judges it. Both samples are from training, and of one user or of nobody.
        """
        ...


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
        return Outcome(
            observed=attempt.summary, judge_error=describe_error(error), judge_failure=_classify(error)
        )
    return _explain_outcome(outcome, environment, sample, attempt, seconds=seconds)


def observe_attempt(environment: Environment, sample: Sample, attempt: Attempt) -> Outcome:
    """Return what can be seen of an attempt without a label: nothing judges it.

    Of an environment that observes nothing that is what a tool returned last, or else the answer; an attempt
    that acted has `ran` where something is left of it. What it raises becomes a `judge_error`.
    """
    if not isinstance(environment, Observing):
        ran = bool(attempt.artifacts) if attempt.observations else None
        return Outcome(observed=attempt.last_seen, ran=ran)
    try:
        return environment.observe(sample, attempt)
    except (Exception, SystemExit) as error:
        return Outcome(observed=attempt.summary, judge_error=describe_error(error))


def compose_samples(
    environment: Environment, first: Sample, second: Sample, *, seconds: float = 60.0
) -> Sample | None:
    """Return the question that an environment makes of two samples; None where it makes none.

    So it is where it raises, hangs, or makes what its own check refuses: nothing depends on a composed one.
    """
    if not isinstance(environment, Composing):
        return None

    def make() -> Sample | None:
        """Compose the two, and check what comes of it."""
        sample = environment.compose(first, second)
        if sample is not None:
            environment.check(sample)
        return sample

    try:
        composed = _call_guarded(environment, make, seconds)
    except CapReached:
        raise
    except (Exception, SystemExit):
        return None
    is_new = isinstance(composed, Sample) and composed.id not in (first.id, second.id)
    return composed if is_new else None


def require_score(value: object, scale: tuple[float, float] = (0.0, 1.0)) -> float:
    """Return `value` as a float from 0 to 1: 1 for True, 0 for False, a number by its place on the scale.

    A scale is its lowest and its highest score. Numbers of other libraries, such as numpy's, count as well.
    Raises ValueError for all but a bool and a number of the scale: it is never guessed.
    """
    low, high = scale
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, SupportsFloat):
        score = float(value)
        if low <= score <= high:  # not so for NaN
            return (score - low) / (high - low)
    expected = f"a bool, a number from {low:g} to {high:g} or an Outcome"
    raise ValueError(f"it returned {value!r:.60}, expected {expected}; another scale must be given")


def _explain_outcome(
    outcome: Outcome, environment: Environment, sample: Sample, attempt: Attempt, *, seconds: float
) -> Outcome:
    """Add what a wrong attempt lacks. An environment that fails at it leaves a note in `detail`.

    The outcome comes back as it is for a right attempt, one that is explained, and a broken label. Raises
    CapReached.
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
        notes = [outcome.detail, f"not explained: {describe_error(error)}"]
        return replace(outcome, detail="; ".join(filter(None, notes)))


def _classify(error: BaseException) -> Failure:
    """Return UNREACHABLE for an error that began with somebody who does not answer, else OTHER.

    Libraries wrap the error of the operating system, often several times.
    """
    cause: BaseException | None = error
    seen = set[int]()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, ModelUnavailable | ConnectionError | socket.gaierror):
            return Failure.UNREACHABLE
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return Failure.OTHER


def _call_guarded(environment: Environment, function: Callable[[], Any], seconds: float) -> Any:
    """Return the result of a method of an environment, awaited. Raises TimeoutError, and what it raises.

    An environment that limits its own time is called in this thread.
    """
    if getattr(environment, "bounded", False):
        return finish_awaitable(function(), seconds)
    return call_with_limit(function, seconds)
