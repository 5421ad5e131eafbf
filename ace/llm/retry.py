"""Decide when a failed call is tried again, and after how long.

Knows the shape of a transient failure (a status code, a Retry-After header); knows no provider and
no library beyond tenacity.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from ace.llm.faults import is_out_of_credit

T = TypeVar("T")
OnFailure = Callable[[BaseException, float | None], None]
"""Gets every attempt's error, and the seconds until the next one; None when there is none."""

_TRANSIENT = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry with exponential back-off and jitter; waits are in seconds.

    `attempts` includes the first one. Before each of the others lies a random wait, `first_wait` at most the
    first time and twice as much each time, but never more than `max_wait`. The wait that an endpoint asks
    for is kept, if it is not more than `max_wait`; one that asks for more is given up at once. `sleep` waits.
    """

    attempts: int = 5
    first_wait: float = 0.5
    max_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def run(self, call: Callable[[], T], on_failure: OnFailure = lambda error, wait: None) -> T:
        """Call until it succeeds, fails for good, or `attempts` are used up; then its error is raised.

        `on_failure` gets each error before the wait that follows it, or None for the wait if there is none.
        """
        import tenacity  # brings asyncio with it

        backoff = tenacity.wait_random_exponential(multiplier=self.first_wait, max=self.max_wait)
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        while True:
            try:
                return call()
            except Exception as error:  # of any kind: it is only looked at on its way
                wait = read_retry_after(error)
                if wait is None:
                    wait = backoff(state)
                last = state.attempt_number >= self.attempts
                if last or not is_transient(error) or wait > self.max_wait:
                    on_failure(error, None)
                    raise
                on_failure(error, wait)
                self.sleep(wait)
                state.attempt_number += 1


def is_transient(error: BaseException) -> bool:
    """Tell whether a failure may pass: rate limits, time-outs and 5xx do, an empty account does not.

    An exception without a status code comes from no endpoint, and does not pass.
    """
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or is_out_of_credit(error):
        return False
    return status in _TRANSIENT or status >= 500


def read_retry_after(error: BaseException | None) -> float | None:
    """Return the wait in seconds that an endpoint asked for, as a number of seconds or an HTTP date.

    It is read from the header Retry-After; None where there is none, or none that can be read.
    """
    response = getattr(error, "response", None)
    for headers in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
        value = str((headers or {}).get("retry-after") or "")
        if not value:
            continue
        try:
            return max(0.0, float(value))
        except ValueError:
            pass
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):  # TypeError: a date without a time zone
            return None
    return None
