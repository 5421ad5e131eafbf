"""Decide when a failed call is tried again, and after how long.

Knows failures that may pass and the header Retry-After; knows no provider and no library beyond tenacity.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from ace.llm.failures import Cause, Failure

T = TypeVar("T")
OnFailure = Callable[[Failure, float | None], None]
"""Gets every attempt's failure, and the seconds until the next one; None when there is none."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry with exponential back-off and jitter.

    The wait that an endpoint asks for is kept, if it is not more than `max_wait`; one that asks for more is
    given up at once.
    """

    attempts: int = 5
    """The most requests, the first one included."""

    first_wait: float = 0.5
    """The longest random wait before the second, in seconds; it doubles each time."""

    max_wait: float = 60.0
    """No wait is longer, in seconds."""

    most_seconds: float = 600.0
    """After so many in all none begins: a dead endpoint takes two time-outs, not five."""

    sleep: Callable[[float], None] = time.sleep
    """Waits for some seconds."""

    def run(self, call: Callable[[], T], on_failure: OnFailure = lambda failure, wait: None) -> T:
        """Call until it succeeds, fails for good, or `attempts` or `most_seconds` are used up.

        Then its Failure is raised. `on_failure` gets each before the wait that follows it, or None for the
        wait if there is none.
        """
        import tenacity  # brings asyncio with it

        backoff = tenacity.wait_random_exponential(multiplier=self.first_wait, max=self.max_wait)
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        ends = time.monotonic() + self.most_seconds
        while True:
            try:
                return call()
            except Failure as failure:
                wait = read_retry_after(failure)
                if wait is None:
                    wait = backoff(state)
                last = state.attempt_number >= self.attempts or time.monotonic() + wait >= ends
                if last or failure.cause is not Cause.PASSING or wait > self.max_wait:
                    on_failure(failure, None)
                    raise
                on_failure(failure, wait)
                self.sleep(wait)
                state.attempt_number += 1


def read_retry_after(failure: Failure) -> float | None:
    """Return the wait in seconds that an endpoint asked for, as a number of seconds or an HTTP date.

    It is read from the header Retry-After, or from what the answer says; None where there is none, or none
    that can be read.
    """
    try:
        return max(0.0, float(failure.headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = str(failure.headers.get("retry-after") or "")
    if not value:
        return None
    try:
        seconds = float(value)
        return None if math.isnan(seconds) else max(0.0, seconds)
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a time zone
        return None
