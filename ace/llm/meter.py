"""What each role's calls took, and caps on the sum of them.

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
    """Upper bounds for one run, its resumptions included; None is no bound. Cost in US dollars, seconds by
    the clock on the wall while the run goes on: not those between being stopped and being resumed.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


class Meter:
    """Counts usage by role and refuses requests that a cap does not allow.

    `calls` counts requests under way as well, so it is never passed. What a request will take is not known
    before it is made: tokens and cost refuse the next one once they are used up.
    """

    def __init__(self, caps: Caps | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps = caps or Caps()
        self._clock = clock
        self._lock = threading.Lock()
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
        """What else is asked is no part of the run, and not kept."""
        self.journal = None

    def begin_step(self, number: int, phase: str) -> None:
        """What follows belongs to this step of the run's journal."""
        with self._lock:
            self._step, self._phase = number, phase
            self._calls: list[Call] = []
            self._asked: Counter[tuple[str, str, str]] = Counter()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Of the step that was begun last, those that the journal answered included."""
        with self._lock:
            return tuple(self._calls)

    @property
    def usage(self) -> dict[str, Usage]:
        """What the run has paid for so far, by role: a snapshot."""
        with self._lock:
            return dict(self._usage)

    @property
    def seconds(self) -> float:
        """What the run has taken so far by the clock on the wall, its earlier sessions included."""
        return self._clock() - self._started

    @property
    def total(self) -> Usage:
        return sum(self.usage.values(), Usage())

    def client(self, client: Client) -> Client:
        """Return the same client, its calls counted here by the role that asks."""
        return Metered(self, client)

    @contextmanager
    def about(self, sample: str) -> Iterator[None]:
        """Calls of this thread within the block are made for `sample`. Threads that the block starts know it
        only if they are started with a copy of its context (`contextvars.copy_context().run`).
        """
        token = _sample.set(sample)
        try:
            yield
        finally:
            _sample.reset(token)

    # For `Metered`: one request, from its key to its record.

    def key(self, role: Role, request: str) -> Key:
        with self._lock:
            what = (_sample.get(), role.value, request)
            self._asked[what] += 1
            return Key(self._step, *what, self._asked[what] - 1)

    @property
    def phase(self) -> str:
        return self._phase

    def check(self) -> None:
        """Raise CapReached if another request is not allowed. One that is made is checked anyway."""
        with self._lock:
            self._check()

    def begin(self) -> None:
        with self._lock:
            self._check()
            self._under_way += 1

    def abandon(self) -> None:
        """The request did not come to an end: nothing is known of it."""
        with self._lock:
            self._under_way -= 1

    def end(self, call: Call, *, paid: bool) -> None:
        """Keep it. `paid` False: the journal had it, so it costs nothing and is written already."""
        with self._lock:
            if self._phase and call.key.step == self._step:  # between steps nobody asks for them
                self._calls.append(call)
            if paid:
                self._under_way -= 1
                self._usage[call.key.role] = self._usage.get(call.key.role, Usage()) + call.usage
        if paid and self.journal is not None:
            self.journal.write(call)

    def _check(self) -> None:
        used = sum(self._usage.values(), Usage())
        self._refuse_at("calls", self.caps.calls, used.calls + self._under_way)
        self._refuse_at("tokens", self.caps.tokens, used.prompt_tokens + used.completion_tokens)
        self._refuse_at("seconds", self.caps.seconds, self.seconds)
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
                f"The cap of {_amount(cap, limit)} is reached ({_amount(cap, used)} used).",
                hint="What was learned so far is kept.",
                cap=cap,
                limit=limit,
                used=used,
            )


def _amount(cap: str, value: float) -> str:
    """12 calls, 1 second, 3.3 seconds, $1.5."""
    if cap == "cost":
        return f"${value:.4g}"
    number = f"{value:,.1f}".removesuffix(".0")
    return f"{number} {cap.removesuffix('s') if number == '1' else cap}"
