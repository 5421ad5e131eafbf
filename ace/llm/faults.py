"""Records of what can go wrong with a call: the fault, at which attempt, and what was done about it.

Knows kinds of faults and how to keep secrets out of what is recorded; handles none of them itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ace.safety.secrets import hide_secrets, hide_values

_LONGEST = 200  # characters of detail
_SECRET_NAMES = ("_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD", "_PASS", "_CREDENTIALS")
_READ = 20_000  # characters of a message: what is shown of it ends well before
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

    # Beside a reply that can be used.
    USAGE = "usage"  # it counts no tokens, or cannot be right


IN_THE_REPLY = frozenset({Kind.EMPTY, Kind.REFUSED, Kind.CUT_OFF, Kind.TOO_LONG, Kind.PROSE, Kind.WRONG_FORM})
REMARKS = frozenset({Kind.USAGE})


class Action(StrEnum):
    """Name what was done about a fault. Seconds follow TRIED_AGAIN: "tried again after 0.5 s".

    What was asked again with a changed request says how (`ace.llm.concessions.Concession`).
    """

    TRIED_AGAIN = "tried again after"
    ASKED_AGAIN = "asked again"
    REPAIRED = "repaired"
    ESTIMATED = "tokens estimated"
    ACCEPTED = "kept as it is"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Fault:
    """Record a fault."""

    kind: Kind
    """What went wrong."""

    attempt: int
    """Which request of the call met it, from 1."""

    action: str
    """Begins with an `Action`: what was done about it."""

    detail: str = ""
    """At most 200 characters of what the endpoint said, on one line and without secrets."""


def count_requests(faults: Iterable[Fault]) -> int:
    """Return how many requests failed on the way; the one that got the reply is not among them."""
    return sum(fault.kind not in IN_THE_REPLY | REMARKS for fault in faults)


def number_faults(faults: Iterable[Fault], after: int) -> tuple[Fault, ...]:
    """Return the same faults as those of the requests that follow number `after`, one for each failed one."""
    numbered = []
    for fault in faults:
        numbered.append(replace(fault, attempt=after + 1))
        after += fault.kind not in REMARKS
    return tuple(numbered)


def shorten_detail(text: str, *secrets: str | None) -> str:
    """Return a message on one line, of at most 200 characters, and without secrets (see `hide`)."""
    return " ".join(hide(text, *secrets).split())[:_LONGEST]


def hide(text: str, *secrets: str | None) -> str:
    """Hide `secrets`, the keys of this environment, and whatever looks like a secret. Call it before cutting.

    Keys are the values of variables whose names end as those of keys, tokens and passwords do. They are found
    in other forms and in part, too. A value of fewer than 6 characters is left: it could be a word. Of a
    message of more than 20,000 characters only so many are returned.
    """
    values = set(filter(None, secrets))
    for name, value in os.environ.items():
        if name.upper().endswith(_SECRET_NAMES):
            values.add(value)
    long_values = [value for value in values if len(value) >= _SHORTEST_SECRET]
    return hide_secrets(hide_values(text[:_READ], long_values))
