"""Records of a run's model calls: one for each request that came to an end.

Knows the record and what is asked of whoever keeps it; where it is kept is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ace.llm.client import Reply, Usage
from ace.llm.faults import Fault


class Key(NamedTuple):
    """Identify a request of a run. `request` is the hash of everything that was asked.

    `occurrence` counts, from 0, how often it was asked for this sample in this step.
    """

    step: int
    sample: str
    role: str
    request: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class Call:
    """Record a request and what came of it. `text` is None when it failed, `error` then says why.

    `text` is all that the model said, its thoughts and tool calls in marks (`ace.llm.transcript`). The key's
    `sample` is what it was made for: a sample's id, or a subject that is curated. `started` is in seconds
    since 1970.
    """

    key: Key
    phase: str
    model: str
    text: str | None
    finish_reason: str = ""
    error: str = ""
    usage: Usage = Usage()  # noqa: RUF009 (it is frozen)
    faults: tuple[Fault, ...] = ()
    started: float = 0.0


class Journal(Protocol):
    """Keep calls. Implementations are thread-safe."""

    def find(self, key: Key) -> Reply | None:
        """Return the reply to this request, if it was paid for before."""
        ...

    def write(self, call: Call) -> None:
        """Write a call, which is durable once this returns."""
        ...
