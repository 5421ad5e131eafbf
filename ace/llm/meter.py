"""Count what each role's calls took, and keep the sum of them under caps.

Every request passes here: it is answered from the run's journal if it was paid for before, refused if a cap
says so, and otherwise made, counted and kept. One meter serves all threads of one run at a time:

    meter = Meter(Caps(calls=500, cost=2.0))
    client = meter.client(connect("openai/gpt-4.1-mini"))
    client.complete(request)  # raises CapReached once 500 requests were made
    meter.total.cost  # US dollars; None where the price is unknown
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ace.errors import AceError, BudgetSpent, CapReached, MalformedReply
from ace.llm import asking
from ace.llm.client import Client, Reply, Request, Role, Usage
from ace.llm.faults import (
    IN_THE_REPLY,
    Action,
    Fault,
    Kind,
    count_requests,
    hide,
    number_faults,
    shorten_detail,
)
from ace.llm.journal import Call, Journal, Key, identify_request
from ace.llm.structured import parse
from ace.llm.transcript import join_reply, split_reply
from ace.llm.window import Window, access_of, longest_of, window_of
from ace.llm.written_calls import writes_calls

calls_for: ContextVar[str] = ContextVar("calls_for", default="")
"""The sample that calls of this thread are made for; "" where nobody said."""
_answers: ContextVar[bool] = ContextVar("answers", default=False)


@dataclass(frozen=True, slots=True)
class Caps:
    """Bound one run, its resumptions included; None is no bound."""

    calls: int | None = None
    """The most requests, each try for itself."""

    tokens: int | None = None
    """The most tokens of prompts and completions together, cached ones too."""

    cost: float | None = None
    """In US dollars; it cannot be kept for a model whose price is unknown."""

    seconds: float | None = None
    """By the clock on the wall while the run goes on: no time between a stop and a resumption."""


@contextmanager
def mark_calls(sample: str, *, answers: bool = False) -> Iterator[None]:
    """Mark calls of this thread within the block as made for `sample`; `answers` if somebody waits for them.

    Threads that the block starts know it only if they are started with a copy of its context
    (`contextvars.copy_context().run`).
    """
    token, before = calls_for.set(sample), _answers.set(answers or _answers.get())
    try:
        yield
    finally:
        calls_for.reset(token)
        _answers.reset(before)


class Meter:
    """Count usage by role and refuse requests that a cap does not allow.

    `calls` counts requests under way as well, so it is never passed. What a request will take is not known
    before it is made: tokens and cost refuse the next one once they are used up.

    `journal` keeps the requests of the run under way; it is None outside of runs. `phase` is that of the
    step.
    """

    def __init__(self, caps: Caps | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count. `clock` returns seconds from any point on, and never goes back."""
        self.caps = caps or Caps()
        self.on_progress: Callable[[], object] = lambda: None
        """Called when a request begins or ends; not for answers that somebody waits for."""
        self._clock = clock
        self._lock = threading.RLock()
        self._under_way = 0
        self.begin_run()

    def begin_run(
        self, journal: Journal | None = None, *, spent: Mapping[str, Usage] | None = None, seconds: float = 0
    ) -> None:
        """Count from here on for one run. Its requests are looked up in `journal`, and kept there.

        `spent` (by role) and `seconds` are what earlier sessions of the run took: they count towards the
        caps. What was counted before is forgotten.
        """
        self.journal = journal
        self._started = self._clock() - seconds
        with self._lock:  # requests of other threads may be under way, and end in this run
            self._usage: dict[str, Usage] = dict(spent or {})
        self.begin_step(0, "")

    def begin_step(self, number: int, phase: str) -> None:
        """Count what follows to this step of the run's journal. Occurrences are counted anew."""
        with self._lock:
            self.phase = phase
            self._step = number
            self._paid = 0
            self._most: int | None = None
            self._calls: list[Call] = []
            self._asked: Counter[tuple[str, str, str]] = Counter()

    def limit_step(self, most: int | None) -> None:
        """Let the step pay for so many requests in all, those since its beginning included; None is any.

        The next one raises BudgetSpent. What the journal answers costs nothing.
        """
        with self._lock:
            self._most = most

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
        """Return what the run has paid for so far, over all roles."""
        return sum(self.usage.values(), Usage())

    @property
    def seconds(self) -> float:
        """Return what the run has taken so far by the clock on the wall, its earlier sessions included."""
        return self._clock() - self._started

    def client(self, client: Client) -> Client:
        """Return the same client, its calls counted here by the role that asks.

        Its `complete` raises CapReached before a request that a cap does not allow. A request that the
        journal holds costs nothing, and is answered whatever the caps say.
        """
        return Metered(self, client)

    # For `Metered`: a request, from its key to its record.

    def start(self, role: Role, request: str) -> tuple[Key, Reply | None]:
        """Number a request by its hash, and return its key with the journal's reply, if there is one.

        Without one it is under way from here on. Raises CapReached if it is not allowed.
        """
        if not _answers.get():
            self.on_progress()
        with self._lock:
            sample = calls_for.get()
            identity = (sample, role.value, request)
            occurrence = self._asked[identity]
            key = Key(self._step, sample, role.value, request, occurrence)
            self._asked[identity] = occurrence + 1
        recorded = None
        if self.journal is not None:
            recorded = self.journal.find(key)
        if recorded is None:
            with self._lock:
                usage = sum(self._usage.values(), Usage(calls=self._under_way))
                _check_caps(self.caps, usage, self.seconds)
                if self._most is not None and self._paid + self._under_way >= self._most:
                    raise BudgetSpent(
                        "The calls for learning are used up.",
                        hint="Give more of them (--calls).",
                        cap="calls",
                        limit=self._most,
                        used=self._paid,
                    )
                self._under_way += 1
        return key, recorded

    def end(self, call: Call | None, *, paid: bool) -> None:
        """Keep a call; None is a request that did not come to an end, of which nothing is known.

        `paid` False: the journal had its reply, so it costs nothing and is written already.
        """
        if not _answers.get():
            self.on_progress()
        with self._lock:
            if paid:
                self._under_way -= 1
            if call is None:
                return
            if self.phase and call.key.step == self._step:  # between steps nobody asks for them
                self._calls.append(call)
            if paid:
                self._usage[call.key.role] = self._usage.get(call.key.role, Usage()) + call.usage
                if call.key.step == self._step:
                    self._paid += call.usage.calls
        if paid and self.journal is not None:
            self.journal.write(call)


def _check_caps(caps: Caps, usage: Usage, seconds: float) -> None:
    """Raise CapReached if no further request is allowed after `usage` and `seconds`.

    A cap on cost is reached at once where the price is unknown: it could not be kept.
    """
    amounts: dict[str, tuple[float | None, float | None]] = {
        "calls": (caps.calls, usage.calls),
        "tokens": (caps.tokens, usage.prompt_tokens + usage.completion_tokens),
        "seconds": (caps.seconds, seconds),
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


class Metered:
    """Pass every request of a client through the meter: found in the journal, or allowed, made and kept.

    A client that `Asks` is metered request by request; any other is a single request, however many it makes.
    What else a client tells of its model (`window`, `access`, `writes_calls`) is passed on.
    """

    def __init__(self, meter: Meter, client: Client) -> None:
        self._meter, self._client = meter, client
        self.model = client.model
        self.writes_calls = writes_calls(client)

    def complete(self, request: Request) -> Reply:
        """Answer as the client does. Raises what it raises, and CapReached where a cap forbids a request."""
        client = self._client
        if isinstance(client, asking.Asks):
            requests = _Requests(self._meter, client.model, client.ask)
            return asking.complete(requests.ask, request, tries=client.tries, keep=requests.keep)
        requests = _Requests(self._meter, client.model, client.complete)
        reply = split_reply(requests.ask(request), tools=bool(request.tools))
        if reply.parsed is None and request.schema is not None and not reply.tool_calls:
            value, _ = parse(reply.text, request.schema)  # the journal keeps no values
            reply = replace(reply, parsed=value)
        text = reply.text
        if reply.parsed is not None:
            text = reply.parsed.model_dump_json(by_alias=True)
        requests.keep(replace(reply, text=text))
        return reply

    def window(self) -> Window:
        """Return what the client says of its model's window."""
        return window_of(self._client)

    def access(self) -> Mapping[str, str]:
        """Return how others may reach the client's model."""
        return access_of(self._client)

    @property
    def longest(self) -> float:
        """Return the seconds that a request may take; 0 where the client does not say."""
        return longest_of(self._client)


@dataclass(slots=True)
class _Requests:
    """Make the requests of one call, one after the other: each is asked for, looked at, and then kept."""

    meter: Meter
    """Counts them, and finds those that the journal holds."""

    model: str
    """The name under which they are journaled."""

    make: Callable[[Request], Reply]
    """Makes one request."""

    key: Key = Key(0, "", "", "", 0)  # noqa: RUF009 (it is a tuple)
    """That of the request under way."""

    started: float = 0.0
    """When the request under way began, in seconds since 1970."""

    paid: bool = False
    """Whether it has to be paid for; False where the journal had its reply."""

    attempts: int = 0
    """How many tries the call has taken so far."""

    def ask(self, request: Request) -> Reply:
        """Return the journal's reply where there is one; else make the request, and keep it if it fails.

        Of a journal's reply only the faults before it count: those in it are found again when it is looked
        at. Raises CapReached where the request is not allowed, and what the client raises.
        """
        _, identity = identify_request(self.model, request)
        self.key, recorded = self.meter.start(request.role, identity)
        self.paid = recorded is None
        self.started = time.time()
        if recorded is not None:
            on_the_way = tuple(fault for fault in recorded.faults if fault.kind not in IN_THE_REPLY)
            return replace(recorded, faults=on_the_way)
        try:
            return self.make(request)
        except AceError as error:
            faults = error.details.get("faults")
            if not faults:  # a client that says only that it failed
                kind = Kind.SERVER_ERROR
                if isinstance(error, MalformedReply):
                    kind = Kind.WRONG_FORM
                faults = (Fault(kind, 1, Action.GIVEN_UP, shorten_detail(str(error))),)
            # A request that fails without saying what it took counts as a call that took nothing.
            usage = error.details.get("usage", Usage(calls=1))
            nothing = Reply("", usage=usage, faults=number_faults(faults, self.attempts))
            self.keep(nothing, f"{type(error).__name__}: {hide(error.message)}")
            raise
        except BaseException:
            self.meter.end(None, paid=True)
            raise

    def keep(self, reply: Reply, error: str = "") -> None:
        """Keep a reply with its thoughts and tool calls once it has been looked at.

        With `error` there is none: then `reply` holds only what the request took and which faults it met.
        """
        self.attempts += 1 + count_requests(reply.faults)
        call = Call(
            key=self.key,
            phase=self.meter.phase,
            model=self.model,
            text=None if error else join_reply(reply),
            finish_reason="" if error else reply.finish_reason,
            error=error,
            usage=reply.usage,
            faults=reply.faults,
            started=self.started,
        )
        self.meter.end(call, paid=self.paid)
