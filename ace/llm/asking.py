"""From requests to an answer: what a model says is looked at, and asked for again where that may help.

Knows what can be wrong with a reply; not how a request is made (the caller passes that in as a function).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

from pydantic import BaseModel

from ace.errors import AceError, MalformedReply
from ace.llm import faults, structured
from ace.llm.client import Client, FinishReason, Reply, Request, Usage
from ace.llm.faults import Fault, Kind
from ace.llm.structured import explain, parse

_MOST = 200_000  # characters; more tokens than any call here allows, so the endpoint ignored the limit

_NEARLY = 0.9  # servers count the last tokens differently


class Asks(Client, Protocol):
    """A client that can be asked for one request at a time, so that each can be kept as it ends."""

    @property
    def tries(self) -> int: ...

    def ask(self, request: Request) -> Reply:
        """One request: the reply as it came, unparsed, with the faults that preceded it."""
        ...


def by_request(client: Client) -> Asks | None:
    """The client, if it can be asked for one request at a time."""
    return cast(Asks, client) if hasattr(client, "ask") and hasattr(client, "tries") else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply that was looked at. `problem` is empty when it can be used; `kind` is what is wrong with it."""

    parsed: BaseModel | None = None
    kind: Kind | None = None
    problem: str = ""


def not_kept(reply: Reply) -> None:
    """For callers who keep no journal."""


def complete(
    ask: Callable[[Request], Reply],
    request: Request,
    *,
    tries: int,
    keep: Callable[[Reply], None] = not_kept,
) -> Reply:
    """Ask until the reply can be used, at most `tries` times; usage and faults add up over all of them.

    With a schema the model is shown what was wrong, and MalformedReply raised in the end. Without one the
    last reply is returned as it is, its fault recorded. `keep` is given each reply with its own faults, once
    it has been looked at.
    """
    schema = request.schema
    spent, found, attempts, asked = Usage(), tuple[Fault, ...](), 0, request
    for last in (number == tries for number in range(1, tries + 1)):
        reply = _asked(partial(ask, asked), spent, found, attempts)
        before = faults.numbered(reply.faults, attempts)
        attempts += len(before) + 1
        judged = judge(reply, request)
        own = (*before, *_fault(judged, attempts, _action(judged, schema, last)))
        keep(replace(reply, faults=own))
        spent, found = spent + reply.usage, (*found, *own)
        if not judged.problem or (last and schema is None):
            return replace(reply, parsed=judged.parsed, usage=spent, faults=found)
        if schema is not None:
            correction = structured.correction(reply.text, judged.problem)
            asked = replace(request, messages=(*request.messages, *correction))
    raise MalformedReply(
        f"No valid {schema.__name__ if schema else 'reply'} after {tries} tries: {judged.problem}",
        hint="Use a stronger model, or allow more tokens if the reply was cut off.",
        text=reply.text,
        usage=spent,
        faults=found,
    )


def judge(reply: Reply, request: Request) -> Judged:
    """Whether a reply can be used. Pure."""
    if request.schema is None:
        return _judged_text(reply, request.max_tokens)
    try:
        # What was cut off is not repaired: closing its brackets would pass half a lesson as a whole one.
        found = parse(reply.text, request.schema, repair=reply.finish_reason is not FinishReason.LENGTH)
    except ValueError as error:
        return Judged(None, _kind(reply), explain(error, reply))
    return Judged(found.value, "prose" if found.repaired else None)


def _judged_text(reply: Reply, limit: int | None) -> Judged:
    """Of plain text everything that is there can be used, but some of it should not have come like this."""
    if reply.finish_reason is FinishReason.FILTER:
        return Judged(None, "refused", "a content filter stopped it")
    if not reply.text.strip() and not reply.tool_calls:
        return Judged(None, "empty", "it is empty")
    if len(reply.text) > _MOST:
        return Judged(None, "too long", f"it has {len(reply.text):,} characters")
    if reply.finish_reason is FinishReason.LENGTH:
        early = limit is not None and 0 < reply.usage.completion_tokens < _NEARLY * limit
        return Judged(None, "cut off", "it was cut off before its limit" if early else "")
    return Judged()


def _kind(reply: Reply) -> Kind:
    if reply.finish_reason is FinishReason.FILTER:
        return "refused"
    if reply.finish_reason is FinishReason.LENGTH:
        return "cut off"
    if not reply.text.strip():
        return "empty"
    return "too long" if len(reply.text) > _MOST else "wrong form"


def _action(judged: Judged, schema: type[BaseModel] | None, last: bool) -> str:
    if not judged.problem:
        return "repaired" if judged.parsed is not None else "kept as it is"
    if not last:
        return "asked again"
    if schema is not None or judged.kind in ("empty", "refused"):
        return "given up"
    return "kept as it is"


def _fault(judged: Judged, attempt: int, action: str) -> tuple[Fault, ...]:
    if judged.kind is None:
        return ()
    return (Fault(judged.kind, attempt, action, faults.detail(judged.problem)),)


def _asked(ask: Callable[[], Reply], spent: Usage, found: tuple[Fault, ...], attempts: int) -> Reply:
    """One request. An error takes along what the earlier ones of this call took and met."""
    try:
        return ask()
    except AceError as error:
        error.details.setdefault("usage", spent)
        own = faults.numbered(error.details.get("faults", ()), attempts)
        error.details["faults"] = (*found, *own)
        raise
