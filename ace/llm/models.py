"""List models, fetch their weights, and check that one answers: what `ace models` shows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ace.llm.client import Message, Reply, Request, Role
from ace.llm.connect import LOCAL, connect
from ace.llm.local import weights
from ace.llm.local.fetch import Progress, silent
from ace.llm.retry import Retry


@dataclass(frozen=True, slots=True)
class LocalModel:
    """Describe one embedded model. `size` is in bytes; `path` is None as long as its weights are not here."""

    name: str
    size: int
    licence: str
    path: Path | None
    default: bool


def list_models() -> tuple[LocalModel, ...]:
    """List the embedded models. Any name litellm knows can be used as well."""
    return tuple(
        LocalModel(LOCAL + name, entry.size, entry.licence, weights.locate(entry), name == weights.DEFAULT)
        for name, entry in weights.KNOWN.items()
    )


def pull(name: str, progress: Progress = silent) -> Path:
    """Fetch the weights of a `local/NAME` model, unless they are here, and return where they are."""
    return weights.ensure(weights.find(name.removeprefix(LOCAL)), progress)


@dataclass(frozen=True, slots=True)
class Check:
    """Hold the reply of a model that answered, and the seconds that it took."""

    model: str
    reply: Reply
    seconds: float


def check(name: str, *, api_base: str | None = None) -> Check:
    """Make one tiny call. Raises what is wrong, with a hint at what to do; never downloads weights."""
    once = Retry(attempts=1)
    with connect(name, api_base=api_base, retry=once, slots=1, context=512, fetch=False) as client:
        started = time.perf_counter()
        request = Request(role=Role.GENERATOR, messages=(Message("user", "Say OK."),), max_tokens=8)
        reply = client.complete(request)
        return Check(name, reply, time.perf_counter() - started)
