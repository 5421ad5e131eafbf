"""Read what an endpoint answered: the words and the cause of an error, and the body of a reply in good order.

Endpoints that call themselves compatible differ in every field. Knows their forms; makes no requests.
"""

from __future__ import annotations

import html
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from ace.llm.faults import Kind
from ace.text.unicode import mend_surrogates

_LONGEST = 4_000  # characters of an error that are looked at
_MOST_TOKENS = 10_000_000  # no window is as large
_TAG = re.compile(r"<(script|style|head)\b.{0,4000}?</\1>|<[^<>]{0,1000}>", re.IGNORECASE | re.DOTALL)
_WORD_KEYS = (
    *("message", "msg", "detail", "details", "error", "errors", "error_message", "error_msg"),
    *("error_description", "reason", "title", "description", "metadata", "raw", "choices"),
)
_MARK_KEYS = ("code", "type", "param", "status", "error_code", "error_type")
_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
_REPLY_KEYS = ("choices", "content", "candidates", "response", "output")
_PASSING = frozenset({408, 409, 425, 429})


class Cause(StrEnum):
    """Say why a request failed, as far as it decides what is done next."""

    PASSING = "passing"  # may be gone the next time
    CREDIT = "credit"
    POLICY = "policy"  # a content filter
    CONTEXT = "context"  # longer than the model reads
    KEY = "key"
    MISSING = "missing"  # no such model or address
    NAME = "name"  # no provider of that name
    FORM = "form"  # what is asked for, or how
    OTHER = "other"


@dataclass(slots=True)
class Failure(Exception):
    """Report a request without a reply.

    `words` are the endpoint's own where it said something, with whatever secrets are in them. `marks` are its
    codes and types. `is_unreachable` tells that nobody listens there.
    """

    kind: Kind
    cause: Cause
    words: str
    marks: str = ""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_unreachable: bool = False

    def __str__(self) -> str:
        """Return the words."""
        return self.words


@cache
def load_patterns(table: str) -> Mapping[str, re.Pattern[str]]:
    """Return a table of `endpoint_words.toml` as one pattern for each name, in the order of the file."""
    text = files("ace.llm").joinpath("endpoint_words.toml").read_text("utf-8")
    lists = tomllib.loads(text)[table]
    return {name: re.compile("|".join(words), re.IGNORECASE | re.DOTALL) for name, words in lists.items()}


def read_failure(status: int, body: bytes, headers: Mapping[str, str]) -> Failure:
    """Return what an answer that is no reply says. A good status may carry an error with its own code."""
    text = body.decode("utf-8", "replace").strip()
    value = _load_json(text)
    words, marks = _read_error(value) if value is not None else (_strip_tags(text), "")
    named = _find_code(value)
    is_error = status >= 300 or has_error(value)
    if status < 300 and is_error:
        status = named or 400
    if not words:
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        words = f"HTTP {status} {phrase}".rstrip()
    if 300 <= status < 400:
        words = f"it redirects in a circle, or nowhere: {words}"
    if not is_error:
        words = f"its answer (HTTP {status}) is no reply of a model: {words}"
        return Failure(Kind.SERVER_ERROR, Cause.PASSING, words, marks, status, headers)
    cause = _find_cause(status, f"{words} {marks}")
    return Failure(_kind_of(status, cause), cause, words, marks, status, headers)


def judge_failure(
    kind: Kind, words: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Failure:
    """Return a failure on the way: waits and broken connections pass, the rest does not."""
    cause = Cause.PASSING if kind in (Kind.TIME_OUT, Kind.LOST_CONNECTION) else Cause.OTHER
    return Failure(kind, cause, words, "", status, headers or {})


def _find_cause(status: int, text: str) -> Cause:
    """Return the cause that a status and an endpoint's words stand for."""
    causes = load_patterns("causes")
    if status == 402 or causes["credit"].search(text):
        return Cause.CREDIT
    if status in (400, 403, 422) and causes["policy"].search(text):
        return Cause.POLICY
    if status != 429 and causes["context"].search(text):
        return Cause.CONTEXT
    if status in (401, 403):
        return Cause.KEY
    if status == 404:
        return Cause.MISSING
    if status in _PASSING or status >= 500:
        return Cause.PASSING
    return Cause.FORM if status in (400, 422) else Cause.OTHER


def _kind_of(status: int, cause: Cause) -> Kind:
    """Return the kind of fault that is recorded."""
    if cause is Cause.POLICY:
        return Kind.REFUSED
    if status == 429:
        return Kind.RATE_LIMIT
    if status == 408:
        return Kind.TIME_OUT
    return Kind.SERVER_ERROR if status >= 500 else Kind.REFUSED_REQUEST


def has_error(value: Any) -> bool:
    """Tell whether a body of JSON reports an error, whatever its status. An empty field reports none."""
    if isinstance(value, list) and len(value) == 1:  # as Gemini's compatible address sends it
        value = value[0]
    if not isinstance(value, dict):
        return False
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    for holder in (value, first):  # OpenRouter reports an upstream's error within the choice
        error = (holder.get("error") or holder.get("errors")) if isinstance(holder, dict) else None
        if any(error.values()) if isinstance(error, dict) else error:
            return True
    if any(key in value for key in _REPLY_KEYS) or isinstance(value.get("message"), dict):
        return False
    return any(key in value for key in ("code", "detail", "message", "msg", "status_code"))


def _find_code(value: Any) -> int | None:
    """Return the first HTTP status of an error that stands in a body of JSON."""
    if isinstance(value, list):
        return next(filter(None, map(_find_code, value[:5])), None)
    if not isinstance(value, dict):
        return None
    for key in ("code", "status", "status_code"):
        code = value.get(key)
        if isinstance(code, str) and code.isdecimal() and len(code) == 3:
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return _find_code(value.get("error") or value.get("choices"))


def _read_error(value: Any) -> tuple[str, str]:
    """Return the words and the marks of an error in JSON; all of it where its form is unknown."""
    words = "; ".join(dict.fromkeys(filter(None, _walk_words(value, 0))))
    marks = " ".join(dict.fromkeys(filter(None, _walk_marks(value, 0))))
    if not words and value:
        words = json.dumps(value, ensure_ascii=False)
    return words[:_LONGEST], marks[:_LONGEST]


def _walk_words(value: Any, depth: int) -> Iterator[str]:
    """Yield sentences, also those of JSON in a text. A place, as FastAPI names it, precedes its words."""
    if depth > 6:
        return
    if isinstance(value, str):
        inner = _load_json(value) if value.lstrip()[:1] in ("{", "[") else None
        if isinstance(inner, dict | list):
            yield from _walk_words(inner, depth + 1)
        else:
            yield " ".join(value[:_LONGEST].split())
    elif isinstance(value, list):
        for item in value[:20]:
            yield from _walk_words(item, depth + 1)
    elif isinstance(value, dict):
        place = value.get("loc") or value.get("path")
        if isinstance(place, list) and isinstance(value.get("msg") or value.get("message"), str):
            where = ".".join(str(part) for part in place if part != "body")
            yield f"{where}: {value.get('msg') or value.get('message')}"
            return
        for key in _WORD_KEYS:
            if value.get(key):
                yield from _walk_words(value[key], depth + 1)


def _walk_marks(value: Any, depth: int) -> Iterator[str]:
    """Yield codes, types and parameters, wherever they stand."""
    if depth > 6:
        return
    if isinstance(value, list):
        for item in value[:20]:
            yield from _walk_marks(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _MARK_KEYS and isinstance(item, str | int):
                yield str(item)[:200]
            elif isinstance(item, dict | list):
                yield from _walk_marks(item, depth + 1)


def _strip_tags(text: str) -> str:
    """Return the text of a page, or a text as it is, on one line."""
    text = text[:_LONGEST]
    if text.startswith("<"):
        text = html.unescape(_TAG.sub(" ", text))
    return " ".join(text.split())


def _load_json(text: str) -> Any:
    """Return the value of a text that is JSON, None for any other."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# A reply


def mend_reply(body: bytes) -> tuple[bytes | None, str]:
    """Return the body of a chat completion as client libraries take it, and what was refused of it.

    Text in parts is joined, thoughts are put into one field, a stream that nobody asked for is put together,
    and counts that cannot be true are left out: the second value says which. Another body stays as it is.
    None is returned for one that reports an error.
    """
    text = body.decode("utf-8-sig", "replace")
    value = _load_json(text)
    if value is None and text.lstrip().startswith(("data:", "event:", ":")):
        try:
            value = _join_events(text)
        except (AttributeError, KeyError, TypeError):  # events of another protocol
            return body, ""
    if has_error(value):
        return None, ""
    if not isinstance(value, dict) or "choices" not in value:
        return body, ""
    choices = value["choices"] if isinstance(value["choices"], list) else []
    usage, refused = _mend_usage(value.get("usage"))
    mended: dict[str, Any] = {"id": "", "object": "chat.completion", "created": 0, "usage": usage}
    if isinstance(value.get("model"), str):
        mended["model"] = value["model"]
    try:
        mended["choices"] = [
            _mend_choice(choice) for choice in choices if isinstance(choice, dict) and choice
        ]
    except RecursionError:
        return body, refused
    return json.dumps(mended).encode(), refused


def _mend_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with a message of text, thoughts and tool calls, and a reason to finish."""
    given = choice.get("message") or choice.get("delta")
    message: dict[str, Any] = given if isinstance(given, dict) else {"content": given}
    content = message.get("content")
    if content is None and isinstance(choice.get("text"), str):
        content = choice["text"]
    text, thoughts = _split_parts(content)
    for key in _THOUGHT_KEYS:
        thought = _join_texts(message.get(key))
        if thought and thought not in thoughts:
            thoughts.append(thought)
    calls = message.get("tool_calls") or message.get("function_call")
    if isinstance(calls, dict):
        calls = [calls]
    mended: dict[str, Any] = {"role": "assistant", "content": text and mend_surrogates(text)}
    if thoughts:
        mended["reasoning_content"] = mend_surrogates("\n\n".join(thoughts))
    if isinstance(calls, list) and calls:
        mended["tool_calls"] = [_mend_call(call) for call in calls if isinstance(call, dict)]
    if message.get("refusal"):
        mended["refusal"] = _join_texts(message["refusal"]) or "refused"
    return {"index": 0, "message": mended, "finish_reason": str(choice.get("finish_reason") or "stop")}


def _mend_call(call: dict[str, Any]) -> dict[str, Any]:
    """Return a tool call whose parts are texts."""
    function = call.get("function")
    if not isinstance(function, dict):
        function = call
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments) if arguments is not None else ""
    named = {"name": str(function.get("name") or ""), "arguments": mend_surrogates(arguments)}
    return {"id": str(call.get("id") or ""), "type": "function", "function": named}


def _split_parts(content: Any) -> tuple[str | None, list[str]]:
    """Return the text of a content, which may come in parts, and the thoughts among the parts."""
    if content is None or isinstance(content, str):
        return content, []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return json.dumps(content), []
    texts, thoughts = [], []
    for part in content:
        kind = str(part.get("type", "")) if isinstance(part, dict) else ""
        text = _join_texts(part)
        is_thought = "think" in kind or "reason" in kind
        if is_thought:
            thoughts.append(text)
        else:
            texts.append(text or json.dumps(part))
    return "".join(texts), list(filter(None, thoughts))


def _join_texts(value: Any, depth: int = 0) -> str:
    """Return all text of a part, or of a field of thoughts, in whichever form."""
    if isinstance(value, str):
        return value
    if depth < 5 and isinstance(value, list):
        return "".join(_join_texts(item, depth + 1) for item in value)
    if depth < 5 and isinstance(value, dict):
        for key in ("text", "content", "thinking", "reasoning", "summary", "refusal"):
            if value.get(key):
                return _join_texts(value[key], depth + 1)
    return ""


def _mend_usage(usage: Any) -> tuple[dict[str, Any] | None, str]:
    """Return counts that can be true, and the names and values of those that cannot; None without any."""
    if not isinstance(usage, dict):
        return None, f"usage is {usage!r:.60}" if usage else ""
    refused: list[str] = []
    counts: dict[str, Any] = {}
    for name in ("prompt_tokens", "completion_tokens"):
        count = read_count(usage.get(name))
        if count is None and usage.get(name) is not None:
            refused.append(f"{name} is {usage[name]!r:.60}")
        counts[name] = count or 0
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = usage.get(name)
        known = {key: read_count(item) for key, item in details.items()} if isinstance(details, dict) else {}
        counts[name] = {key: count for key, count in known.items() if count is not None}
    cached = counts["prompt_tokens_details"].get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    count = read_count(cached)  # the last name is DeepSeek's
    if count is not None and count > counts["prompt_tokens"]:
        refused.append(f"cached_tokens is {cached!r:.60}")
        count = None
    counts["prompt_tokens_details"]["cached_tokens"] = count or 0
    counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
    return counts, ", ".join(refused)


def read_count(value: Any) -> int | None:
    """Return a number of tokens, from a number or a text; None for what cannot be one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value)


def _join_events(text: str) -> Any:
    """Return the completion that a stream of events spells, or the error in it; None where it has neither."""
    merged: dict[str, Any] = {}
    content, thoughts, reason = "", "", None
    calls: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        event = _load_json(line.removeprefix("data:")) if line.startswith("data:") else None
        if has_error(event):
            return event
        if not isinstance(event, dict):
            continue
        merged |= {key: item for key, item in event.items() if item is not None}
        for choice in event.get("choices") or ():
            message = _mend_choice(choice)["message"]
            reason = choice.get("finish_reason") or reason
            content += message["content"] or ""
            thoughts += message.get("reasoning_content", "")
            for number, call in enumerate(message.get("tool_calls", ())):
                place = choice["delta"]["tool_calls"][number].get("index", number)
                known = calls.setdefault(place, {"id": "", "function": {"name": "", "arguments": ""}})
                known["id"] = known["id"] or call["id"]
                known["function"]["name"] += call["function"]["name"]
                known["function"]["arguments"] += call["function"]["arguments"]
    if "choices" not in merged:
        return None
    message = {"content": content, "reasoning_content": thoughts, "tool_calls": list(calls.values())}
    return {**merged, "choices": [{"message": message, "finish_reason": reason}]}
