"""Make attempts: the protocol, and the plainest way, one call. A solver returns a record whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ace.agent.generator import Draw, Generator, remove_citations
from ace.context.assemble import Assembled
from ace.errors import (
    AgentFailed,
    CapReached,
    ContextError,
    InputError,
    ModelError,
    ModelUnavailable,
    StoreError,
    WorkspaceFailed,
    describe_error,
)
from ace.llm.client import Reply
from ace.task.types import Attempt, Failure, Sample
from ace.task.workspace import Workspace

ENDS_RUN = (CapReached, InputError, StoreError)
"""Errors that are no property of a sample: they end the run.

A cap on calls or costs is reached, what the user gave is wrong, or the playbook file cannot be used.
"""


class Solver(Protocol):
    """Make an attempt at a sample with what was assembled for it. Never raises for a failed attempt.

    Several threads call one solver at once.
    """

    @property
    def reserve(self) -> int:
        """Return about how many tokens it adds to a prompt: 0 where the prompt is all that is asked.

        They stay free of playbook and items.
        """
        ...

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt. Raises only what ends the run (`ENDS_RUN`).

        `workspace` is what the attempt acts on, new for it; None where the environment has nothing of the
        kind. Whoever opened it closes it, and adds what is left of it to the attempt.

        What else goes wrong is an attempt with `error` and `failure`; `failed_attempt` makes one. The answer
        is the whole answer text: what the task's `extract` names is taken out of it later.
        """
        ...


@dataclass(frozen=True, slots=True)
class SingleCall:
    """Ask once; the reply is the answer. An error is an attempt without an answer.

    Citations are no part of the answer, and stay in the attempt's text. Nothing is acted on.
    """

    generator: Generator

    reserve: int = 0
    """It adds nothing to the prompt."""

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`. An empty reply is the failure EMPTY."""
        try:
            reply = self.generator.ask(sample, context, draw)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error)
        return read_reply(self.generator, sample, reply)


def read_reply(generator: Generator, sample: Sample, reply: Reply, *, thoughts: str = "") -> Attempt:
    """Return the attempt whose whole answer is a reply; an empty one is the failure EMPTY.

    `thoughts` stand before the model's own. Citations, where they were asked for, are no part of the answer.
    """
    answer = remove_citations(reply.text) if generator.cite else reply.text.strip()
    attempt = Attempt(
        sample.id,
        answer,
        text=reply.text,
        reasoning="\n\n".join(filter(None, (thoughts, reply.reasoning))),
        finish_reason=reply.finish_reason,
    )
    if answer:
        return attempt
    why = f"the model answered nothing (finish reason: {reply.finish_reason})"
    return replace(attempt, text="", error=why, failure=Failure.EMPTY)


def failed_attempt(sample: Sample, error: Exception, *, text: str = "") -> Attempt:
    """Return an attempt that an error ended, with the `text` that was written until then.

    Its `failure` tells what a caller may want to tell apart: a model that cannot be reached, one that
    refuses, a prompt that is too long, an agent that failed, and anything else.
    """
    match error:
        case ModelUnavailable():
            failure = Failure.UNREACHABLE
        case ModelError():
            failure = Failure.REFUSED
        case ContextError():
            failure = Failure.CONTEXT
        case AgentFailed():
            failure = Failure.AGENT
        case WorkspaceFailed():
            failure = Failure.WORKSPACE
        case _:
            failure = Failure.OTHER
    return Attempt(sample.id, "", text=text, error=describe_error(error), failure=failure)
