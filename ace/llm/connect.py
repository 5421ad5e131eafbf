"""Turn a model's name into a client that talks to it."""

from __future__ import annotations

from ace.errors import WeightsError
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
