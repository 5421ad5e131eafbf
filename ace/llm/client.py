"""Protocol between the engine and a model: a `Request` goes in, a `Reply` comes out.

Everything that talks to a model implements `Client`; everything that asks one builds a `Request`:

    request = Request(role=Role.GENERATOR, messages=(Message("user", "How many are a dozen?"),))
    reply = client.complete(request)
    reply.text, reply.usage.completion_tokens
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from ace.llm.faults import Fault
from ace.task.attempt import FinishReason as FinishReason
from ace.task.workspace import ToolCall as ToolCall
from ace.task.workspace import ToolSpec as ToolSpec

if TYPE_CHECKING:
    from ace.task.types import Attempt, Feedback, Sample


class Role(StrEnum):
    """Name the part of the engine that asks. Usage is counted, and prompts are journaled, by role."""

    GENERATOR = "generator"  # attempts samples
    REFLECTOR = "reflector"  # says why an attempt failed, and proposes lessons
    CURATOR = "curator"  # proposes operations on bullets that are in the playbook already
    REMEMBERER = "rememberer"  # proposes what to remember of a user's conversation
    SUMMARIZER = "summarizer"  # shortens a long conversation


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one chat message."""

    role: Literal["system", "user", "assistant", "tool"]
    """Who says it. A tool's message is what came back from a call."""

    content: str
    """Its text; "" for an assistant's message that only calls tools."""

    tool_calls: tuple[ToolCall, ...] = ()
    """Those of an assistant's message."""

    tool_call_id: str = ""
    """The id of the call that a tool's message answers; "" in every other message."""

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON, without what it has not."""
        row: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            row["tool_calls"] = [asdict(call) for call in self.tool_calls]
        if self.tool_call_id:
            row["tool_call_id"] = self.tool_call_id
        return row


@dataclass(frozen=True, slots=True)
class Subject:
    """Say what a request is about. For test doubles and records: never sent, and no part of its identity."""

    sample: Sample | None = None
    """The sample that is attempted or learned from; None where there is none."""

    bullets: tuple[str, ...] = ()
    """The contents of the bullets that the request was shown."""

    attempt: Attempt | None = None
    """The attempt that is learned from, for the reflector."""

    feedback: Feedback | None = None
    """What the reflector may see of the attempt's outcome."""

    draw: int = 0
    """Which attempt, or which try at a lesson, this is; 0 is the one that counts."""

    parts: tuple[str, ...] = ()
    """The facts of a right answer that words are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Hold everything that one call asks of a model.

    Two requests are equal if they ask the same: `subject` does not count. Its parts can be read from the
    request itself, which is how a function that stands for a model finds them.
    """

    role: Role
    """The part of the engine that asks."""

    messages: tuple[Message, ...]
    """The conversation so far, at least one message."""

    schema: type[BaseModel] | None = None
    """The class whose JSON the reply's text has to be; None for plain text."""

    tools: tuple[ToolSpec, ...] = ()
    """Those that the model may call instead of answering."""

    temperature: float = 0.0
    """0 is greedy: always the likeliest token."""

    seed: int | None = None
    """Decides what a temperature above 0 draws; None leaves the choice to the provider."""

    max_tokens: int | None = None
    """The most tokens of an answer; None leaves the bound to the client."""

    subject: Subject = field(default=Subject(), compare=False)
    """What the request is about."""

    sample: Sample | None = field(init=False, repr=False, compare=False)
    """Of the subject, as are the fields below: the sample that is attempted or learned from."""

    bullets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The contents of the bullets that the request was shown."""

    attempt: Attempt | None = field(init=False, repr=False, compare=False)
    """The attempt that is learned from, for the reflector."""

    feedback: Feedback | None = field(init=False, repr=False, compare=False)
    """What the reflector may see of the attempt's outcome."""

    draw: int = field(init=False, repr=False, compare=False)
    """Which attempt, or which try at a lesson, this is; 0 is the first."""

    parts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The facts of a right answer that words are asked for."""

    def __post_init__(self) -> None:
        """Take over the parts of the subject."""
        for part in fields(self.subject):
            object.__setattr__(self, part.name, getattr(self.subject, part.name))


@dataclass(frozen=True, slots=True)
class Usage:
    """Count what calls took."""

    calls: int = 0
    """The requests, each try for itself."""

    prompt_tokens: int = 0
    """The tokens that were read, `cached_tokens` included."""

    cached_tokens: int = 0
    """Those of the prompt that the provider had read before."""

    completion_tokens: int = 0
    """The tokens that were written; thoughts too, where the provider counts them so."""

    seconds: float = 0.0
    """The time that requests were under way, waits between tries included."""

    cost: float | None = 0.0
    """In US dollars; None says that the price of at least one call is unknown."""

    def __add__(self, other: Usage) -> Usage:
        """Add field by field. An unknown cost makes the sum unknown."""
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
    """Hold one answer. `usage` and `faults` cover every request that it took."""

    text: str
    """The model's answer, unchanged."""

    parsed: BaseModel | None = None
    """A valid instance of the schema, where one was asked for and no tool was called instead."""

    usage: Usage = Usage()
    """What all requests took together."""

    finish_reason: FinishReason = FinishReason.STOP
    """Why the model stopped. May be given as a provider's word: it is converted."""

    faults: tuple[Fault, ...] = ()
    """What went wrong on the way, in the order in which it occurred."""

    reasoning: str = ""
    """What the model thought before it answered; "" where the endpoint does not show it."""

    tool_calls: tuple[ToolCall, ...] = ()
    """The calls that the model asks for, in order."""

    def __post_init__(self) -> None:
        if not isinstance(self.finish_reason, FinishReason):  # scripts and files bring words
            object.__setattr__(self, "finish_reason", FinishReason.of(self.finish_reason))


class Client(Protocol):
    """Answer requests. Implementations are thread-safe: several calls may run at once.

    A client may have more, which is used where it is there: `ask` and `tries` (`ace.llm.asking.Asks`), by
    which single requests are journaled, `window` and `access` (`ace.llm.window`), and `travels`, true where a
    copy in another process answers as this one does, unless it has a `server`.
    """

    @property
    def model(self) -> str:
        """Return the name under which calls are journaled and reported."""
        ...

    def complete(self, request: Request) -> Reply:
        """Ask once. With `request.schema` the reply's `parsed` is a valid instance of it.

        Raises MalformedReply when no valid instance could be had, ModelUnavailable when the
        endpoint kept failing, CapReached when a cap would be passed.
        """
        ...
