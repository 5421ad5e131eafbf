"""Protocol between the engine and a model: a `Request` goes in, a `Reply` comes out.

Everything that talks to a model implements `Client`; everything that asks one builds a `Request`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from ace.llm.faults import Fault
from ace.task.attempt import FinishReason as FinishReason

if TYPE_CHECKING:
    from ace.task.types import Attempt, Feedback, Sample


class Role(StrEnum):
    """Name the part of the engine that asks."""

    GENERATOR = "generator"
    REFLECTOR = "reflector"
    CURATOR = "curator"
    REMEMBERER = "rememberer"
    SUMMARIZER = "summarizer"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """Describe a tool that a model may call. `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Hold one call of a tool that a model asks for."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """Say what a request is about. For test doubles and records: never sent, and no part of its identity.

    `bullets` holds the contents of the bullets that the request was shown. `draw` is 0 for the attempt that
    counts. `parts` are the facts of a right answer that words are asked for.
    """

    sample: Sample | None = None
    bullets: tuple[str, ...] = ()
    attempt: Attempt | None = None
    feedback: Feedback | None = None
    draw: int = 0
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold everything that one call asks of a model.

    `max_tokens` bounds the reply; None leaves the bound to the client.
    """

    role: Role
    messages: tuple[Message, ...]
    schema: type[BaseModel] | None = None
    tools: tuple[ToolSpec, ...] = ()
    temperature: float = 0.0
    seed: int | None = None
    max_tokens: int | None = None
    subject: Subject = field(default=Subject(), compare=False)

    @property
    def sample(self) -> Sample | None:
        return self.subject.sample

    @property
    def bullets(self) -> tuple[str, ...]:
        return self.subject.bullets

    @property
    def attempt(self) -> Attempt | None:
        return self.subject.attempt

    @property
    def parts(self) -> tuple[str, ...]:
        return self.subject.parts

    @property
    def feedback(self) -> Feedback | None:
        return self.subject.feedback

    @property
    def draw(self) -> int:
        return self.subject.draw


@dataclass(frozen=True, slots=True)
class Usage:
    """Count what calls took. `prompt_tokens` includes `cached_tokens`; `cost` is in US dollars, or None."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        cost = None
        if self.cost is not None and other.cost is not None:
            cost = self.cost + other.cost
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
            cost=cost,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold one answer. `parsed` is set where a schema was asked for; `text` is the model's answer, unchanged.

    `faults` lists what went wrong on the way to it, in order. `reasoning` is what the model thought before it
    answered, where the endpoint shows it.
    """

    text: str
    parsed: BaseModel | None = None
    usage: Usage = Usage()
    finish_reason: FinishReason = FinishReason.STOP
    faults: tuple[Fault, ...] = ()
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.finish_reason, FinishReason):  # scripts and files bring words
            object.__setattr__(self, "finish_reason", FinishReason.of(self.finish_reason))


class Client(Protocol):
    """Answer requests. Implementations are thread-safe: several calls may run at once."""

    @property
    def model(self) -> str: ...

    def complete(self, request: Request) -> Reply:
        """Ask once. With `request.schema` the reply's `parsed` is a valid instance of it.

        Raises MalformedReply when no valid instance could be had, ModelUnavailable when the
        endpoint kept failing, CapReached when a cap would be passed.
        """
        ...
