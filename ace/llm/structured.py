"""Get a valid instance of a schema from what a model said: parse, repair, or say what is wrong with it.

Knows JSON and pydantic; asks nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ace.llm.client import FinishReason, Message, Reply
from ace.text.json_values import find_json_values

M = TypeVar("M", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_MAX_REPAIR = 50_000  # characters; repairing is slow, and what is longer is not a reply but a runaway
_LONGEST_BOUND = 600  # characters of a text that an endpoint is told to count
_MAX_ECHO = 2_000  # how much of a bad reply is shown to the model again


def parse(text: str, schema: type[M], *, repair: bool = True) -> tuple[M, bool]:
    """Return the last JSON value in `text` that is a valid `schema`.

    The second value is True if the text is this value and nothing else, as was asked. `repair` also tries
    JSON with mended brackets, quotes and commas, after everything else. Raises ValueError with what is wrong,
    pydantic's ValidationError where there is JSON that does not fit.
    """
    failure = ValueError("it holds no JSON" if text.strip() else "it is empty")
    values = list(_find_values(text, repair))
    for value, whole in values:
        try:
            return schema.model_validate(value), whole
        except ValidationError as error:
            failure = error
    for value, _ in values:
        for inner in _unwrap(value, schema.__name__):
            try:
                return schema.model_validate(inner), False
            except ValidationError:
                continue
    raise failure


def _unwrap(value: Any, name: str) -> Iterator[Any]:
    """Yield what stands where models put a value: in a list of one, a text, or an object named so."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
            yield value
        except (ValueError, RecursionError):
            return
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    if isinstance(value, dict):
        for key in (name, name.lower(), "arguments", "parameters", "properties"):
            if key in value:
                yield value[key]
                yield from _unwrap(value[key], name) if isinstance(value[key], str) else ()


@lru_cache(maxsize=256)
def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema in the dialect of strict endpoints: closed objects, every field required.

    Generous bounds on lengths are left to the validation: a grammar that counts so far takes seconds a token.
    Built once for each class; do not change what it returns.
    """
    strict: dict[str, Any] = _close(schema.model_json_schema())
    return strict


def _close(node: Any) -> Any:
    """Rewrite one node of a JSON Schema, and those below it, as strict endpoints take it."""
    if isinstance(node, list):
        return [_close(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    strict = {}
    for key, value in node.items():
        if key not in ("default", "discriminator"):
            strict[key] = _close(value)
    if isinstance(node.get("maxLength"), int) and node["maxLength"] > _LONGEST_BOUND:
        del strict["maxLength"]
    if "oneOf" in strict:
        strict["anyOf"] = strict.pop("oneOf")
    if isinstance(node.get("properties"), dict):
        strict["required"] = list(node["properties"])
        strict["additionalProperties"] = False
    return strict


def _find_values(text: str, repair: bool) -> Iterator[tuple[Any, bool]]:
    """Yield candidates, best first, each with whether it is the whole text.

    The whole text comes first, then JSON in prose or fences from the last to the first. Repairs come at the
    end: of the fences, last first, or of all from the first brace on. What lies inside a value is not looked
    at again.
    """
    try:
        yield json.loads(text), True
        return
    except (ValueError, RecursionError):
        pass
    values = [value for value, _ in find_json_values(text)]
    for value in reversed(values):
        yield value, False
    if not repair or not _OPENING.search(text) or len(text) > _MAX_REPAIR:
        return
    import json_repair

    start = max(0, text.find("{"))
    pieces = _FENCE.findall(text) or [text[start:]]
    for piece in reversed(pieces):
        try:
            yield json_repair.loads(piece), False
        except (ValueError, RecursionError):
            continue


def explain_error(error: ValueError, reply: Reply) -> str:
    """Return what to tell the model about its reply: that it was cut off, or up to 5 fields and their faults.

    `error` is what `parse` raised for it.
    """
    if reply.finish_reason is FinishReason.LENGTH:
        return f"it was cut off after {reply.usage.completion_tokens} tokens; be shorter"
    if not isinstance(error, ValidationError):
        return str(error)
    problems = []
    for detail in error.errors(include_url=False, include_context=False)[:5]:
        place = ".".join(map(str, detail["loc"])) or "it"
        problems.append(f"{place}: {detail['msg']}")
    return "; ".join(problems)


def write_correction(text: str, problem: str) -> tuple[Message, Message]:
    """Return the bad reply and the order to mend it, as messages to go on with.

    A long reply is cut: its beginning is enough to see what was wrong. `problem` is a clause.
    """
    echo = text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]} [...]"
    order = f"That cannot be used: {problem}. Reply again with the corrected JSON and nothing else."
    return Message("assistant", echo or "(nothing)"), Message("user", order)
