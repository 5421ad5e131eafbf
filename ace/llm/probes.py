"""Try a model out: with a few small calls find what its endpoint refuses, leaves out or does otherwise.

Knows what later calls depend on; what is done about it is in `endpoint`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from ace.errors import MalformedReply, ModelError
from ace.llm.client import FinishReason, Message, Reply, Request, Role
from ace.llm.concessions import Concession
from ace.llm.connect import LOCAL, connect
from ace.llm.endpoint import Endpoint
from ace.llm.faults import Kind
from ace.llm.retry import Retry

_LONG = 6_000  # words, of about one token each, in the prompt that finds windows that cut
_SHARE_READ = 0.8  # of them that a server must have read


class Topic(StrEnum):
    """Name what a finding is about."""

    PARAMETERS = "parameters"
    ROLES = "roles"
    SCHEMA = "schema"
    USAGE = "usage"
    PRICE = "price"
    THINKING = "thinking"
    WINDOW = "window"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Finding:
    """Say one thing about an endpoint."""

    topic: Topic
    """What it is about."""

    text: str
    """A sentence for people."""

    good: bool = False
    """Whether nobody need think about it."""


@dataclass(frozen=True, slots=True)
class Check:
    """Hold the first reply of a model, and what was found."""

    model: str
    """The name of the model."""

    reply: Reply
    """What it said first."""

    seconds: float
    """Those of that call."""

    findings: tuple[Finding, ...] = ()
    """In the order of the probes."""


class _Sum(BaseModel):
    """Hold the answer to a small sum: the schema of a probe."""

    number: int


_CONCEDED = {
    Concession.NO_TEMPERATURE: (
        Topic.PARAMETERS,
        "It takes no temperature: none is sent, so the same question may get another answer.",
    ),
    Concession.WARM: (Topic.PARAMETERS, "It takes no temperature of 0: 0.01 is sent."),
    Concession.NO_SEED: (
        Topic.PARAMETERS,
        "It takes no seed: none is sent, so runs cannot be repeated exactly.",
    ),
    Concession.RENAME_LIMIT: (
        Topic.PARAMETERS,
        "It takes max_completion_tokens for max_tokens: that is sent.",
    ),
    Concession.NO_LIMIT: (Topic.PARAMETERS, "It takes no max_tokens: its answers are as long as it likes."),
    Concession.SYSTEM_IN_QUESTION: (
        Topic.ROLES,
        "It has no system role: that text is put before the first question.",
    ),
    Concession.ONE_ROLE_A_TURN: (Topic.ROLES, "Its roles must alternate: neighbours of one role are joined."),
    Concession.SCHEMA_IN_WORDS: (
        Topic.SCHEMA,
        "It enforces no JSON Schema: the schema is put into words, and replies are repaired or asked again.",
    ),
}


def check(name: str, *, api_base: str | None = None) -> Check:
    """Make some small calls, which may cost a few tokens, and say what they found. None is tried again.

    At an address of one's own whose window nobody knows, one has a prompt of some 6,000 tokens.

    Raises what `connect` raises, and ModelError as the first call does, with a hint at what to do. Never
    downloads weights: WeightsError where they are not here.
    """
    once = Retry(attempts=1)
    with connect(name, api_base=api_base, retry=once, slots=1, context=1024, fetch=False) as client:
        started = time.perf_counter()
        messages = (Message("system", "You answer in one word."), Message("user", "Say OK."))
        reply = client.complete(Request(role=Role.GENERATOR, messages=messages, seed=1, max_tokens=16))
        seconds = time.perf_counter() - started
        findings = [*_look_at_reply(reply), *_probe_schema(client)]
        if not name.startswith(LOCAL):
            findings += _probe_window(client)
    for concession in Concession:
        if concession in client.concessions:
            findings.append(Finding(*_CONCEDED[concession]))
    return Check(name, reply, seconds, tuple(findings))


def _look_at_reply(reply: Reply) -> Iterator[Finding]:
    """Yield what a first reply shows by itself."""
    remarks = [fault.detail for fault in reply.faults if fault.kind is Kind.USAGE]
    if remarks:
        text = f"Its usage is not used: {remarks[0]}. Tokens are estimated, and caps hold by the estimate."
        yield Finding(Topic.USAGE, text)
    if reply.usage.cost is None:
        text = "Nobody knows its price: a run with --max-cost stops at once; use --max-calls or --max-tokens."
        yield Finding(Topic.PRICE, text)
    if reply.reasoning:
        yield Finding(
            Topic.THINKING, "It thinks before it answers: thoughts are kept apart, and get room.", True
        )
    if reply.finish_reason is FinishReason.FILTER:
        yield Finding(Topic.REPLY, "A content filter stopped its reply.")
    elif reply.finish_reason is FinishReason.LENGTH:
        yield Finding(Topic.REPLY, "Its reply to a call for one word was cut off by the limit of tokens.")
    elif not reply.text.strip():
        yield Finding(Topic.REPLY, "Its reply is empty.")


def _probe_schema(client: Endpoint) -> Iterator[Finding]:
    """Ask for JSON in a conversation of several turns, as corrections are."""
    messages = (
        Message("system", "You reply with JSON."),
        Message("user", "What is 2 + 3?"),
        Message("assistant", "five"),
        Message("user", 'Reply again with JSON: {"number": ...}'),
    )
    try:
        request = Request(role=Role.REFLECTOR, messages=messages, schema=_Sum, max_tokens=64)
        client.complete(request)
    except MalformedReply as error:
        text = f"It does not reply with JSON that was asked for, so it can learn nothing ({error.message})"
        yield Finding(Topic.SCHEMA, text)
    except ModelError as error:
        yield Finding(Topic.SCHEMA, f"It refused a conversation with a JSON Schema: {error.message}")


def _probe_window(client: Endpoint) -> Iterator[Finding]:
    """Say how much the model reads; where nobody knows, see whether the server cuts a longer prompt."""
    tokens = client.window().tokens
    if tokens is not None:
        yield Finding(Topic.WINDOW, f"It reads {tokens:,} tokens.", True)
        return
    if client.api_base is None:
        yield Finding(Topic.WINDOW, "Nobody knows how much it reads: see that --budget fits.")
        return
    message = Message("user", "word " * _LONG + "\nSay OK.")
    try:
        reply = client.complete(Request(role=Role.GENERATOR, messages=(message,), max_tokens=8))
    except ModelError as error:
        text = f"It does not read {_LONG:,} tokens: give a smaller --budget than that. {error.message}"
        yield Finding(Topic.WINDOW, text)
        return
    read = reply.usage.prompt_tokens
    is_counted = not any(fault.kind is Kind.USAGE for fault in reply.faults)
    if is_counted and read < _SHARE_READ * _LONG:
        yield Finding(
            Topic.WINDOW,
            f"It read {read:,} tokens of a prompt of some {_LONG:,}: the server cuts prompts silently, the "
            "playbook first. Give the server a longer context, or a smaller --budget than that; for Ollama "
            "use ollama_chat/NAME, for which the context is asked for.",
        )
    else:
        yield Finding(Topic.WINDOW, f"It reads {_LONG:,} tokens; nobody knows how many more.", True)
