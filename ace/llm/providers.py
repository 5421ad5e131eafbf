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
from ace.llm.faults import Fault, hide, is_out_of_credit, is_policy_refusal
from ace.llm.retry import is_transient, read_retry_after

_NAMES = (
    "Write it as provider/model, for example openai/gpt-4.1-mini, anthropic/claude-sonnet-4-5, "
    "ollama/llama3.2 or local/qwen2.5-coder-1.5b."
)
_NO_KEY = "none"  # an address of one's own wants no key, but the client library wants something to send
_LAYERS = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)(?:: | - ))+")


class RequestRefused(ModelError):
    """Say that the endpoint understood the request and would not serve it as it is (400, 422)."""


@cache
def load_litellm() -> Any:
    """Import litellm: late, because it takes seconds, and with the packaged price list, not the network's.

    Its loggers and those of httpx report errors only.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True  # it prints, and stdout is ours
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return litellm


def check_name(model: str, *, api_base: str | None = None, api_key: str | None = None) -> str | None:
    """Return the key to call a model with; None leaves it to litellm.

    `api_base` is an address of one's own, which needs no key. Nothing is asked over the network. Raises
    ModelNameError for a name that nobody serves, or a missing key.
    """
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(model, api_base=api_base)
    except litellm.BadRequestError as error:
        raise ModelNameError(
            f"No provider serves a model called {model!r}.",
            hint=_NAMES,
            model=model,
        ) from error
    if api_key:
        return api_key
    environment = litellm.validate_environment(model)
    missing: list[str] = []
    if not environment["keys_in_environment"]:
        for key in environment["missing_keys"]:
            if key.endswith(("_API_KEY", "_TOKEN")):  # addresses and cloud logins have defaults
                missing.append(key)
    if missing and not api_base:
        raise ModelNameError(
            f"{model} needs an API key and {' or '.join(missing)} is not set.",
            hint=f"Set it, for example: export {missing[-1]}=...",
            model=model,
            variables=tuple(missing),
        )
    return _NO_KEY if missing else api_key


@contextmanager
def convert_errors(
    model: str, api_base: str | None = None, api_key: str | None = None, faults: Sequence[Fault] = ()
) -> Iterator[None]:
    """Raise what a provider's client raises within the block as one of our errors, without the key.

    All of litellm's exceptions are OpenAI's. The error takes along `faults`, those of this call so far.
    """
    import openai

    try:
        yield
    except openai.OpenAIError as error:
        ours = _convert(error, model, api_base and hide(api_base), api_key)
        ours.details["faults"] = tuple(faults)
        # The original would be shown in a traceback, with whatever key the provider put into its message.
        secret = hide(str(error), api_key) != str(error)
        raise ours from (None if secret else error)


def _convert(error: Exception, model: str, api_base: str | None, api_key: str | None) -> AceError:
    """Return the error of ours that says the same, with a hint at what to do and without the key.

    `api_base` is shown, so it must be without secrets already.
    """
    litellm = load_litellm()
    words = hide(quote_error(error), api_key)
    status = getattr(error, "status_code", None)
    if is_transient(error):
        place = f" at {api_base}" if api_base else ""
        wait = read_retry_after(error)
        hint = "Try again later, or with fewer workers."
        if wait is not None:
            hint = f"It asks to wait {wait:.0f} s."
        if "onnect" in words:
            hint = f"Is the server running{place}? Check the address and the network."
        return ModelUnavailable(f"{model} did not answer{place}: {words}", hint=hint, model=model)
    if is_policy_refusal(error):
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
        provider = litellm.get_llm_provider(model)[1]
        hint = f"Check the key of {provider} (usually {provider.upper()}_API_KEY)."
        return ModelNameError(f"{model} refused the API key: {words}", hint=hint, model=model)
    if status == 404:
        return ModelNameError(
            f"{model} is not served there: {words}",
            hint="Check the model's name and its address.",
            model=model,
        )
    message = f"{model} refused the request: {words}"
    hint = ""
    if is_out_of_credit(error):
        hint = "The account has no credit left."
    if status in (400, 422):
        return RequestRefused(message, hint=hint, model=model)
    return ModelError(message, hint=hint, model=model)


def quote_error(error: BaseException) -> str:
    """Return the provider's own words as a sentence, without the names that litellm puts before them.

    Only the first line counts, and 300 characters of it at most. Secrets in it are not hidden yet.
    """
    text = str(error).strip().partition("\n")[0]
    return _LAYERS.sub("", text)[:300].rstrip(". ") + "."
