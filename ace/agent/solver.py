"""Make attempts: the protocol, and the plainest way, one call. A solver returns a record whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ace.agent.generator import Draw, Generator
from ace.context.assemble import Assembled
from ace.errors import (
    AgentFailed,
    CapReached,
    ContextError,
    InputError,
    ModelError,
    ModelUnavailable,
    StoreError,
)
from ace.task.types import Attempt, Failure, Sample, Task
from ace.text import CountTokens

ENDS_RUN = (CapReached, InputError, StoreError)
"""Errors that are no property of a sample: they end the run."""


class Solver(Protocol):
    """Make an attempt at a sample with what was assembled for it. Never raises for a failed attempt."""

    @property
    def reserve(self) -> int:
        """Tokens, about, that it adds to a prompt: none where the prompt is all that is asked."""
        ...

    def solve(self, sample: Sample, context: Assembled, draw: Draw) -> Attempt:
        """Return the attempt. Raises only what ends the run (`ENDS_RUN`)."""
        ...


@dataclass(frozen=True, slots=True)
class SingleCall:
    """Ask once; the reply is the answer. An error is an attempt without an answer."""

    generator: Generator
    reserve: int = 0

    def solve(self, sample: Sample, context: Assembled, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`."""
        try:
            reply = self.generator.ask(sample, context, draw)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error)
        answer = self.generator.answer_in(reply)
        why = "" if answer else f"the model answered nothing (finish reason: {reply.finish_reason})"
        return Attempt(
            sample.id,
            answer,
            text=reply.text if answer else "",
            error=why,
            failure=None if answer else Failure.EMPTY,
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
        )


def build_single_call(generator: Generator, task: Task, count: CountTokens) -> SingleCall:
    """Return the solver; it needs the generator only."""
    return SingleCall(generator)


def failed_attempt(sample: Sample, error: Exception, *, text: str = "") -> Attempt:
    """Return an attempt that an error ended, with what was written until then."""
    match error:
        case ModelUnavailable():
            failure = Failure.UNREACHABLE
        case ModelError():
            failure = Failure.REFUSED
        case ContextError():
            failure = Failure.CONTEXT
        case AgentFailed():
            failure = Failure.AGENT
        case _:
            failure = Failure.OTHER
    return Attempt(sample.id, "", text=text, error=f"{type(error).__name__}: {error}", failure=failure)
