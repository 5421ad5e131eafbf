"""What identifies a request: everything that was asked, as canonical JSON and as its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from ace.llm.client import How, Message


def request(model: str, messages: Sequence[Message], how: How) -> dict[str, Any]:
    """One call as JSON."""
    return {
        "model": model,
        "messages": [asdict(message) for message in messages],
        "schema": None if how.schema is None else _schema(how.schema),
        "temperature": how.temperature,
        "seed": how.seed,
        "max_tokens": how.max_tokens,
    }


def key(asked: dict[str, Any]) -> str:
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A prompt can hold half of a surrogate pair, which has no bytes of its own.
    return f"sha256:{hashlib.sha256(canonical.encode('utf-8', 'backslashreplace')).hexdigest()}"


@lru_cache(maxsize=256)
def _schema(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema()
