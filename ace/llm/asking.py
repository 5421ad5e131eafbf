"""Ask until an answer can be used: each reply is looked at, and asked for again where that may help.

Knows what can be wrong with a reply; not how a request is made (the caller passes that in as a function).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from ace.errors import AceError, MalformedReply
from ace.llm.client import Client, FinishReason, Reply, Request, Usage
from ace.llm.faults import Action, Fault, Kind, count_requests, number_faults, shorten_detail
from ace.llm.structured import explain_error, parse, write_correction
from ace.llm.transcript import TOOL_CALL, split_reply

_MOST = 200_000  # characters; more tokens than any call here allows, so the endpoint ignored the limit
THINKING_TOKENS = 8_192  # room to think, beside the answer's own limit
_NEARLY = 0.9  # servers count the last tokens differently


@runtime_checkable
class Asks(Client, Protocol):
    """Answer one request at a time, so that each can be kept as it ends."""

    tries: int
    """How often a reply that cannot be used is asked for at most, the first time included."""

    def ask(self, request: Request) -> Reply:
        """Make one request. Return the reply as it came, unparsed, with the faults that preceded it.

        Raises one of our errors, whose details may hold the `usage` and the `faults` of this request.
        """
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """Hold what is wrong with a reply."""

    parsed: BaseModel | None = None
    """The valid instance, where a schema was asked for."""

    kind: Kind | None = None
    """The fault to record. A reply that can be used may have one, such as prose around the JSON."""

    problem: str = ""
    """A clause that tells the model what to mend; "" when the reply can be used."""


def complete(
    ask: Callable[[Request], Reply],
    request: Request,
    *,
    tries: int,
    keep: Callable[[Reply], None] | None = None,
) -> Reply:
    """Ask until the reply can be used, at most `tries` times; usage and faults add up over all of them.

    With a schema the model is shown what was wrong, and MalformedReply raised in the end. Without one the
    last reply is returned as it is, its fault recorded. A model that thought until it was cut off is asked
    once more with room to think, and not a third time: the same request would end in the same way. `keep`
    gets each reply with its own faults, once it has been looked at. What `ask` raises is raised at once.
    """
    usage, faults, attempts, asked = Usage(), tuple[Fault, ...](), 0, request
    number, last = 0, False
    while not last:
        number += 1
        last = number >= tries
        try:
            reply = split_reply(ask(asked), tools=bool(request.tools))
        except AceError as error:  # it takes along what the earlier requests of this call took and met
            error.details.setdefault("usage", usage)
            error.details["faults"] = (*faults, *number_faults(error.details.get("faults", ()), attempts))
            raise
        own_faults = number_faults(reply.faults, attempts)
        attempts += count_requests(own_faults) + 1
        judgement = judge_reply(reply, request)
        cut_off = reply.finish_reason is FinishReason.LENGTH
        only_thought = judgement.problem and cut_off and not (reply.text.strip() or reply.tool_calls)
        widens = only_thought and asked.max_tokens == request.max_tokens is not None
        if only_thought:
            last = not widens
        if judgement.kind is not None:
            action = _choose_action(judgement, request, reply, last)
            fault = Fault(judgement.kind, attempts, action, shorten_detail(judgement.problem))
            own_faults = (*own_faults, fault)
        if keep is not None:
            keep(replace(reply, faults=own_faults))
        usage, faults = usage + reply.usage, (*faults, *own_faults)
        if not judgement.problem or (last and request.schema is None):
            return replace(reply, parsed=judgement.parsed, usage=usage, faults=faults)
        if widens:
            asked = replace(asked, max_tokens=(request.max_tokens or 0) + THINKING_TOKENS)
        elif request.schema is not None:
            correction = write_correction(reply.text, judgement.problem)
            asked = replace(asked, messages=(*request.messages, *correction))
    raise MalformedReply(
        f"No valid {request.schema.__name__ if request.schema else 'reply'} after {number} tries: "
        f"{judgement.problem}.",
        hint="Use a stronger model, or allow more tokens if the reply was cut off.",
        text=reply.text,
        usage=usage,
        faults=faults,
    )


def judge_reply(reply: Reply, request: Request) -> Judgement:
    """Decide whether a reply can be used. Pure.

    With a schema, what counts is whether a valid value can be read from it; what was cut off is not
    repaired. A reply that calls tools needs no value of the schema. Without one, a reply cannot be used that
    is empty, refused, longer than any limit, or cut off before its own limit.
    """
    refused = reply.finish_reason is FinishReason.FILTER
    cut_off = reply.finish_reason is FinishReason.LENGTH
    empty = not reply.text.strip()
    too_long = len(reply.text) > _MOST

    if request.schema is not None and not reply.tool_calls:
        try:
            # What was cut off is not repaired: closing its brackets would pass half a lesson as a whole one.
            value, clean = parse(reply.text, request.schema, repair=not cut_off)
            return Judgement(value, None if clean else Kind.PROSE)
        except ValueError as error:
            kind = Kind.WRONG_FORM
            if refused:
                kind = Kind.REFUSED
            elif cut_off:
                kind = Kind.CUT_OFF
            elif empty:
                kind = Kind.EMPTY
            elif too_long:
                kind = Kind.TOO_LONG
            return Judgement(None, kind, explain_error(error, reply))

    # Of plain text all that is there can be used, but some of it should not have come like this.
    if refused:
        return Judgement(None, Kind.REFUSED, "a content filter stopped it")
    if empty and not reply.tool_calls:
        if cut_off:
            tokens = f" of {request.max_tokens} tokens" if request.max_tokens else ""
            problem = f"the model was thinking when its limit{tokens} was reached (max_tokens)"
            return Judgement(None, Kind.CUT_OFF, problem)
        return Judgement(None, Kind.EMPTY, "it is empty")
    if too_long:
        return Judgement(None, Kind.TOO_LONG, f"it has {len(reply.text):,} characters")
    if cut_off:
        limit = request.max_tokens
        written = reply.usage.completion_tokens
        if limit is not None and 0 < written < _NEARLY * limit:
            return Judgement(None, Kind.CUT_OFF, "it was cut off before its limit")
        return Judgement(None, Kind.CUT_OFF)
    if request.tools and TOOL_CALL in reply.text:
        return Judgement(None, Kind.WRONG_FORM, "a tool call in it is no JSON object with name and arguments")
    return Judgement()


def _choose_action(judgement: Judgement, request: Request, reply: Reply, last: bool) -> Action:
    """Return what is done about a reply's fault: it stands for the record, and decides nothing.

    `last`: nothing is asked after this reply. Then plain text is accepted as it is, unless there is none.
    """
    if not judgement.problem:
        return Action.REPAIRED if judgement.parsed is not None else Action.ACCEPTED
    if not last:
        return Action.ASKED_AGAIN
    empty = not reply.text.strip() and not reply.tool_calls
    if request.schema is not None or judgement.kind is Kind.REFUSED or empty:
        return Action.GIVEN_UP
    return Action.ACCEPTED
