"""Client whose every request passes the meter: found in the journal, or allowed, made and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ace.errors import AceError, MalformedReply
from ace.llm import asking
from ace.llm.client import Client, Reply, Request, Usage
from ace.llm.faults import IN_THE_REPLY, Action, Fault, Kind, hide, number_faults, shorten_detail
from ace.llm.journal import Call, Key
from ace.llm.request import request_json, request_key
from ace.llm.structured import parse
from ace.llm.transcript import join_reply, split_reply
from ace.llm.window import Window, window_of

if TYPE_CHECKING:
    from ace.llm.meter import Meter

_NO_KEY = Key(0, "", "", "", 0)


class Metered:
    """Wrap a client. One that `Asks` is metered request by request; any other is a single request, however
    many it makes.
    """

    def __init__(self, meter: Meter, client: Client) -> None:
        self._meter, self._client = meter, client

    @property
    def model(self) -> str:
        return self._client.model

    def complete(self, request: Request) -> Reply:
        client = self._client
        if isinstance(client, asking.Asks):
            requests = _Requests(self._meter, client.model, client.ask)
            return asking.complete(requests.ask, request, tries=client.tries, keep=requests.keep)
        requests = _Requests(self._meter, client.model, client.complete)
        reply = split_reply(requests.ask(request), tools=bool(request.tools))
        if reply.parsed is None and request.schema is not None and not reply.tool_calls:
            value = parse(reply.text, request.schema).value  # the journal keeps no values
            reply = replace(reply, parsed=value)
        text = reply.text
        if reply.parsed is not None:
            text = reply.parsed.model_dump_json(by_alias=True)
        requests.keep(replace(reply, text=text))
        return reply

    def window(self) -> Window:
        return window_of(self._client)


@dataclass(slots=True)
class _Requests:
    """Make the requests of one call, one after the other: each is asked for, looked at, and then kept."""

    meter: Meter
    model: str
    make: Callable[[Request], Reply]
    key: Key = _NO_KEY
    started: float = 0.0
    paid: bool = False
    attempts: int = 0

    def ask(self, request: Request) -> Reply:
        """Return the journal's reply where there is one; else make the request, and keep it if it fails."""
        self.key = self.meter.key(request.role, request_key(request_json(self.model, request)))
        recorded = None
        if self.meter.journal is not None:
            recorded = self.meter.journal.find(self.key)
        self.paid, self.started = recorded is None, time.time()
        if recorded is not None:
            on_the_way = tuple(fault for fault in recorded.faults if fault.kind not in IN_THE_REPLY)
            return replace(recorded, faults=on_the_way)
        self.meter.begin()
        try:
            return self.make(request)
        except AceError as error:
            faults = error.details.get("faults")
            if not faults:  # a client that says only that it failed
                kind = Kind.WRONG_FORM if isinstance(error, MalformedReply) else Kind.SERVER_ERROR
                faults = (Fault(kind, 1, Action.GIVEN_UP, shorten_detail(str(error))),)
            # A request that fails without saying what it took counts as a call that took nothing.
            usage = error.details.get("usage", Usage(calls=1))
            nothing = Reply("", usage=usage, faults=number_faults(faults, self.attempts))
            self._end(nothing, f"{type(error).__name__}: {hide(error.message)}")
            raise
        except BaseException:
            self.meter.abandon()
            raise

    def keep(self, reply: Reply) -> None:
        """Keep a reply with its thoughts and tool calls, once it has been looked at."""
        self.attempts += 1 + sum(fault.kind not in IN_THE_REPLY for fault in reply.faults)
        self._end(reply)

    def _end(self, reply: Reply, error: str = "") -> None:
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
