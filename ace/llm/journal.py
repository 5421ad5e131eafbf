"""Records of a run's model calls: one for each request that came to an end, and how a request is identified.

Knows the record and what is asked of whoever keeps it; where it is kept is passed in.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from ace.llm.client import Reply, Request, Usage
from ace.llm.faults import Fault


class Key(NamedTuple):
    """Identify a request of a run."""

    step: int
    """The number of the step in the run."""

    sample: str
    """What the request was made for: a sample's id, or the name of what is curated."""

    role: str
    """The role that asked, as text."""

    request: str
    """The hash of everything that was asked (`identify_request`)."""

    occurrence: int
    """How often it was asked before for this sample in this step."""


@dataclass(frozen=True, slots=True)
class Call:
    """Record a request and what came of it."""

    key: Key
    """Identifies the request."""

    phase: str
    """That of the step, as text."""

    model: str
    """The name of the model that was asked."""

    text: str | None
    """All that the model said, thoughts and tool calls in marks; None when it failed."""

    finish_reason: str = ""
    """A value of `FinishReason`; "" when it failed."""

    error: str = ""
    """Why it failed; "" where it did not."""

    usage: Usage = Usage()  # noqa: RUF009 (it is frozen)
    """What this request alone took."""

    faults: tuple[Fault, ...] = ()
    """What this request alone met."""

    started: float = 0.0
    """In seconds since 1970."""


class Journal(Protocol):
    """Keep calls. Implementations are thread-safe."""

    def find(self, key: Key) -> Reply | None:
        """Return the reply to this request, if it was paid for before; its `parsed` is not set."""
        ...

    def write(self, call: Call) -> None:
        """Write a call, which is durable once this returns."""
        ...


def identify_request(model: str, request: Request) -> tuple[dict[str, Any], str]:
    """Return everything that a request asks as JSON, and its hash: "sha256:" and hexadecimal digits.

    Neither the role nor the subject is part of it: the same words get the same reply, whoever asks. Journals
    and recordings rest on the keys of the JSON, so "tools" is one only if there are any.
    """
    asked: dict[str, Any] = {
        "model": model,
        "messages": [message.to_json() for message in request.messages],
        "schema": None if request.schema is None else _json_schema(request.schema),
        "temperature": request.temperature,
        "seed": request.seed,
        "max_tokens": request.max_tokens,
    }
    if request.tools:
        asked["tools"] = [asdict(tool) for tool in request.tools]
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A prompt can hold half of a surrogate pair, which has no bytes of its own.
    digest = hashlib.sha256(canonical.encode("utf-8", "backslashreplace"))
    return asked, f"sha256:{digest.hexdigest()}"


@lru_cache(maxsize=256)
def _json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return pydantic's JSON Schema of a class, which is built only once. Do not change what it returns."""
    return schema.model_json_schema()
