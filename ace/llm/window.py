"""How much a model reads at once, and how it counts: what can be known without asking anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

from ace.llm.client import Client
from ace.llm.providers import load_litellm

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Window:
    """`tokens` in and out together, `count` those of a text; None where nobody knows."""

    tokens: int | None = None
    count: Count | None = None


@runtime_checkable
class Sized(Protocol):
    """A client that knows its model's window."""

    def window(self) -> Window: ...


def window_of(client: Client) -> Window:
    """What a client knows of its model's window; nothing, for one that is no `Sized`."""
    return client.window() if isinstance(client, Sized) else Window()


@cache
def remote_window(model: str, *, own_address: bool = False) -> Window:
    """From litellm's packaged price list. OpenAI's own models are counted by their own tokenizer.

    Other providers publish no tokenizer that is right for their current models, and a model at an address of
    somebody's own may be any model, whatever its name.
    """
    litellm = load_litellm()
    prices: dict[str, dict[str, Any]] = litellm.model_cost
    known = prices.get(model) or prices.get(model.partition("/")[2]) or {}
    tokens = known.get("max_input_tokens") or known.get("max_tokens")
    openai = known.get("litellm_provider") == "openai" and not own_address
    return Window(
        int(tokens) if tokens else None, _openai_count(model.removeprefix("openai/")) if openai else None
    )


def _openai_count(model: str) -> Count | None:
    """None where its tokenizer does not come with the package and cannot be had."""
    litellm = load_litellm()

    def count(text: str) -> int:
        return int(litellm.token_counter(model=model, text=text)) if text else 0

    try:
        count("a")
    except Exception:  # whatever a tokenizer's download raises: there is an estimate instead
        return None
    return count
