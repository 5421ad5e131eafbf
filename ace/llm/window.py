"""Find how much a model reads at once, and how it counts: from a price list, or from a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ace.llm.client import Client
from ace.llm.providers import load_litellm

Count = Callable[[str], int]
"""Returns the number of tokens of a text."""

_OLLAMA = "http://localhost:11434"
_PATIENCE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Window:
    """Hold what is known of a model's window."""

    tokens: int | None = None
    """Its size, in and out together; None where nobody knows."""

    count: Count | None = None
    """Counts the tokens of a text as the model does; None where nobody knows how."""


def window_of(client: Client) -> Window:
    """Return what a client's method `window` says of its model; of a client without one nothing is known."""
    window: Window = getattr(client, "window", Window)()
    return window


def access_of(client: Client) -> Mapping[str, str]:
    """Return how others may reach a client's model, as environment variables; nothing where they cannot."""
    access: Mapping[str, str] = getattr(client, "access", dict)()
    return access


def longest_of(client: Client) -> float:
    """Return the seconds that a client gives a request, with all its tries; 0 where it does not say."""
    return float(getattr(client, "longest", 0.0))


@cache
def thinks_by_default(model: str) -> bool:
    """Tell whether litellm's packaged price list knows a model as one that thinks before it answers.

    `model` is litellm's name for it. Claude thinks only where a request asks for it, which none here does.
    """
    prices: dict[str, dict[str, Any]] = load_litellm().model_cost
    entry = prices.get(model) or prices.get(model.partition("/")[2]) or {}
    return bool(entry.get("supports_reasoning")) and "claude" not in model.lower()


@cache
def remote_window(model: str, *, own_address: bool = False) -> Window:
    """Read a window from litellm's packaged price list. OpenAI's models are counted by their own tokenizer.

    Other providers publish no tokenizer that is right for their current models, and a model at an address of
    somebody's own (`own_address`) may be any model, whatever its name. `model` is litellm's name for it. The
    first use of a tokenizer may download it; where that fails there is no count.
    """
    litellm = load_litellm()
    prices: dict[str, dict[str, Any]] = litellm.model_cost
    entry = prices.get(model) or prices.get(model.partition("/")[2]) or {}
    tokens = entry.get("max_input_tokens") or entry.get("max_tokens")
    limit = int(tokens) if tokens else None
    if own_address or entry.get("litellm_provider") != "openai":
        return Window(limit)

    def count(text: str) -> int:
        if not text:
            return 0
        return int(litellm.token_counter(model=model.removeprefix("openai/"), text=text))

    try:
        count("a")
    except Exception:  # whatever a tokenizer's download raises: there is an estimate instead
        return Window(limit)
    return Window(limit, count)


@cache
def ollama_window(model: str, api_base: str | None) -> Window:
    """Ask an Ollama server how much a model holds at most; unknown where it does not say.

    Requests ask for as much of that as they need (`ace.llm.token_counts.choose_context`).
    """
    from ace.llm.wire import Exchange, keep_exchange, open_http

    base = (api_base or os.environ.get("OLLAMA_API_BASE") or _OLLAMA).rstrip("/")
    try:
        with open_http() as http, keep_exchange(Exchange(_PATIENCE)):
            response = http.post(f"{base}/api/show", json={"model": model.partition("/")[2]})
        known = response.json()["model_info"]
        lengths = [value for name, value in known.items() if name.endswith(".context_length")]
    except Exception:  # whatever answers there: it is only asked for what it knows
        return Window()
    tokens = lengths[0] if lengths and isinstance(lengths[0], int) and lengths[0] > 0 else None
    return Window(tokens)
