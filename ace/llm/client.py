"""What the engine asks of a model: one method. Everything that talks to a model implements it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel

from ace.llm.faults import Fault


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls took. `prompt_tokens` includes `cached_tokens`; `cost` is in US dollars, None = unknown."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
            cost,
        )

    def __sub__(self, other: Usage) -> Usage:
        cost = None if self.cost is None or other.cost is None else self.cost - other.cost
        return Usage(
            self.calls - other.calls,
            self.prompt_tokens - other.prompt_tokens,
            self.cached_tokens - other.cached_tokens,
            self.completion_tokens - other.completion_tokens,
            self.seconds - other.seconds,
            cost,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `parsed` is set when a schema was given; `text` is what the model said, unchanged.

    `faults`: what went wrong on the way to it, in order.
    """

    text: str
    parsed: BaseModel | None = None
    usage: Usage = Usage()
    finish_reason: str = "stop"
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class How:
    """How a request is to be answered, beside its messages."""

    schema: type[BaseModel] | None = None
    temperature: float = 0.0
    seed: int | None = None
    max_tokens: int | None = None


class Client(Protocol):
    """A model. Implementations are thread-safe: several calls may run at once."""

    @property
    def model(self) -> str: ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: type[BaseModel] | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Reply:
        """Ask once. With `schema` the reply's `parsed` is a valid instance of it.

        Raises MalformedReply when no valid instance could be had, ModelUnavailable when the
        endpoint kept failing, CapReached when a cap would be passed.
        """
        ...
