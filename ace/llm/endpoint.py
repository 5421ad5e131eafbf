"""Clients for models behind litellm: every provider that it names, and any OpenAI-compatible address.

Knows how a request is put and what a response holds; the names and errors of providers are in
`providers`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self

from ace.llm import asking
from ace.llm.client import FinishReason, Message, Reply, Request, ToolCall, Usage
from ace.llm.faults import Action, Fault, classify_error, shorten_detail
from ace.llm.providers import RequestRefused, convert_errors, load_litellm, quote_error
from ace.llm.retry import Retry
from ace.llm.structured import strict_schema
from ace.llm.transcript import read_tool_call, write_tool_call
from ace.llm.window import Window, remote_window, thinks_by_default
from ace.text.thoughts import split_thoughts

if TYPE_CHECKING:
    from ace.llm.local.local_server import LocalServer

_SCHEMA_ORDER = "Reply with one JSON value that matches this JSON Schema, and nothing else:"
_ASKS_FOR_MARKS = ("claude", "amazon.nova")


@dataclass(frozen=True, slots=True)
class Place:
    """Say where in a server a call goes.

    `fields` are added to the request's body. `tokens_read` counts the prompt tokens that the server has read
    ahead for this call: it reports them as cached, and they are not.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    tokens_read: int = 0


@dataclass(slots=True)
class Endpoint:
    """Talk to a model as a Client. `model` is what people see, `address` the litellm name it is called by.

    `api_base` is the address of an OpenAI-compatible server; None is the provider's own. `api_key` None is
    litellm's: it reads the provider's variable. `timeout` is in seconds, for one request. `max_tokens` is
    the limit for calls that give none. `cost`, in US dollars, replaces litellm's price for a call. `tries`
    bounds how often an unusable reply is asked for; `retry` says what follows a request that fails.
    `server` gives every call its place, and is stopped by `close`.
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
    server: LocalServer | None = field(default=None, repr=False)
    _enforces_schema: bool = field(default=True, init=False)  # until it refuses one
    _has_thought: bool = field(default=False, init=False)

    def complete(self, request: Request) -> Reply:
        """Ask until the reply can be used. Raises as `ace.llm.asking.complete` and `ask` do."""
        bounded = replace(request, max_tokens=request.max_tokens or self.max_tokens)
        return asking.complete(self.ask, bounded, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """Make one request. Where the endpoint can, it enforces the schema.

        One that refuses to is given the schema in words from then on. `max_tokens` is for the answer: a model
        that thinks first gets room for that beside it.

        Raises ModelUnavailable when no try got an answer, ContentRefused when a filter stopped the request,
        ModelNameError for a refused key or an unknown name, and ModelError for any other refusal.
        """
        options: dict[str, Any] = {"temperature": request.temperature}
        limit = request.max_tokens or self.max_tokens
        if request.seed is not None:
            options["seed"] = request.seed
        if limit is not None:
            thinks = self._has_thought or thinks_by_default(self.address or self.model)
            if thinks:
                limit += asking.THINKING_TOKENS
            options["max_tokens"] = limit
        if request.tools:
            options["tools"] = [{"type": "function", "function": asdict(tool)} for tool in request.tools]
        schema = request.schema
        if schema is None:
            return self._send(request.messages, options)
        strict = strict_schema(schema)
        *rest, last = request.messages
        words = f"{last.content}\n\n{_SCHEMA_ORDER}\n{json.dumps(strict, ensure_ascii=False)}"
        in_words = [*rest, Message(last.role, words)]
        if not self._enforces_schema:
            return self._send(in_words, options)
        try:
            json_schema = {"name": schema.__name__, "schema": strict, "strict": True}
            response_format = {"type": "json_schema", "json_schema": json_schema}
            return self._send(request.messages, {**options, "response_format": response_format})
        except RequestRefused as error:
            faults = [replace(fault, action=Action.ASKED_IN_WORDS) for fault in error.details["faults"]]
        reply = self._send(in_words, options, faults)
        self._enforces_schema = False  # only now: the request was fine apart from the schema
        return reply

    def window(self) -> Window:
        """Return the server's own window; else what is known about the model of this name."""
        if self.server is not None:
            return self.server.window()
        return remote_window(self.address or self.model, own_address=bool(self.api_base))

    def access(self) -> Mapping[str, str]:
        """Return how a program outside can reach the model, as environment variables.

        They are address, name and key of an OpenAI-compatible address; there are none for a provider's own.
        """
        provider, _, name = (self.address or self.model).partition("/")
        if not self.api_base or provider != "openai":
            return {}
        return {
            "ACE_MODEL_URL": self.api_base,
            "ACE_MODEL_NAME": name,
            "ACE_MODEL_KEY": self.api_key or "",
        }

    def close(self, *_: object) -> None:
        """Stop the server, where there is one of its own. Closing twice is fine."""
        if self.server is not None:
            self.server.close()

    def __enter__(self) -> Self:
        return self

    __exit__ = close

    def _send(
        self, messages: Sequence[Message], options: dict[str, Any], earlier: Sequence[Fault] = ()
    ) -> Reply:
        """Send a request, again after faults that pass. `earlier` holds the faults of this call before it."""
        address = self.address or self.model
        payload: list[dict[str, Any]] = [asdict(message) for message in messages]
        for message in payload:
            if message["role"] == "system" and wants_mark(address):  # it is the stable part of a context
                block = {"type": "text", "text": message["content"], "cache_control": {"type": "ephemeral"}}
                message["content"] = [block]
        faults = list(earlier)

        def note_failure(error: BaseException, wait: float | None) -> None:
            action: str = Action.GIVEN_UP
            if wait is not None:
                action = f"{Action.TRIED_AGAIN} {wait:.1f} s"
            detail = shorten_detail(quote_error(error), self.api_key)
            faults.append(Fault(classify_error(error), len(faults) + 1, action, detail))

        started = time.perf_counter()
        placed = self.server.place(messages) if self.server else nullcontext(Place())
        with convert_errors(self.model, self.api_base, self.api_key, faults), placed as place:
            if place.fields:
                options = {**options, "extra_body": place.fields}
            send = partial(
                load_litellm().completion,
                model=address,
                messages=payload,
                api_base=self.api_base,
                api_key=self.api_key,
                timeout=self.timeout,
                num_retries=0,  # retrying is ours; a provider's own client would multiply it
                max_retries=0,
                drop_params=True,  # a provider without seeds is still usable
                **options,
            )
            response = self.retry.run(send, note_failure)
        usage = self._read_usage(response, time.perf_counter() - started, place.tokens_read)
        reply = _read_reply(response)
        if reply.reasoning or split_thoughts(reply.text)[0]:
            self._has_thought = True
        return replace(reply, usage=usage, faults=tuple(faults))

    def _read_usage(self, response: Any, seconds: float, tokens_read: int) -> Usage:
        """Read what a response took.

        Counts that a provider leaves out are 0, and the cost is None where litellm knows no price.
        """
        used = getattr(response, "usage", None)
        details = getattr(used, "prompt_tokens_details", None)
        cost = self.cost
        if cost is None:
            cost = response._hidden_params.get("response_cost")
        return Usage(
            calls=1,
            prompt_tokens=getattr(used, "prompt_tokens", 0) or 0,
            cached_tokens=max(0, (getattr(details, "cached_tokens", 0) or 0) - tokens_read),
            completion_tokens=getattr(used, "completion_tokens", 0) or 0,
            seconds=seconds,
            cost=cost,
        )


@cache
def wants_mark(model: str) -> bool:
    """Tell whether a model wants a mark at the end of what is the same for many calls, by its litellm name.

    OpenAI, Gemini, llama.cpp and others find a common prefix by themselves. Claude, and Amazon's Nova, keep
    what stands before a mark, and nothing without one; a mark below their least length (1,024 tokens or more)
    has no effect and no price.
    """
    named = any(name in model.lower() for name in _ASKS_FOR_MARKS)
    return named and bool(load_litellm().utils.supports_prompt_caching(model=model))


def _read_reply(response: Any) -> Reply:
    """Read text, thoughts and tool calls. A call that cannot be read stays in the text, as a marked block."""
    if not response.choices:
        return Reply("")
    choice = response.choices[0]
    message = choice.message
    # Releases of litellm differ in what is here.
    extra = getattr(message, "provider_specific_fields", None) or {}
    text = message.content or ""
    reasoning = getattr(message, "reasoning_content", None) or extra.get("reasoning_content") or ""
    calls: list[ToolCall] = []
    for number, tool_call in enumerate(getattr(message, "tool_calls", None) or (), 1):
        name = tool_call.function.name or ""
        arguments = tool_call.function.arguments or "{}"
        written = json.dumps({"id": tool_call.id, "name": name, "arguments": arguments})
        call = read_tool_call(written, f"call_{number}")
        if call is None:
            text += write_tool_call(name, arguments, tool_call.id or "")
        else:
            calls.append(call)
    finish_reason = FinishReason.of(choice.finish_reason or "stop")
    if not text and (getattr(message, "refusal", None) or extra.get("refusal")):
        finish_reason = FinishReason.FILTER
    return Reply(text, finish_reason=finish_reason, reasoning=reasoning, tool_calls=tuple(calls))
