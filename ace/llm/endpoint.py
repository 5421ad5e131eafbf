"""Clients for models behind litellm: every provider that it names, and any OpenAI-compatible address.

Knows how a request is put and what a response holds; the names and errors of providers are in
`providers`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ace.llm import asking
from ace.llm.answers import mend_reply
from ace.llm.client import FinishReason, Message, Reply, Request, ToolCall, Usage
from ace.llm.concessions import Concession, find_concession, shape_request
from ace.llm.failures import Cause, Failure
from ace.llm.faults import Action, Fault, Kind, shorten_detail
from ace.llm.providers import PAST_BOUNDS, convert_failure, load_litellm, open_client, read_error
from ace.llm.retry import Retry
from ace.llm.token_counts import check_usage, choose_context, price_tokens
from ace.llm.transcript import read_tool_call, write_tool_call
from ace.llm.window import Window, ollama_window, remote_window, thinks_by_default
from ace.llm.wire import MOST_BYTES, AnswerStopped, Exchange, keep_exchange
from ace.llm.written_calls import split_written_call, write_grammar
from ace.text import estimate_tokens
from ace.text.thoughts import split_thoughts
from ace.text.unicode import mend_surrogates

if TYPE_CHECKING:
    from ace.llm.local.local_server import LocalServer

_OLLAMA = ("ollama/", "ollama_chat/")
_ASKS_FOR_MARKS = ("claude", "amazon.nova")


@dataclass(frozen=True, slots=True)
class Place:
    """Say where in a server a call goes."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """Added to the request's body."""

    tokens_read: int = 0
    """Prompt tokens that the server read ahead for this call: it calls them cached, wrongly."""


@dataclass(slots=True)
class Endpoint:
    """Talk to a model as a Client.

    What the model refuses of a request is left out, or put otherwise, from then on (`concessions`).
    """

    travels: ClassVar[bool] = True

    model: str
    """The name that people see."""

    address: str = ""
    """The litellm name that it is called by."""

    api_base: str | None = None
    """The address of an OpenAI-compatible server; None is the provider's own."""

    api_key: str | None = field(default=None, repr=False)
    """None is litellm's: it reads the provider's variable."""

    timeout: float = 300.0
    """In seconds, for one request as a whole, however slowly its answer comes."""

    most_bytes: int = MOST_BYTES
    """The largest size of an answer."""

    max_tokens: int | None = None
    """The limit for calls that give none."""

    cost: float | None = None
    """In US dollars; replaces litellm's price for a call."""

    tries: int = 3
    """How often an unusable reply is asked for at most."""

    retry: Retry = field(default_factory=Retry)
    """What follows a request that fails."""

    server: LocalServer | None = field(default=None, repr=False)
    """Gives every call its place, and is stopped by `close`."""

    concessions: frozenset[Concession] = field(default=frozenset(), init=False)
    """What has been found so far that the model refuses."""

    _http: Any = field(default=None, init=False, repr=False)
    """Holds the connections; opened for the first request, and gone after `close`."""

    _context: int = field(default=0, init=False)
    """The tokens that an Ollama server was last asked to hold; 0 before that."""

    _has_thought: bool = field(default=False, init=False)
    """Whether a reply of the model has held thoughts."""

    def complete(self, request: Request) -> Reply:
        """Ask until the reply can be used. Raises as `ace.llm.asking.complete` and `ask` do."""
        bounded = replace(request, max_tokens=request.max_tokens or self.max_tokens)
        return asking.complete(self.ask, bounded, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """Make one request. Where the endpoint can, it enforces the schema.

        What it refuses is left out or put otherwise, as often as it names something else; that is remembered
        once such a request succeeds. `max_tokens` is for the answer: a model that thinks first gets room for
        that beside it.

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
        if request.tools and self.server is None:
            tools = [{"type": "function", "function": asdict(tool)} for tool in request.tools]
            options["tools"] = json.loads(mend_surrogates(json.dumps(tools, ensure_ascii=False)))
        if (self.address or self.model).startswith(_OLLAMA):
            self._context = choose_context(request, limit, self._context, self.window().tokens)
            options["num_ctx"] = self._context
        faults: list[Fault] = []
        concessions = self.concessions
        passing = frozenset[Concession]()  # what only this request is too long for
        while True:
            tried = concessions | passing
            messages, changed = shape_request(request.messages, options, request.schema, tried)
            try:
                grammar = write_grammar(request.tools) if request.tools and self.writes_calls else ""
                reply = self._send(messages, changed, faults, grammar)
                break
            except Failure as failure:
                concession = find_concession(failure, messages, options, request.schema, tried)
                if concession is None:
                    error = convert_failure(failure, self.model, self.api_base, self.api_key, faults)
                    raise error from None  # what it comes from may hold the key
                if failure.cause is Cause.CONTEXT:
                    passing |= {concession}
                else:
                    concessions |= {concession}
                faults[-1] = replace(faults[-1], action=concession)
        self.concessions |= concessions  # only now: whether it helped was not known before
        return split_written_call(reply) if grammar else reply

    def window(self) -> Window:
        """Return the server's own window; else what is known about the model of this name."""
        if self.server is not None:
            return self.server.window()
        address = self.address or self.model
        if address.startswith(_OLLAMA):
            return ollama_window(address, self.api_base)
        return remote_window(address, own_address=bool(self.api_base))

    @property
    def longest(self) -> float:
        """Return the seconds that a request may take, with all its tries and the waits between them."""
        return self.retry.most_seconds + self.retry.max_wait + self.timeout

    @property
    def writes_calls(self) -> bool:
        """Tell whether its calls of tools are lines of text: those of an embedded model are."""
        return self.server is not None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Return its slots for a copy, which opens connections of its own."""
        return None, {part.name: getattr(self, part.name) for part in fields(self)} | {"_http": None}

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
        """Close the connections, and stop the server where there is one. Closing twice is fine."""
        if self._http is not None:
            self._http.close()
            self._http = None
        if self.server is not None:
            self.server.close()

    def __enter__(self) -> Self:
        return self

    __exit__ = close

    def _send(
        self, messages: Sequence[Message], options: dict[str, Any], faults: list[Fault], grammar: str
    ) -> Reply:
        """Send a request, again after failures that pass, and read the reply. Raises the last Failure.

        `faults` holds those of this call so far, and gets those of this request. `grammar` is for a server of
        our own: it allows no other text; "" allows all.
        """
        address = self.address or self.model
        texts = [mend_surrogates(message.content) for message in messages]
        if self.server is not None:
            texts = [self.server.defuse(text) for text in texts]
        messages = [replace(message, content=text) for message, text in zip(messages, texts, strict=True)]
        if self._http is None:
            self._http = open_client(address, self.api_base, self.api_key)

        def note_failure(failure: Failure, wait: float | None) -> None:
            action: str = Action.GIVEN_UP
            if wait is not None:
                action = f"{Action.TRIED_AGAIN} {wait:.1f} s"
            detail = shorten_detail(failure.words, self.api_key)
            faults.append(Fault(failure.kind, len(faults) + 1, action, detail))

        started = time.perf_counter()
        body = {**options, "messages": _write_messages(messages, address)}

        def send() -> tuple[Reply, str, int]:
            """Send it to its place in the server, another one for each try: the server may be another."""
            if self.server is None:
                return *self._exchange(address, body), 0
            with self.server.place(messages) as place:
                fields = {**place.fields, "grammar": grammar} if grammar else place.fields
                return *self._exchange(address, {**body, "extra_body": fields}), place.tokens_read

        reply, remark, tokens_read = self.retry.run(send, note_failure)
        usage, problem = check_usage(reply, messages, options, remark, self._count)
        cost = self.cost
        if cost is None:
            cost = price_tokens(address, usage) if problem else usage.cost
        if problem:
            faults.append(Fault(Kind.USAGE, len(faults) + 1, Action.ESTIMATED, problem))
        if reply.reasoning or split_thoughts(reply.text)[0]:
            self._has_thought = True
        cached = max(0, usage.cached_tokens - tokens_read)
        seconds = time.perf_counter() - started
        usage = replace(usage, calls=1, cached_tokens=cached, seconds=seconds, cost=cost)
        return replace(reply, usage=usage, faults=tuple(faults))

    def _exchange(self, address: str, body: Mapping[str, Any]) -> tuple[Reply, str]:
        """Make one request over the wire; return the reply, and what was refused of its usage.

        Whatever goes wrong raises a Failure.
        """
        remark = ""

        def mend(answer: bytes) -> bytes | None:
            nonlocal remark
            mended, remark = mend_reply(answer)
            return mended

        exchange = Exchange(self.timeout, self.most_bytes, mend)
        with keep_exchange(exchange):
            try:
                response = load_litellm().completion(
                    model=address,
                    api_base=self.api_base,
                    api_key=self.api_key,
                    timeout=self.timeout,
                    num_retries=0,  # retrying is ours; a provider's own client would multiply it
                    max_retries=0,
                    drop_params=True,  # a provider without seeds is still usable
                    client=self._http,
                    **body,
                )
                if exchange.ends is None:
                    exchange.fail(Kind.REFUSED_REQUEST, PAST_BOUNDS)
                    raise AnswerStopped
                return _read_reply(response), remark
            except Exception as error:  # litellm has as many as there are ways to answer
                raise read_error(exchange, error) from None

    def _count(self, text: str) -> int:
        """Return the tokens of a text, by the model's own tokenizer where it is known."""
        return (self.window().count or estimate_tokens)(text)


@cache
def wants_mark(model: str) -> bool:
    """Tell whether a model wants a mark at the end of what is the same for many calls, by its litellm name.

    OpenAI, Gemini, llama.cpp and others find a common prefix by themselves. Claude, and Amazon's Nova, keep
    what stands before a mark, and nothing without one; a mark below their least length (1,024 tokens or more)
    has no effect and no price.
    """
    named = any(name in model.lower() for name in _ASKS_FOR_MARKS)
    return named and bool(load_litellm().utils.supports_prompt_caching(model=model))


def _write_messages(messages: Sequence[Message], address: str) -> list[dict[str, Any]]:
    """Return messages as OpenAI's protocol has them, for the model of an address."""
    rows: list[dict[str, Any]] = []
    for message in messages:
        content: Any = message.content
        if message.role == "system" and wants_mark(address):  # it is the stable part of a context
            content = [{"type": "text", "text": content, "cache_control": {"type": "ephemeral"}}]
        row: dict[str, Any] = {"role": message.role, "content": content}
        if message.tool_calls:
            row["tool_calls"] = []
            for call in message.tool_calls:
                arguments = mend_surrogates(json.dumps(dict(call.arguments), ensure_ascii=False))
                function = {"name": call.name, "arguments": arguments}
                row["tool_calls"].append({"id": call.id, "type": "function", "function": function})
            row["content"] = content or None
        if message.role == "tool":
            row["tool_call_id"] = message.tool_call_id
        rows.append(row)
    return rows


def _read_reply(response: Any) -> Reply:
    """Read text, thoughts, tool calls and usage. A call that cannot be read stays in the text, marked.

    Counts that a provider leaves out are 0, and the cost is None where litellm knows no price.
    """
    used = getattr(response, "usage", None)
    details = getattr(used, "prompt_tokens_details", None)
    usage = Usage(
        prompt_tokens=getattr(used, "prompt_tokens", 0) or 0,
        cached_tokens=getattr(details, "cached_tokens", 0) or 0,
        completion_tokens=getattr(used, "completion_tokens", 0) or 0,
        cost=response._hidden_params.get("response_cost"),
    )
    if not response.choices:
        return Reply("", usage=usage)
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
    refusal = getattr(message, "refusal", None) or extra.get("refusal")
    if not text and refusal:
        finish_reason = FinishReason.FILTER
    return Reply(text, usage=usage, finish_reason=finish_reason, reasoning=reasoning, tool_calls=tuple(calls))
