"""What an agent acts on in one attempt: tools over some state. Knows no environment, and nothing of who acts.

An environment that is `Acting` opens a workspace for every attempt. A solver calls its tools, and what is
left in the end goes into the attempt, where the environment finds it when it scores:

    workspace = environment.open(sample)
    try:
        observation = workspace.call(ToolCall("call_1", "refund", {"order": "31", "amount": 4500}))
        artifacts = workspace.finish()
    finally:
        workspace.close()

Somebody else's workspace may raise, hang or return too much: solvers get theirs guarded, by
`ace.task.guarded_workspace`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ace.task.attempt import write_value
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """Describe a tool that a model may call."""

    name: str
    """The name by which a model calls it, no two of a workspace the same."""

    description: str
    """Read by the model."""

    parameters: Mapping[str, Any]
    """The JSON Schema of its arguments, an object."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the names of the arguments, in the order of the schema."""
        return tuple(self.parameters.get("properties", ()))

    @property
    def required(self) -> frozenset[str]:
        """Return the names of the arguments that a call must give."""
        return frozenset(self.parameters.get("required", ()))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Hold one call of a tool that a model asks for."""

    id: str
    """The provider's own; a call without one is numbered within its reply ("call_1")."""

    name: str
    """What the model wrote: there may be no such tool."""

    arguments: Mapping[str, Any]
    """What the model wrote: nobody has held it against the tool's schema."""

    def write(self) -> str:
        """Return the call as a line of code would have it: `refund(order="31", amount=4500)`."""
        values = [f"{name}={write_value(value)}" for name, value in self.arguments.items()]
        return f"{self.name}({', '.join(values)})"


@dataclass(frozen=True, slots=True)
class Observation:
    """Hold what came back from a tool."""

    text: str
    """For the model: JSON where the tool returned a value, else what it wrote."""

    failed: bool = False
    """Whether it is an error."""

    ends: bool = False
    """Whether the attempt is over with it, as in a game that is won or lost."""

    @classmethod
    def error(cls, message: str, *, ends: bool = False) -> Observation:
        """Return one that says what was wrong with a call, or why nothing came of it."""
        return cls(f"error: {message}", failed=True, ends=ends)


class Workspace(Protocol):
    """Give one attempt its tools and its state. It belongs to one thread.

    Two attributes are optional: `bounded`, true for one that limits its own time, and `repeats`, true where
    the same call may do something else the next time, as a step in a game.
    """

    def tools(self) -> Sequence[ToolSpec]:
        """Return the tools that may be called now. They may change from call to call."""
        ...

    def call(self, call: ToolCall) -> Observation:
        """Do what a call asks for. What goes wrong is an observation that `failed`.

        An unknown tool, arguments that do not fit, and a tool that raises or takes too long are that.
        """
        ...

    def finish(self) -> Mapping[str, str]:
        """Return what is left in the end, by name: it becomes the attempt's `artifacts`.

        It is free of labels, and all that the environment needs beside answer and turns to score.
        """
        ...

    def close(self) -> None:
        """Give back what the workspace holds. Closing twice is fine."""
        ...


@runtime_checkable
class Conversing(Protocol):
    """Workspaces with somebody who speaks to the agent, one turn after another."""

    def reply(self, text: str) -> Observation | None:
        """Tell them what the agent says; return what they say to that, None where they are done."""
        ...


@runtime_checkable
class Acting(Protocol):
    """Environments whose attempts act on something."""

    def open(self, sample: Sample) -> Workspace | None:
        """Return a new workspace for one attempt, in the state in which the sample begins.

        None where there is nothing to act on. Several may be open at once. What it raises is the attempt's
        failure.
        """
        ...


def to_text(value: Any) -> str:
    """Return what a tool returned as a model reads it: a text as it is, all else as JSON on one line."""
    return value if isinstance(value, str) else write_value(value)
