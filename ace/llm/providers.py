"""litellm as the engine uses it: loaded late and quiet, its names checked, its exceptions made ours.

Knows what can be wrong with a provider and what to do about it; makes no calls.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from ace.errors import AceError, ContentRefused, ModelError, ModelNameError, ModelUnavailable
from ace.llm.faults import Fault, hide, is_policy, numbered
from ace.llm.retry import is_transient, retry_after

_NAMES = (
    "Write it as provider/model, for example openai/gpt-4.1-mini, anthropic/claude-sonnet-4-5, "
    "ollama/llama3.2 or local/qwen2.5-coder-1.5b."
)


_NO_KEY = "none"  # an address of one's own wants no key, but the client library wants something to send
_LAYERS = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)(?:: | - ))+")


class RequestRefused(ModelError):
    """The endpoint understood the request and would not serve it as it is (400, 422)."""


@cache
def load_litellm() -> Any:
    """Takes seconds, hence late. The price list is the packaged one: no network at import."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return litellm


def check_name(model: str, *, api_base: str | None = None, api_key: str | None = None) -> str | None:
    """The key to call with; None leaves it to litellm. ModelNameError for a name nobody serves or no key."""
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(model, api_base=api_base)
    except litellm.BadRequestError as error:
        raise ModelNameError(
            f"No provider serves a model called {model!r}.",
            hint=_NAMES,
            model=model,
        ) from error
    missing = () if api_key else missing_keys(model)
    if missing and not api_base:
        raise ModelNameError(
            f"{model} needs an API key and {' or '.join(missing)} is not set.",
            hint=f"Set it, for example: export {missing[-1]}=...",
            model=model,
            variables=missing,
        )
    return _NO_KEY if missing else api_key


def missing_keys(model: str) -> tuple[str, ...]:
    """The unset variables of which this provider wants one. Addresses and cloud logins have defaults."""
    found = load_litellm().validate_environment(model)
    keys = () if found["keys_in_environment"] else found["missing_keys"]
    return tuple(key for key in keys if key.endswith(("_API_KEY", "_TOKEN")))


@contextmanager
def converted(
    model: str, api_base: str | None = None, api_key: str | None = None, met: Sequence[Fault] = ()
) -> Iterator[None]:
    """Raise whatever the provider raised as one of ours. All of litellm's exceptions are OpenAI's.

    `met`: the faults of this call so far, which the error takes along.
    """
    import openai

    try:
        yield
    except openai.OpenAIError as error:
        ours = _convert(error, model, api_base and hide(api_base), api_key)
        ours.details["faults"] = numbered(met, 0)
        # The original would be shown in a traceback, with whatever key the provider put into its message.
        secret = hide(str(error), api_key) != str(error)
        raise ours from (None if secret else error)


def _convert(error: Exception, model: str, api_base: str | None, api_key: str | None) -> AceError:
    litellm, words = load_litellm(), hide(said(error), api_key)
    status = getattr(error, "status_code", None)
    if is_transient(error):
        return _unavailable(error, model, api_base, words)
    if is_policy(error):
        return ContentRefused(f"{model}: a content filter refused the request: {words}", model=model)
    if isinstance(error, litellm.ContextWindowExceededError):
        return ModelError(
            f"{model}: the request is longer than the model's context: {words}",
            hint="Give a smaller budget of context tokens, or a model with a longer context.",
            model=model,
        )
    if "LLM Provider NOT provided" in str(error):
        return ModelNameError(f"No provider serves a model called {model!r}.", hint=_NAMES)
    if status in (401, 403):
        return ModelNameError(f"{model} refused the API key: {words}", hint=_key_hint(model), model=model)
    if status == 404:
        return ModelNameError(
            f"{model} is not served there: {words}",
            hint="Check the model's name and its address.",
            model=model,
        )
    kind = RequestRefused if status in (400, 422) else ModelError
    return kind(f"{model} refused the request: {words}", hint=_quota_hint(error), model=model)


def _unavailable(error: Exception, model: str, api_base: str | None, words: str) -> ModelUnavailable:
    wait = retry_after(error)
    where = f" at {api_base}" if api_base else ""
    hint = "Try again later, or with fewer workers." if wait is None else f"It asks to wait {wait:.0f} s."
    if "onnect" in words:
        hint = f"Is the server running{where}? Check the address and the network."
    return ModelUnavailable(f"{model} did not answer{where}: {words}", hint=hint, model=model)


def _key_hint(model: str) -> str:
    provider = load_litellm().get_llm_provider(model)[1]
    return f"Check the key of {provider} (usually {provider.upper()}_API_KEY)."


def _quota_hint(error: Exception) -> str:
    return "The account has no credit left." if "insufficient_quota" in str(error) else ""


def said(error: BaseException) -> str:
    """The provider's own words as a sentence, without the names of exceptions that litellm puts before."""
    text = str(error).strip().partition("\n")[0]
    return _LAYERS.sub("", text)[:300].rstrip(". ") + "."
