"""When a failed call is tried again, and after how long.

Knows the shape of a transient failure (a status code, a Retry-After header); knows no provider and
no library beyond tenacity.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")
Failed = Callable[[BaseException, float | None], None]
"""Told of every attempt that failed, and the seconds until the next one; None when there is none."""

_TRANSIENT = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with jitter. What an endpoint asks for is waited for, if it is not more than
    `max_wait`; one that asks for more is given up at once.
    """

    attempts: int = 5
    first_wait: float = 0.5
    max_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def run(self, call: Callable[[], T], failed: Failed = lambda error, wait: None) -> T:
        """Call until it succeeds, fails for good, or `attempts` are used up; then its error is raised."""
        import tenacity  # brings asyncio with it

        backoff = tenacity.wait_random_exponential(multiplier=self.first_wait, max=self.max_wait)

        def wait(state: tenacity.RetryCallState) -> float:
            asked = retry_after(_error(state))
            return backoff(state) if asked is None else asked

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            retry=tenacity.retry_if_exception(self._worth_it),
            wait=wait,
            sleep=self.sleep,
            before_sleep=lambda state: _tell(state, failed),
            reraise=True,
        )
        try:
            return retrying(call)
        except Exception as error:  # of any kind: it is only looked at on its way
            failed(error, None)
            raise

    def _worth_it(self, error: BaseException) -> bool:
        return is_transient(error) and (retry_after(error) or 0.0) <= self.max_wait


def is_transient(error: BaseException) -> bool:
    """Rate limits, time-outs, lost connections and 5xx; not an account that ran out of money."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or "insufficient_quota" in str(error):
        return False
    return status in _TRANSIENT or status >= 500


def retry_after(error: BaseException | None) -> float | None:
    """The wait in seconds that the endpoint asked for: a number of seconds, or an HTTP date."""
    response = getattr(error, "response", None)
    for headers in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
        value = (headers or {}).get("retry-after")
        if value:
            return _seconds(str(value))
    return None


def _seconds(value: str) -> float | None:
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a time zone
        return None


def _tell(state: tenacity.RetryCallState, failed: Failed) -> None:
    if (error := _error(state)) is not None:
        failed(error, state.next_action.sleep if state.next_action else 0.0)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
