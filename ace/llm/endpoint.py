"""A model behind litellm: every provider a litellm user would name, and any OpenAI-compatible address.

Knows how a request is put and what a response holds; the names and errors of providers are in
`providers`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, Self

from pydantic import BaseModel

from ace.llm import asking, faults, structured
from ace.llm.client import FinishReason, Message, Reply, Request, Usage
from ace.llm.faults import Fault
from ace.llm.prefix import marked, wants_mark
from ace.llm.providers import RequestRefused, converted, load_litellm, said
from ace.llm.retry import Retry
from ace.llm.window import Window, remote_window

_IN_WORDS = "asked again, the schema in words"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a server a call goes: request fields, and how many prompt tokens were read for it already."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    tokens_read: int = 0


class Server(Protocol):
    """A server of ours: it gives every call its place, and stops when the endpoint is closed."""

    def place(self, messages: Sequence[Message]) -> AbstractContextManager[Place]: ...

    def window(self) -> Window: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Endpoint:
    """A Client. `model` is what people see, `address` the litellm name it is called by.

    `max_tokens` is the limit for calls that give none; `cost` replaces litellm's price for a call;
    `server` is stopped by `close`.
    """

    model: str
    address: str = ""
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 300.0
    max_tokens: int | None = None
    cost: float | None = None
    tries: int = 3
    retry: Retry = field(default_factory=Retry)
    server: Server | None = field(default=None, repr=False)
    _enforces_schema: bool = field(default=True, init=False)  # until it refuses one

    def complete(self, request: Request) -> Reply:
        bounded = replace(request, max_tokens=request.max_tokens or self.max_tokens)
        return asking.complete(self.ask, bounded, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """One request. Where the endpoint can, it enforces the schema."""
        limit = request.max_tokens or self.max_tokens
        wanted = {"temperature": request.temperature, "seed": request.seed, "max_tokens": limit}
        options = {name: value for name, value in wanted.items() if value is not None}
        if request.schema is None:
            return self._send(request.messages, options)
        return self._send_for(request.schema, request.messages, options)

    def window(self) -> Window:
        """The server's own; else what is known about the model of this name."""
        if self.server is not None:
            return self.server.window()
        return remote_window(self.address or self.model, own_address=bool(self.api_base))

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send_for(
        self, schema: type[BaseModel], messages: Sequence[Message], options: dict[str, Any]
    ) -> Reply:
        """Let the endpoint enforce the schema; one that refuses is told about it in words from then on."""
        if not self._enforces_schema:
            return self._send(structured.in_words(messages, schema), options)
        try:
            return self._send(messages, options | {"response_format": _response_format(schema)})
        except RequestRefused as error:
            found = [replace(fault, action=_IN_WORDS) for fault in error.details["faults"]]
        reply = self._send(structured.in_words(messages, schema), options, found)
        self._enforces_schema = False  # only now: the request was fine apart from the schema
        return reply

    def _send(
        self, messages: Sequence[Message], options: dict[str, Any], found: Sequence[Fault] = ()
    ) -> Reply:
        """`found` are the faults of this call before this request."""
        payload = [asdict(message) for message in messages]
        if wants_mark(self.address or self.model):
            payload = marked(payload)
        started = time.perf_counter()
        met = list(found)
        where = self.server.place(messages) if self.server else nullcontext(Place())
        with converted(self.model, self.api_base, self.api_key, met), where as place:
            sent = {**options, "extra_body": place.fields} if place.fields else options
            response = self.retry.run(
                lambda: self._request(payload, sent), lambda error, wait: met.append(self._fault(error, wait))
            )
        reply = self._reply(response, time.perf_counter() - started, place.tokens_read)
        return replace(reply, faults=faults.numbered(met, 0))

    def _fault(self, error: BaseException, wait: float | None) -> Fault:
        action = "given up" if wait is None else f"tried again after {wait:.1f} s"
        return Fault(faults.kind_of(error), 0, action, faults.detail(said(error), self.api_key))

    def _request(self, payload: list[dict[str, Any]], options: dict[str, Any]) -> Any:
        return load_litellm().completion(
            model=self.address or self.model,
            messages=payload,
            api_base=self.api_base,
            api_key=self.api_key,
            timeout=self.timeout,
            num_retries=0,  # retrying is ours; a provider's own client would multiply it
            max_retries=0,
            drop_params=True,  # a provider without seeds is still usable
            **options,
        )

    def _reply(self, response: Any, seconds: float, tokens_read: int) -> Reply:
        choice = response.choices[0] if response.choices else None
        text = (choice.message.content if choice else None) or ""
        refusal = choice and _refusal(choice.message)
        finish = FinishReason.of((choice.finish_reason if choice else None) or "stop")
        if refusal and not text:
            finish = FinishReason.FILTER
        cost = response._hidden_params.get("response_cost") if self.cost is None else self.cost
        used = getattr(response, "usage", None)
        details = getattr(used, "prompt_tokens_details", None)
        usage = Usage(
            calls=1,
            prompt_tokens=getattr(used, "prompt_tokens", 0) or 0,
            cached_tokens=max(0, (getattr(details, "cached_tokens", 0) or 0) - tokens_read),
            completion_tokens=getattr(used, "completion_tokens", 0) or 0,
            seconds=seconds,
            cost=cost,
        )
        return Reply(text, usage=usage, finish_reason=finish)


def _refusal(message: Any) -> str | None:
    """Where litellm puts it depends on its release."""
    fields = getattr(message, "provider_specific_fields", None) or {}
    refusal: str | None = getattr(message, "refusal", None) or fields.get("refusal")
    return refusal


def _response_format(schema: type[BaseModel]) -> dict[str, Any]:
    named = {"name": schema.__name__, "schema": structured.strict_schema(schema), "strict": True}
    return {"type": "json_schema", "json_schema": named}
