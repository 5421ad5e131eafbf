"""A client whose every request passes the meter: found in the journal, or allowed, made and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ace.errors import AceError, MalformedReply
from ace.llm import asking
from ace.llm.client import Client, Reply, Request, Usage
from ace.llm.faults import IN_THE_REPLY, Fault, Kind, detail, hide, numbered
from ace.llm.journal import Call, Key
from ace.llm.request import request_json, request_key
from ace.llm.structured import parse
from ace.llm.window import Window, window_of

if TYPE_CHECKING:
    from ace.llm.meter import Meter

_NOTHING_YET = Key(0, "", "", "", 0)


class Metered:
    """A Client around a client. One that can be asked request by request is; any other is a single request,
    however many it makes.
    """

    def __init__(self, meter: Meter, client: Client) -> None:
        self._meter, self._client = meter, client

    @property
    def model(self) -> str:
        return self._client.model

    def complete(self, request: Request) -> Reply:
        if single := asking.by_request(self._client):
            one = _Requests(self._meter, self.model, single.ask)
            return asking.complete(one.ask, request, tries=single.tries, keep=one.keep)
        one = _Requests(self._meter, self.model, self._client.complete)
        reply = one.ask(request)
        if reply.parsed is None and request.schema is not None:  # it comes from the journal
            reply = replace(reply, parsed=parse(reply.text, request.schema).value)
        said = reply.text if reply.parsed is None else reply.parsed.model_dump_json(by_alias=True)
        one.keep(replace(reply, text=said))
        return reply

    def window(self) -> Window:
        return window_of(self._client)


@dataclass(slots=True)
class _Requests:
    """The requests of one call, one after the other: each is asked for, looked at, and then kept."""

    meter: Meter
    model: str
    make: Callable[[Request], Reply]
    at: Key = _NOTHING_YET
    started: float = 0.0
    paid: bool = False
    attempts: int = 0

    def ask(self, request: Request) -> Reply:
        self.at = self.meter.key(request.role, request_key(request_json(self.model, request)))
        known = self.meter.journal.find(self.at) if self.meter.journal else None
        self.paid, self.started = known is None, time.time()
        if known is not None:
            return replace(known, faults=tuple(f for f in known.faults if f.kind not in IN_THE_REPLY))
        self.meter.begin()
        try:
            return self.make(request)
        except AceError as error:
            self._failed(error)
            raise
        except BaseException:
            self.meter.abandon()
            raise

    def keep(self, reply: Reply) -> None:
        self.attempts += 1 + sum(fault.kind not in IN_THE_REPLY for fault in reply.faults)
        self._end(self._call(reply.text, reply.finish_reason, "", reply))

    def _failed(self, error: AceError) -> None:
        # A request that fails without saying what it took counts as a call that took nothing.
        usage = error.details.get("usage", Usage(calls=1))
        met = error.details.get("faults") or (_unexplained(error),)
        nothing = Reply("", usage=usage, faults=numbered(met, self.attempts))
        self._end(self._call(None, "", f"{type(error).__name__}: {hide(error.message)}", nothing))

    def _call(self, text: str | None, finish: str, error: str, reply: Reply) -> Call:
        return Call(
            self.at,
            self.meter.phase,
            self.model,
            text,
            finish,
            error,
            reply.usage,
            reply.faults,
            self.started,
        )

    def _end(self, call: Call) -> None:
        self.meter.end(call, paid=self.paid)


def _unexplained(error: AceError) -> Fault:
    """For a client that says only that it failed."""
    kind: Kind = "wrong form" if isinstance(error, MalformedReply) else "server error"
    return Fault(kind, 1, "given up", detail(str(error)))
