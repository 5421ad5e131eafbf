"""Identity of a request: everything that was asked, as canonical JSON and as its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from ace.llm.client import Request


def request_json(model: str, request: Request) -> dict[str, Any]:
    """Return a request as JSON. Journals and recordings rest on its keys: "tools" is one if there are any.

    Neither the role nor the subject is part of it: the same words get the same reply, whoever asks.
    """
    asked: dict[str, Any] = {
        "model": model,
        "messages": [asdict(message) for message in request.messages],
        "schema": None if request.schema is None else _json_schema(request.schema),
        "temperature": request.temperature,
        "seed": request.seed,
        "max_tokens": request.max_tokens,
    }
    if request.tools:
        asked["tools"] = [asdict(tool) for tool in request.tools]
    return asked


def request_key(asked: dict[str, Any]) -> str:
    """Return the hash of a request's JSON, as "sha256:" and hexadecimal digits."""
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A prompt can hold half of a surrogate pair, which has no bytes of its own.
    return f"sha256:{hashlib.sha256(canonical.encode('utf-8', 'backslashreplace')).hexdigest()}"


@lru_cache(maxsize=256)
def _json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema()
