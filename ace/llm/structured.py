"""From what a model said to a valid instance of a schema: parse, repair, or say what is wrong with it.

Knows JSON and pydantic; asks nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from ace.llm.client import FinishReason, Message, Reply

M = TypeVar("M", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_MAX_VALUES = 200  # how many JSON values inside prose are looked at
_MAX_REPAIR = 50_000  # characters; repairing is slow, and what is longer is not a reply but a runaway
_MAX_ECHO = 2_000  # how much of a bad reply is shown to the model again


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """`repaired`: the text was not this value and nothing else, as was asked."""

    value: M
    repaired: bool


def parse(text: str, schema: type[M], *, repair: bool = True) -> Found[M]:
    """The last JSON value in `text` that is a valid `schema`; ValueError says what is wrong with it."""
    failure = ValueError("it holds no JSON" if text.strip() else "it is empty")
    for value, whole in _values(text, repair):
        try:
            return Found(schema.model_validate(value), not whole)
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


def _values(text: str, repair: bool) -> Iterator[tuple[Any, bool]]:
    """Candidates, best first: the whole text, JSON inside it from the last to the first, then a repair.

    With each, whether it is the whole text.
    """
    try:
        yield json.loads(text), True
        return
    except (ValueError, RecursionError):
        pass
    for value in reversed(list(_embedded(text))):
        yield value, False
    if repair and _OPENING.search(text) and len(text) <= _MAX_REPAIR:
        for value in _repaired(text):
            yield value, False


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


def explain(error: ValueError, reply: Reply) -> str:
    """What to tell the model about its reply."""
    if reply.finish_reason is FinishReason.LENGTH:
        return f"it was cut off after {reply.usage.completion_tokens} tokens; be shorter"
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in found)


def correction(text: str, problem: str) -> tuple[Message, Message]:
    """The bad reply and the order to mend it, as messages to go on with."""
    shown = text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]} [...]"
    order = f"That cannot be used: {problem}. Reply again with the corrected JSON and nothing else."
    return Message("assistant", shown or "(nothing)"), Message("user", order)
