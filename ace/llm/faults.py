"""Records of what can go wrong with a call: the fault, at which attempt, and what was done about it.

Knows kinds of faults and how to keep secrets out of what is recorded; handles none of them itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ace.safety.secrets import SECRET_MARK, hide_secrets

_LONGEST = 200  # characters of detail
_POLICY = re.compile(r"content[_ ](?:filter|policy|management)|\bwas filtered|responsible ai", re.IGNORECASE)
_SECRET_NAMES = ("_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST_SECRET = 6  # what is shorter could be a word: hiding it would garble messages


class Kind(StrEnum):
    """Name what can go wrong with a call. The values are stored: add to them, and never rename one."""

    # On the way: no reply came.
    RATE_LIMIT = "rate limit"
    TIME_OUT = "time-out"
    LOST_CONNECTION = "lost connection"
    SERVER_ERROR = "server error"
    REFUSED_REQUEST = "refused request"
    # In the reply.
    EMPTY = "empty"
    REFUSED = "refused"  # by a content filter
    CUT_OFF = "cut off"  # its limit of tokens was reached
    TOO_LONG = "too long"  # the endpoint ignored the limit
    PROSE = "prose"  # words around the JSON that was asked for
    WRONG_FORM = "wrong form"  # no valid instance of the schema, or a tool call that cannot be read


IN_THE_REPLY = frozenset({Kind.EMPTY, Kind.REFUSED, Kind.CUT_OFF, Kind.TOO_LONG, Kind.PROSE, Kind.WRONG_FORM})


class Action(StrEnum):
    """Name what was done about a fault. Seconds follow TRIED_AGAIN: "tried again after 0.5 s"."""

    TRIED_AGAIN = "tried again after"
    ASKED_AGAIN = "asked again"
    ASKED_IN_WORDS = "asked again, the schema in words"
    REPAIRED = "repaired"
    ACCEPTED = "kept as it is"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Fault:
    """Record a fault.

    `attempt` counts the requests of one call from 1. `action` begins with an `Action`. `detail` is at most
    200 characters of what the endpoint said, on one line and without secrets.
    """

    kind: Kind
    attempt: int
    action: str
    detail: str = ""


def classify_error(error: BaseException) -> Kind:
    """Return the kind of an exception that a provider's client raised, by its status code where it has one.

    What nothing is known of counts as a refused request.
    """
    status = getattr(error, "status_code", None)
    if status == 429:
        return Kind.RATE_LIMIT
    if is_policy_refusal(error):
        return Kind.REFUSED
    if status == 408:
        return Kind.TIME_OUT
    if "onnection" in str(error):
        return Kind.LOST_CONNECTION
    if isinstance(status, int) and status >= 500:
        return Kind.SERVER_ERROR
    return Kind.REFUSED_REQUEST


def is_policy_refusal(error: BaseException) -> bool:
    """Tell whether a content filter refused, and not the endpoint the form of the request."""
    name = type(error).__name__.replace("ContentPolicy", "content policy")
    code = getattr(error, "code", None) or ""  # where newer clients put it, and no longer in the message
    refused = getattr(error, "status_code", None) in (400, 403, 422)
    return refused and bool(_POLICY.search(f"{name} {error} {code}"))


def is_out_of_credit(error: BaseException) -> bool:
    """Tell whether the account is empty, which providers report as a rate limit."""
    code = "insufficient_quota"
    return getattr(error, "code", None) == code or code in str(error)


def number_faults(faults: Iterable[Fault], after: int) -> tuple[Fault, ...]:
    """Return the same faults, one an attempt, as the attempts that follow number `after`."""
    return tuple(replace(fault, attempt=number) for number, fault in enumerate(faults, after + 1))


def shorten_detail(text: str, *secrets: str | None) -> str:
    """Return a message on one line, of at most 200 characters, and without secrets (see `hide`)."""
    return " ".join(hide(text, *secrets).split())[:_LONGEST]


def hide(text: str, *secrets: str | None) -> str:
    """Hide `secrets`, the keys of this environment, and whatever looks like a secret.

    Keys are the values of variables whose names end as those of keys, tokens and passwords do. A value of
    fewer than 6 characters is left: it could be a word.
    """
    values = set(filter(None, secrets))
    for name, value in os.environ.items():
        if name.upper().endswith(_SECRET_NAMES):
            values.add(value)
    for secret in sorted(values, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, SECRET_MARK)
    return hide_secrets(text)
