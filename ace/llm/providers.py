"""litellm as the engine uses it: loaded late and quiet, over our own wire, its failures made our errors.

Knows what can be wrong with a provider and what to do about it; makes no calls.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from ace.errors import AceError, ContentRefused, InputError, ModelError, ModelNameError, ModelUnavailable
from ace.llm.failures import Cause, Failure, read_failure
from ace.llm.faults import Fault, Kind, hide
from ace.llm.retry import read_retry_after
from ace.llm.wire import Exchange, Wire, keep_exchange, open_http

_NAMES = (
    "Write it as provider/model, for example openai/gpt-4.1-mini, anthropic/claude-sonnet-4-5, "
    "ollama/llama3.2 or local/qwen2.5-coder-1.5b."
)
LOADING = "ace.loading"
"""The logger that says, at the level INFO, which library is imported that takes long."""

_NO_KEY = "none"  # an address of one's own wants no key, but the client library wants something to send
PAST_BOUNDS = (
    "litellm calls this provider in a way of its own, where no limit of time and size holds, so its reply "
    "was not taken; use openai/NAME with its OpenAI-compatible address (--api-base)"
)
_LOGIN = 60.0  # seconds
_LONGEST = 300  # characters of an endpoint's words in a message
_LAYERS = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)(?:: | - ))+")


@cache
def load_litellm() -> Any:
    """Import litellm: late, because it takes seconds, and with the packaged price list, not the network's.

    Its loggers and those of httpx report errors only. Where it takes no client of ours it makes its own, over
    our wire: calls of the engine are bounded there too, and those of others in this process are not.
    A program may show what the logger LOADING says.
    """
    if "litellm" not in sys.modules:
        logging.getLogger(LOADING).info("loading litellm, which takes some seconds")
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LOGGING_EXECUTOR_MAX_THREADS", "1")  # else a burst of calls starts 100 of them
    import httpx
    import litellm
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    litellm.telemetry = False
    litellm.suppress_debug_info = True  # it prints, and stdout is ours
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    wire = Wire(get_ssl_configuration(), shared=True)
    if getattr(litellm, "sync_transport", None) is None:
        litellm.sync_transport = wire
    if litellm.client_session is None:  # of its clients of OpenAI's library
        litellm.client_session = httpx.Client(transport=wire, follow_redirects=True)
    return litellm


def check_address(address: str) -> None:
    """Raise InputError for an address of a server that is not one of HTTP."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:  # a port that is no number, half an IPv6 address
        is_address = False
    if not is_address:
        hint = "Write it with http:// or https://, for example http://localhost:8000/v1."
        raise InputError(f"{address!r} is no address of a server.", hint=hint)


def check_name(model: str, *, api_base: str | None = None, api_key: str | None = None) -> str | None:
    """Return the key to call a model with; None leaves it to litellm.

    `api_base` is an address of one's own, which needs no key. Nothing is asked over the network. Raises
    ModelNameError for a name that nobody serves, or a missing key, InputError for an address that is none.
    """
    if api_base is not None:
        check_address(api_base)
    litellm = load_litellm()
    try:
        with keep_exchange(Exchange(_LOGIN)):  # some log in to be named
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


@cache
def _bridge_class() -> type[Any]:
    """Return the class of clients that litellm takes for every provider that it reaches over HTTP.

    It calls some through OpenAI's library and others through a handler of its own, and which is which changes
    between releases: this is the one and stands for the other.
    """
    from litellm.llms.custom_httpx.http_handler import HTTPHandler

    class Bridge(HTTPHandler):
        def __init__(self, http: Any, library: Any) -> None:
            super().__init__(client=http)
            self._library = library

        def __getattr__(self, name: str) -> Any:
            return getattr(self.__dict__["_library"], name)

        def post(self, *arguments: Any, **named: Any) -> Any:
            if "cast_to" in named:
                return self._library.post(*arguments, **named)
            return super().post(*arguments, **named)

        def close(self) -> None:
            self._library.close()

    return Bridge


def open_client(address: str, api_base: str | None, api_key: str | None) -> Any:
    """Return the client that litellm is to call a model through, so that `ace.llm.wire` bounds it.

    None for names that nobody serves, and for Azure's without a key: litellm logs in itself there.
    """
    litellm = load_litellm()
    import openai
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    try:
        with keep_exchange(Exchange(_LOGIN)):
            _, provider, key, base = litellm.get_llm_provider(address, api_base=api_base, api_key=api_key)
    except litellm.BadRequestError:
        return None
    http: Any = open_http(get_ssl_configuration())
    if provider == "azure":
        secret, place = (
            api_key or os.environ.get("AZURE_API_KEY"),
            api_base or os.environ.get("AZURE_API_BASE"),
        )
        if not secret or not place:
            return None
        version = os.environ.get("AZURE_API_VERSION") or litellm.AZURE_DEFAULT_API_VERSION
        return openai.AzureOpenAI(
            api_key=secret, azure_endpoint=place, api_version=version, http_client=http, max_retries=0
        )
    library = openai.OpenAI(
        api_key=key or api_key or os.environ.get("OPENAI_API_KEY") or _NO_KEY,
        base_url=base or api_base or litellm.api_base or os.environ.get("OPENAI_API_BASE"),
        organization=litellm.organization or os.environ.get("OPENAI_ORGANIZATION"),
        http_client=http,
        max_retries=0,
    )
    return _bridge_class()(http, library)


def read_error(exchange: Exchange, error: Exception) -> Failure:
    """Return why a call failed: from what came over the wire, else from what litellm raised."""
    if exchange.kind is not None:
        passes = exchange.kind in (Kind.TIME_OUT, Kind.LOST_CONNECTION)
        return Failure(
            exchange.kind,
            Cause.PASSING if passes else Cause.OTHER,
            exchange.problem,
            status=exchange.status,
            headers=exchange.headers,
            is_unreachable=exchange.is_refused_connection,
        )
    if exchange.status is not None:
        return read_failure(exchange.status, exchange.body, exchange.headers)
    text = str(error).strip() or type(error).__name__
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    failure = read_failure(
        status if isinstance(status, int) else 400, text.encode("utf-8", "replace"), headers
    )
    failure.words = _LAYERS.sub("", failure.words)
    if "LLM Provider NOT provided" in text:
        failure.cause = Cause.NAME
    return failure


def convert_failure(
    failure: Failure, model: str, api_base: str | None, api_key: str | None, faults: Sequence[Fault]
) -> AceError:
    """Return the error of ours that says the same, with a hint at what to do and without the key.

    It takes along `faults`, those of this call so far. `model` is what people see.
    """
    words = quote_failure(failure, api_key)
    place = f" at {hide(api_base)}" if api_base else ""
    provider = model.partition("/")[0]
    kind: type[AceError] = ModelError
    message, hint = f"{model} refused the request: {words}", ""
    match failure.cause:
        case Cause.PASSING:
            kind, message = ModelUnavailable, f"{model} did not answer{place}: {words}"
            hint = "Try again later, or with fewer workers."
            wait = read_retry_after(failure)
            if wait is not None:
                hint = f"It asks to wait {wait:.0f} s."
            if failure.is_unreachable:
                hint = f"Is the server running{place}? Check the address and the network."
        case Cause.CREDIT:
            hint = "The account has no credit left."
        case Cause.POLICY:
            kind, message = ContentRefused, f"{model}: a content filter refused the request: {words}"
        case Cause.CONTEXT:
            message = f"{model}: the request is longer than the model's context: {words}"
            hint = "Give a smaller budget of context tokens, or a model with a longer context."
        case Cause.NAME:
            kind, message, hint = ModelNameError, f"No provider serves a model called {model!r}.", _NAMES
        case Cause.KEY:
            kind, message = ModelNameError, f"{model} refused the API key: {words}"
            hint = f"Check the key of {provider} (usually {provider.upper()}_API_KEY)."
        case Cause.MISSING:
            kind, message = ModelNameError, f"{model} is not served there: {words}"
            hint = "Check the model's name and its address."
        case Cause.FORM | Cause.OTHER:
            if api_base and not re.search(r"/v\d", api_base):  # which is easily forgotten
                hint = "If it has no such path: OpenAI-compatible addresses usually end in /v1."
    return kind(message, hint=hint, model=model, faults=tuple(faults))


def quote_failure(failure: Failure, api_key: str | None = None) -> str:
    """Return the endpoint's own words as a sentence of at most 300 characters, without secrets.

    Secrets are hidden before anything is cut, so that no half of one is left.
    """
    return hide(failure.words, api_key)[:_LONGEST].rstrip(". ") + "."
