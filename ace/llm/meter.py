"""What each role's calls took, and caps on the sum of them.

Knows usage and time; nothing of prompts or providers. One meter serves all threads of a run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from ace.errors import AceError, CapReached
from ace.llm.client import Client, Message, Reply, Usage


@dataclass(frozen=True, slots=True)
class Caps:
    """Upper bounds for one run; None is no bound. Cost in US dollars, seconds by the clock on the wall."""

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


class Meter:
    """Counts usage by role and refuses calls that a cap does not allow.

    `calls` counts calls under way as well, so it is never passed by a `complete` that starts. What a call
    will take is not known before it is made: tokens and cost refuse the next call once they are used up.
    """

    def __init__(self, caps: Caps | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps = caps or Caps()
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._usage: dict[str, Usage] = {}
        self._under_way = 0

    @property
    def usage(self) -> dict[str, Usage]:
        """So far, by role: a snapshot."""
        with self._lock:
            return dict(self._usage)

    @property
    def total(self) -> Usage:
        return sum(self.usage.values(), Usage())

    def client(self, role: str, client: Client) -> Client:
        """The same client, its calls counted under `role`."""
        return _Metered(self, role, client)

    def check(self) -> None:
        """Raise CapReached if another call is not allowed. A call that is made is checked anyway."""
        with self._lock:
            self._check()

    def begin(self) -> None:
        with self._lock:
            self._check()
            self._under_way += 1

    def end(self, role: str, usage: Usage) -> None:
        with self._lock:
            self._under_way -= 1
            self._usage[role] = self._usage.get(role, Usage()) + usage

    def _check(self) -> None:
        used = sum(self._usage.values(), Usage())
        self._refuse_at("calls", self.caps.calls, used.calls + self._under_way)
        self._refuse_at("tokens", self.caps.tokens, used.prompt_tokens + used.completion_tokens)
        self._refuse_at("seconds", self.caps.seconds, self._clock() - self._started)
        if self.caps.cost is not None and used.cost is None:
            raise CapReached(
                "The price of this model is unknown, so a cap on cost cannot be kept.",
                hint="Cap calls instead.",
                cap="cost",
                limit=self.caps.cost,
                used=None,
            )
        self._refuse_at("cost", self.caps.cost, used.cost or 0.0)

    def _refuse_at(self, cap: str, limit: float | None, used: float) -> None:
        if limit is not None and used >= limit:
            raise CapReached(
                f"The cap of {limit:g} {cap} is reached ({used:g} used).",
                hint="What was learned so far is kept.",
                cap=cap,
                limit=limit,
                used=used,
            )


class _Metered:
    def __init__(self, meter: Meter, role: str, client: Client) -> None:
        self._meter, self._role, self._client = meter, role, client

    @property
    def model(self) -> str:
        return self._client.model

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: type[BaseModel] | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Reply:
        self._meter.begin()
        usage = Usage(calls=1)  # a call that fails without saying what it took
        try:
            reply = self._client.complete(
                messages, schema=schema, temperature=temperature, seed=seed, max_tokens=max_tokens
            )
            usage = reply.usage
            return reply
        except AceError as error:
            usage = error.details.get("usage", usage)
            raise
        finally:
            self._meter.end(self._role, usage)
