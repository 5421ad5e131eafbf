"""Models by name: connect to one, list the embedded ones, fetch their weights, check that one answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ace.errors import WeightsError
from ace.llm.client import Message, Reply, Request, Role
from ace.llm.endpoint import Endpoint
from ace.llm.local import weights
from ace.llm.local.fetch import Progress, silent
from ace.llm.local.local_server import connect_local
from ace.llm.providers import check_name
from ace.llm.retry import Retry

LOCAL = "local/"
DEFAULT_MODEL = LOCAL + weights.DEFAULT


def connect(
    name: str = DEFAULT_MODEL,
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    retry: Retry | None = None,
    slots: int = 4,
    context: int = 8192,
    fetch: bool = True,
    progress: Progress = silent,
) -> Endpoint:
    """Connect to a model. `local/NAME` starts the embedded server, any other name is litellm's.

    The server takes `slots` calls at once, each with `context` tokens. Each call of this function starts one:
    give the client to every role that uses the model, then close it. `fetch=False` refuses to download
    weights. Raises ModelNameError at once for a name that nobody serves or a missing key, and WeightsError
    where there are no weights.
    """
    if not name.startswith(LOCAL):
        key = check_name(name, api_base=api_base, api_key=api_key)
        return Endpoint(name, api_base=api_base, api_key=key, retry=retry or Retry())
    entry = weights.find(name.removeprefix(LOCAL))
    path = weights.ensure(entry, progress) if fetch else weights.find_verified(entry)
    if path is None:
        raise WeightsError(f"The weights of {name} are not here.", hint=f"Fetch them: ace models pull {name}")
    return connect_local(entry.name, path, slots=slots, context=context)


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
