"""What a model will not take, found out from its refusals: requests without it, or with something else.

Knows how requests are put and how endpoints refuse a part of one; makes no requests.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from ace.llm.client import Message
from ace.llm.failures import Cause, Failure, load_patterns
from ace.llm.structured import strict_schema

_SCHEMA_ORDER = "Reply with one JSON value that matches this JSON Schema, and nothing else:"
_WARM = 0.01  # as good as greedy, for endpoints that want more than 0


class Concession(StrEnum):
    """Name what is changed in requests to a model that refused one. The values stand in records of faults."""

    SCHEMA_IN_WORDS = "asked again, the schema in words"
    NO_TEMPERATURE = "asked again without temperature"
    WARM = "asked again with a temperature above 0"
    NO_SEED = "asked again without seed"
    RENAME_LIMIT = "asked again with max_completion_tokens for max_tokens"
    NO_LIMIT = "asked again without max_tokens"
    SYSTEM_IN_QUESTION = "asked again with the system text before the question"
    ONE_ROLE_A_TURN = "asked again with neighbours of one role joined"


def find_concession(
    failure: Failure,
    messages: Sequence[Message],
    options: Mapping[str, Any],
    schema: type[BaseModel] | None,
    earlier: Collection[Concession],
) -> Concession | None:
    """Return the change that a refusal names and that was not tried `earlier`; None where there is none.

    An endpoint that refuses a schema need not name it: it is given in words where nothing else is named.
    """
    roles = [message.role for message in messages]
    is_mixed = any(role == before for role, before in zip(roles[1:], roles, strict=False))
    useful = {
        Concession.RENAME_LIMIT: "max_tokens" in options,
        Concession.NO_LIMIT: "max_tokens" in options,
        Concession.WARM: options.get("temperature") == 0,
        Concession.NO_TEMPERATURE: "temperature" in options,
        Concession.NO_SEED: "seed" in options,
        Concession.SCHEMA_IN_WORDS: schema is not None,
        Concession.SYSTEM_IN_QUESTION: "system" in roles,
        Concession.ONE_ROLE_A_TURN: is_mixed,
    }
    text = f"{failure.words} {failure.marks}"
    form = failure.cause is Cause.FORM
    allowed = set(Concession)
    if failure.cause is Cause.CONTEXT:
        allowed = {Concession.NO_LIMIT}
    elif not form:
        return None
    for name, pattern in load_patterns("concessions").items():
        concession = Concession[name.upper()]
        if not useful[concession] or concession in earlier or concession not in allowed:
            continue
        if pattern.search(text):
            return concession
    alternates = load_patterns("concessions")["one_role_a_turn"].search(text)
    if alternates and "system" in roles and Concession.SYSTEM_IN_QUESTION not in earlier:
        return Concession.SYSTEM_IN_QUESTION  # its template takes the system text for a turn
    if form and schema is not None and Concession.SCHEMA_IN_WORDS not in earlier:
        return Concession.SCHEMA_IN_WORDS
    return None


def shape_request(
    messages: Sequence[Message],
    options: Mapping[str, Any],
    schema: type[BaseModel] | None,
    concessions: Collection[Concession],
) -> tuple[list[Message], dict[str, Any]]:
    """Return messages and options as a model takes them that asked for these changes."""
    shaped, changed = list(messages), dict(options)
    if schema is not None:
        strict = strict_schema(schema)
        if Concession.SCHEMA_IN_WORDS in concessions:
            last = shaped[-1]
            words = f"{last.content}\n\n{_SCHEMA_ORDER}\n{json.dumps(strict, ensure_ascii=False)}"
            shaped[-1] = replace(last, content=words)
        else:
            json_schema = {"name": schema.__name__, "schema": strict, "strict": True}
            changed["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    if Concession.WARM in concessions and changed.get("temperature") == 0:
        changed["temperature"] = _WARM
    if Concession.NO_TEMPERATURE in concessions:
        changed.pop("temperature", None)
    if Concession.NO_SEED in concessions:
        changed.pop("seed", None)
    if Concession.NO_LIMIT in concessions:
        changed.pop("max_tokens", None)
    if Concession.RENAME_LIMIT in concessions and "max_tokens" in changed:
        changed["max_completion_tokens"] = changed.pop("max_tokens")
    if Concession.SYSTEM_IN_QUESTION in concessions:
        asked = [replace(each, role="user") if each.role == "system" else each for each in shaped]
        shaped = _join_neighbours(asked)
    if Concession.ONE_ROLE_A_TURN in concessions:
        shaped = _join_neighbours(shaped)
    return shaped, changed


def _join_neighbours(messages: Sequence[Message]) -> list[Message]:
    """Join messages of one role that follow each other, so that roles alternate. Results of tools stay."""
    joined: list[Message] = []
    for message in messages:
        is_neighbour = bool(joined) and joined[-1].role == message.role != "tool"
        if is_neighbour and not message.tool_calls:
            joined[-1] = replace(message, content=f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined
