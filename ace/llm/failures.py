"""Read why an endpoint refused or failed: its own words, and the cause, in whichever form it says so.

Knows the forms of errors; makes no requests.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from ace.llm.faults import Kind
from ace.text.plain_file import decode_text
from ace.text.unicode import mend_surrogates

_LONGEST = 4_000  # characters of an error that are looked at
_TAG = re.compile(r"<(script|style|head)\b.{0,4000}?</\1>|<[^<>]{0,1000}>", re.IGNORECASE | re.DOTALL)
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
    """Report a request without a reply."""

    kind: Kind
    """The fault as it is recorded."""

    cause: Cause
    """What decides whether another try may help."""

    words: str
    """The endpoint's own where it said something, with whatever secrets are in them."""

    marks: str = ""
    """Its codes and types."""

    status: int | None = None
    """That of HTTP; None where no answer began."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of the answer: they may say how long to wait."""

    is_unreachable: bool = False
    """Whether nobody listens there."""

    def __str__(self) -> str:
        """Return the words."""
        return self.words


@cache
def load_patterns(table: str) -> Mapping[str, re.Pattern[str]]:
    """Return a table of `endpoint_words.toml` as one pattern for each name, in the order of the file."""
    lists = load_words(table)
    return {name: re.compile("|".join(words), re.IGNORECASE | re.DOTALL) for name, words in lists.items()}


@cache
def load_words(table: str) -> Mapping[str, Sequence[str]]:
    """Return a table of `endpoint_words.toml`."""
    text = files("ace.llm").joinpath("endpoint_words.toml").read_text("utf-8")
    lists: dict[str, list[str]] = tomllib.loads(text)[table]
    return lists


def read_failure(status: int, body: bytes, headers: Mapping[str, str]) -> Failure:
    """Return what an answer that is no reply says. A good status may carry an error with its own code."""
    try:
        text = decode_text(body).strip()
    except UnicodeDecodeError:
        text = body.decode("latin-1").strip()
    value = load_json(text)
    words, marks = _read_words(text, value)
    words = mend_surrogates(words)
    named = _find_code(value)
    is_error = status >= 300 or has_error(value)
    is_inside = status < 300 and is_error
    if is_inside:
        status = named or 400
    if not words:
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        words = f"HTTP {status} {phrase}".rstrip()
    if 300 <= status < 400:
        words = f"it redirects in a circle, or nowhere: {words}"
    if not is_error:
        words = f"its answer (HTTP {status}) is no reply of a model: {words}"
        return Failure(Kind.SERVER_ERROR, Cause.PASSING, words, marks, status=status, headers=headers)
    if not headers.get("retry-after"):
        wait = read_wait(f"{words}\n{text[:_LONGEST]}")
        headers = headers if wait is None else {**headers, "retry-after": f"{wait:g}"}
    cause = _find_cause(status, f"{words} {marks}")
    if is_inside and cause is Cause.FORM and load_patterns("causes")["passing"].search(words):
        cause = Cause.PASSING
    return Failure(_kind_of(status, cause), cause, words, marks, status=status, headers=headers)


def read_wait(text: str) -> float | None:
    """Return the seconds that an endpoint asks to wait for in words or in a field; None where it does not."""
    for pattern in load_patterns("waits").values():
        for match in pattern.finditer(text):
            parts = match.groupdict()
            if not any(parts.values()):
                continue  # "try again" alone
            seconds = float(parts.get("seconds") or 0) + float(parts.get("thousandths") or 0) / 1000
            return seconds + 60 * float(parts.get("minutes") or 0) + 3600 * float(parts.get("hours") or 0)
    return None


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
    if status == 404 and not causes["parameter"].search(text):
        return Cause.MISSING
    if (status >= 500 or status in (404, 405, 415)) and causes["template"].search(text):
        return Cause.FORM
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
    fields = load_words("fields")
    if any(value.get(key) for key in fields["reply"]) or isinstance(value.get("message"), dict):
        return False
    if any(
        key in value for key in fields["reply"]
    ):  # MiniMax and Gemini say beside an empty list why it is so
        return any(_walk_words(value, 0))
    return any(key.lower() in fields["error"] for key in value)


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


def _read_words(text: str, value: Any) -> tuple[str, str]:
    """Return the words and the marks of an error; all of it where its form is unknown.

    `value` is the error in JSON, None where it is none: then the words are those of a page or a text.
    """
    if value is None:
        text = text[:_LONGEST]
        if text.startswith("<"):
            text = html.unescape(_TAG.sub(" ", text))
        return " ".join(text.split()), ""
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
        inner = load_json(value) if value.lstrip()[:1] in ("{", "[") else None
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
        lower = {str(key).lower(): item for key, item in value.items()}
        for key in load_words("fields")["words"]:
            if lower.get(key):
                yield from _walk_words(lower[key], depth + 1)


def _walk_marks(value: Any, depth: int) -> Iterator[str]:
    """Yield codes, types and parameters, wherever they stand."""
    if depth > 6:
        return
    if isinstance(value, list):
        for item in value[:20]:
            yield from _walk_marks(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if str(key).lower() in load_words("fields")["marks"] and isinstance(item, str | int):
                yield str(item)[:200]
            elif isinstance(item, dict | list):
                yield from _walk_marks(item, depth + 1)


def load_json(text: str) -> Any:
    """Return the value of a text that is JSON, None for any other."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
