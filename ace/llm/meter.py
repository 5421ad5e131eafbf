"""Count what each role's calls took, and keep the sum of them under caps.

Every request passes here: it is answered from the run's journal if it was paid for before, refused if a cap
says so, and otherwise made, counted and kept. One meter serves all threads of one run at a time.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ace.errors import CapReached
from ace.llm.client import Client, Role, Usage
from ace.llm.journal import Call, Journal, Key
from ace.llm.metered import Metered

_sample: ContextVar[str] = ContextVar("sample", default="")


@dataclass(frozen=True, slots=True)
class Caps:
    """Bound one run, its resumptions included; None is no bound. Cost is in US dollars.

    Seconds are those of the clock on the wall while the run goes on: not those between being stopped and
    being resumed.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


class Meter:
    """Count usage by role and refuse requests that a cap does not allow.

    `calls` counts requests under way as well, so it is never passed. What a request will take is not known
    before it is made: tokens and cost refuse the next one once they are used up.
    """

    def __init__(self, caps: Caps | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps = caps or Caps()
        self._clock = clock
        self._lock = threading.RLock()
        self.begin_run()

    def begin_run(
        self, journal: Journal | None = None, *, spent: Mapping[str, Usage] | None = None, seconds: float = 0
    ) -> None:
        """Count from here on for one run, of which `spent` and `seconds` are behind it already."""
        self.journal = journal
        self._started = self._clock() - seconds
        self._usage: dict[str, Usage] = dict(spent or {})
        self._under_way = 0
        self.begin_step(0, "")

    def end_run(self) -> None:
        """Stop keeping calls: what else is asked is no part of the run."""
        self.journal = None

    def begin_step(self, number: int, phase: str) -> None:
        """Count what follows to this step of the run's journal."""
        with self._lock:
            self.phase = phase
            self._step = number
            self._calls: list[Call] = []
            self._asked: Counter[tuple[str, str, str]] = Counter()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the calls of the step that was begun last, those that the journal answered included."""
        with self._lock:
            return tuple(self._calls)

    @property
    def usage(self) -> dict[str, Usage]:
        """Return a snapshot of what the run has paid for so far, by role."""
        with self._lock:
            return dict(self._usage)

    @property
    def total(self) -> Usage:
        return sum(self.usage.values(), Usage())

    @property
    def seconds(self) -> float:
        """Return what the run has taken so far by the clock on the wall, its earlier sessions included."""
        return self._clock() - self._started

    def client(self, client: Client) -> Client:
        """Return the same client, its calls counted here by the role that asks."""
        return Metered(self, client)

    @contextmanager
    def about(self, sample: str) -> Iterator[None]:
        """Mark calls of this thread within the block as made for `sample`.

        Threads that the block starts know it only if they are started with a copy of its context
        (`contextvars.copy_context().run`).
        """
        token = _sample.set(sample)
        try:
            yield
        finally:
            _sample.reset(token)

    # For `Metered`: one request, from its key to its record.

    def key(self, role: Role, request: str) -> Key:
        """Return the key of the next request with this hash."""
        with self._lock:
            identity = (_sample.get(), role.value, request)
            self._asked[identity] += 1
            return Key(self._step, *identity, self._asked[identity] - 1)

    def begin(self) -> None:
        """Count a request as under way. Raises CapReached if it is not allowed."""
        with self._lock:
            self.check()
            self._under_way += 1

    def abandon(self) -> None:
        """Forget a request that did not come to an end: nothing is known of it."""
        with self._lock:
            self._under_way -= 1

    def end(self, call: Call, *, paid: bool) -> None:
        """Keep a call. `paid` False: the journal had it, so it costs nothing and is written already."""
        with self._lock:
            if self.phase and call.key.step == self._step:  # between steps nobody asks for them
                self._calls.append(call)
            if paid:
                self._under_way -= 1
                self._usage[call.key.role] = self._usage.get(call.key.role, Usage()) + call.usage
        if paid and self.journal is not None:
            self.journal.write(call)

    def check(self) -> None:
        """Raise CapReached if another request is not allowed. One that is made is checked anyway."""
        with self._lock:
            caps, usage, under_way = self.caps, sum(self._usage.values(), Usage()), self._under_way
        amounts: dict[str, tuple[float | None, float | None]] = {
            "calls": (caps.calls, usage.calls + under_way),
            "tokens": (caps.tokens, usage.prompt_tokens + usage.completion_tokens),
            "seconds": (caps.seconds, self.seconds),
            "cost": (caps.cost, usage.cost),
        }
        for cap, (limit, used) in amounts.items():
            if limit is None:
                continue
            if used is None:
                raise CapReached(
                    "The price of this model is unknown, so a cap on cost cannot be kept.",
                    hint="Cap calls instead.",
                    cap=cap,
                    limit=limit,
                    used=None,
                )
            if used >= limit:
                raise CapReached(
                    f"The cap of {_format_amount(cap, limit)} is reached ({_format_amount(cap, used)} used).",
                    hint="What was learned so far is kept.",
                    cap=cap,
                    limit=limit,
                    used=used,
                )


def _format_amount(cap: str, value: float) -> str:
    """Write 12 calls, 1 second, 3.3 seconds, $1.5."""
    if cap == "cost":
        return f"${value:.4g}"
    number = f"{value:,.1f}".removesuffix(".0")
    if number == "1":
        cap = cap.removesuffix("s")
    return f"{number} {cap}"
