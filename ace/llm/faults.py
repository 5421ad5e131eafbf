"""What can go wrong with a call, as a record: what it was, at which attempt, and what was done about it.

Knows kinds of faults and how to keep secrets out of what is recorded; handles none of them itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ace.safety.secrets import SECRET_MARK, hide_secrets

Kind = Literal[
    # On the way: no reply came.
    "rate limit",
    "time-out",
    "lost connection",
    "server error",
    "refused request",
    # In the reply.
    "empty",
    "refused",
    "cut off",
    "too long",
    "prose",
    "wrong form",
]
IN_THE_REPLY = frozenset({"empty", "refused", "cut off", "too long", "prose", "wrong form"})

_LONGEST = 200  # characters of detail
_POLICY = re.compile(r"content[_ ](?:filter|policy|management)|\bwas filtered|responsible ai", re.IGNORECASE)
_SECRET_NAMES = ("_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST_SECRET = 6  # what is shorter could be a word: hiding it would garble messages


@dataclass(frozen=True, slots=True)
class Fault:
    """`attempt` counts the requests of one call from 1; `action` is what was done about it."""

    kind: Kind
    attempt: int
    action: str
    detail: str = ""


def kind_of(error: BaseException) -> Kind:
    """Of an exception that a provider's client raised."""
    status = getattr(error, "status_code", None)
    if status == 429:
        return "rate limit"
    if is_policy(error):
        return "refused"
    if status == 408:
        return "time-out"
    if "onnection" in str(error):
        return "lost connection"
    return "server error" if isinstance(status, int) and status >= 500 else "refused request"


def is_policy(error: BaseException) -> bool:
    """A content filter refused, not the endpoint the form of the request."""
    told = f"{type(error).__name__.replace('ContentPolicy', 'content policy')} {error}"
    code = getattr(error, "code", None) or ""  # where newer clients put it, and no longer in the message
    refused = getattr(error, "status_code", None) in (400, 403, 422)
    return refused and bool(_POLICY.search(f"{told} {code}"))


def numbered(faults: Iterable[Fault], after: int) -> tuple[Fault, ...]:
    """The same faults, one an attempt, as the attempts that follow number `after`."""
    return tuple(replace(fault, attempt=after + place) for place, fault in enumerate(faults, 1))


def detail(text: str, *secrets: str | None) -> str:
    """A message on one line, short, and without secrets."""
    return " ".join(hide(text, *secrets).split())[:_LONGEST]


def hide(text: str, *secrets: str | None) -> str:
    """The text without `secrets`, the keys of this environment, and whatever looks like a secret."""
    known = {value for name, value in os.environ.items() if name.upper().endswith(_SECRET_NAMES)}
    for secret in sorted({*known, *filter(None, secrets)}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, SECRET_MARK)
    return hide_secrets(text)
