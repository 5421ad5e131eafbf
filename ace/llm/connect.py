"""Models by name: connect to one, list the embedded ones, fetch their weights."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ace.errors import InputError, WeightsError
from ace.llm.endpoint import Endpoint
from ace.llm.local import weights
from ace.llm.local.fetch import Progress, silent
from ace.llm.local.local_server import connect_local
from ace.llm.providers import check_name
from ace.llm.retry import Retry

LOCAL = "local/"
"""Begins the names of embedded models."""

DEFAULT_MODEL = LOCAL + weights.DEFAULT
"""The model that is used where none is named."""


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
    weights; `progress` is told how far a download is. For an embedded model `api_base`, `api_key` and
    `retry` have no effect, for any other `slots`, `context`, `fetch` and `progress` have none. No call is
    made yet, so a wrong key shows only when the first one is.

    Raises ModelNameError at once for a name that nobody serves or a missing key, WeightsError where there
    are no weights, InputError where xllamacpp is not installed, ModelError where the server does not start.
    """
    key = check_model_name(name, api_base=api_base, api_key=api_key)
    if not name.startswith(LOCAL):
        return Endpoint(name, api_base=api_base, api_key=key, retry=retry or Retry())
    entry = weights.find(name.removeprefix(LOCAL))
    path = weights.ensure(entry, progress) if fetch else weights.find_verified(entry)
    if path is None:
        raise WeightsError(f"The weights of {name} are not here.", hint=f"Fetch them: ace models pull {name}")
    return connect_local(entry.name, path, slots=slots, context=context)


def check_model_name(name: str, *, api_base: str | None = None, api_key: str | None = None) -> str | None:
    """Return the key to call a model with; None where there is none, or litellm finds it.

    Nothing is started or asked. Raises as `connect` does, as far as that can be known beforehand: before
    anything is made for a run that cannot be.
    """
    if not name.startswith(LOCAL):
        return check_name(name, api_base=api_base, api_key=api_key)
    weights.find(name.removeprefix(LOCAL))
    if find_spec("xllamacpp") is None:
        raise InputError(
            "Local models need xllamacpp, which is not installed.",
            hint="Install it: pip install 'ace-engine[local]', or name a model that is served elsewhere.",
        )
    return None


@dataclass(frozen=True, slots=True)
class LocalModel:
    """Describe one embedded model."""

    name: str
    """As `connect` takes it: it begins with "local/"."""

    size: int
    """The length of the weights, in bytes."""

    licence: str
    """That of the weights, by its short name."""

    path: Path | None
    """None as long as they are not here. Whether they are the right bytes is checked in use."""

    default: bool
    """Whether it is the model that is used where none is named."""


def list_models() -> tuple[LocalModel, ...]:
    """List the embedded models, the default one first. Any name litellm knows can be used as well."""
    models = []
    for name, entry in weights.KNOWN.items():
        model = LocalModel(
            name=LOCAL + name,
            size=entry.size,
            licence=entry.licence,
            path=weights.locate(entry),
            default=name == weights.DEFAULT,
        )
        models.append(model)
    return tuple(models)


def pull(name: str, progress: Progress = silent) -> Path:
    """Fetch the weights of a `local/NAME` model, unless they are here, and return where they are.

    Raises ModelNameError for a name that is not listed, WeightsError when no source has the right bytes.
    """
    return weights.ensure(weights.find(name.removeprefix(LOCAL)), progress)
