"""From a model's name to a client that talks to it."""

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
    """`local/NAME` starts the embedded server (`slots` calls at once, `context` tokens each); any other
    name is litellm's. Raises ModelNameError at once for a name nobody serves or a missing key.

    One server per call: give the client to every role that uses the model, then close it.
    `fetch=False` refuses to download weights.
    """
    if not name.startswith(LOCAL):
        key = check_name(name, api_base=api_base, api_key=api_key)
        return Endpoint(name, api_base=api_base, api_key=key, retry=retry or Retry())
    wanted = weights.find(name.removeprefix(LOCAL))
    path = weights.ensure(wanted, progress) if fetch else weights.cached(wanted)
    if path is None:
        raise WeightsError(f"The weights of {name} are not here.", hint=f"Fetch them: ace models pull {name}")
    return connect_local(wanted.name, path, slots=slots, context=context)
