"""From what a model said to a valid instance of a schema: parse, repair, or ask again with the error.

Knows JSON and pydantic; not how a call is made (the caller passes that in as a function).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ace.errors import AceError, MalformedReply
from ace.llm.client import Message, Reply, Usage

M = TypeVar("M", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_MAX_VALUES = 200  # how many JSON values inside prose are looked at
_MAX_REPAIR = 50_000  # characters; repairing is slow, and what is longer is not a reply but a runaway
_MAX_ECHO = 2_000  # how much of a bad reply is shown to the model again


def complete(
    call: Callable[[Sequence[Message]], Reply],
    messages: Sequence[Message],
    schema: type[BaseModel],
    *,
    tries: int = 3,
) -> Reply:
    """Call until the reply holds a valid `schema`, at most `tries` times. Usage adds up over all of them."""
    spent, reply, problem, asked = Usage(), Reply(""), "", messages
    for _ in range(tries):
        try:
            reply = call(asked)
        except AceError as error:
            error.details.setdefault("usage", spent)
            raise
        spent += reply.usage
        try:
            # What was cut off is not repaired: closing its brackets would pass half a lesson as a whole one.
            parsed = parse(reply.text, schema, repair=reply.finish_reason != "length")
        except ValueError as error:
            problem = _explain(error, reply)
            asked = [*messages, *_correction(reply.text, problem)]
        else:
            return Reply(reply.text, parsed, spent, reply.finish_reason)
    raise MalformedReply(
        f"No valid {schema.__name__} after {tries} tries: {problem}",
        hint="Use a stronger model, or allow more tokens if the reply was cut off.",
        text=reply.text,
        usage=spent,
    )


def parse(text: str, schema: type[M], *, repair: bool = True) -> M:
    """The last JSON value in `text` that is a valid `schema`; ValueError says what is wrong with it."""
    failure = ValueError("it holds no JSON" if text.strip() else "it is empty")
    for value in _values(text, repair):
        try:
            return schema.model_validate(value)
        except ValidationError as error:
            failure = error
    raise failure


def in_words(messages: Sequence[Message], schema: type[BaseModel]) -> list[Message]:
    """The same messages with the schema at their end, for endpoints that cannot enforce one."""
    *rest, last = messages
    wanted = json.dumps(strict_schema(schema), ensure_ascii=False)
    order = "Reply with one JSON value that matches this JSON Schema, and nothing else:"
    return [*rest, Message(last.role, f"{last.content}\n\n{order}\n{wanted}")]


@lru_cache(maxsize=256)
def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema in the dialect that strict endpoints accept: closed objects, every field required."""
    closed: dict[str, Any] = _close(schema.model_json_schema())
    return closed


def _close(node: Any) -> Any:
    if isinstance(node, list):
        return [_close(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    closed = {key: _close(value) for key, value in node.items() if key not in ("default", "discriminator")}
    if "oneOf" in closed:
        closed["anyOf"] = closed.pop("oneOf")
    if isinstance(node.get("properties"), dict):
        closed["required"] = list(node["properties"])
        closed["additionalProperties"] = False
    return closed


def _values(text: str, repair: bool) -> Iterator[Any]:
    """Candidates, best first: the whole text, JSON inside it from the last to the first, then a repair."""
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        pass
    yield from reversed(list(_embedded(text)))
    if repair and _OPENING.search(text) and len(text) <= _MAX_REPAIR:
        yield from _repaired(text)


def _embedded(text: str) -> Iterator[Any]:
    """JSON values standing in prose or fences; what lies inside one is not looked at again."""
    decoder, place = json.JSONDecoder(), 0
    for _ in range(_MAX_VALUES):
        opening = _OPENING.search(text, place)
        if opening is None:
            return
        try:
            value, place = decoder.raw_decode(text, opening.start())
            yield value
        except (ValueError, RecursionError):
            place = opening.end()


def _repaired(text: str) -> Iterator[Any]:
    import json_repair

    fences = _FENCE.findall(text)
    for piece in reversed(fences) if fences else [text[text.index("{") if "{" in text else 0 :]]:
        try:
            yield json_repair.loads(piece)
        except (ValueError, RecursionError):
            continue


def _explain(error: ValueError, reply: Reply) -> str:
    if reply.finish_reason == "length":
        return f"it was cut off after {reply.usage.completion_tokens} tokens; be shorter"
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in found)


def _correction(text: str, problem: str) -> tuple[Message, Message]:
    shown = text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]} [...]"
    order = f"That cannot be used: {problem}. Reply again with the corrected JSON and nothing else."
    return Message("assistant", shown or "(nothing)"), Message("user", order)
