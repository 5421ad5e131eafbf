"""Let somebody's own agent make attempts: a function, a command, or a class that is a solver.

Functions and commands are clients, as models are: their calls are counted, capped and journaled, so a run
that is resumed does not make them again. What an agent gets is the question, the context, a seed, and those
fields of a sample that are no label.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ace.agent.generator import Draw, Generator
from ace.agent.solver import ENDS_RUN, Solver, failed_attempt
from ace.context.assemble import Assembled
from ace.errors import AgentFailed, CapReached, describe_error
from ace.llm.client import Client, Reply, Request, Role, Subject, Usage
from ace.llm.prompts import messages
from ace.llm.window import access_of
from ace.task.attempt import Attempt, Failure, FinishReason, Turn, read_turns, to_plain_text
from ace.task.guarded_call import call_with_limit
from ace.task.solving import OwnAgent, OwnCommand, OwnSolver
from ace.task.types import Sample, Task
from ace.task.workspace import Workspace
from ace.text import CountTokens
from ace.text.thoughts import split_thoughts


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what an agent is asked.

    These are the keys of the JSON object that a command reads, in this order.
    """

    question: str

    context: str
    """Playbook and retrieved items as text; "" where there are none."""

    data: Mapping[str, Any]
    """Fields of the sample that are no label (`public_fields`)."""

    seed: int
    temperature: float
    """They tell several attempts at a sample apart."""

    @classmethod
    def of(cls, request: Request, task: Task) -> Asked:
        """Return what `OwnCall` asks: the first message is the context, the last the question."""
        data: Mapping[str, Any] = {}
        if request.sample is not None:
            data = public_fields(task, request.sample)
        return cls(
            question=request.messages[-1].content,
            context=request.messages[0].content,
            data=data,
            seed=request.seed or 0,
            temperature=request.temperature,
        )


@dataclass(frozen=True, slots=True)
class FunctionClient:
    """Ask a function. Its reply is the JSON of an attempt.

    Several threads call the function at once. It may be async, and has `agent.seconds` for an attempt.
    """

    travels: ClassVar[bool] = True

    agent: OwnAgent

    task: Task
    """Says which fields of a sample are labels."""

    @property
    def model(self) -> str:
        """Return the name that stands for a model's in records: "agent/answer"."""
        return f"agent/{self.agent.name}"

    def complete(self, request: Request) -> Reply:
        """Return what the function returns. Raises AgentFailed for what it raises, and for a time-out.

        It is called with the question and the context, and by name with those of `data` and `seed` that it
        has parameters for. Raises CapReached, where it uses the run's model, as that does.
        """
        asked = Asked.of(request, self.task)
        function, name = self.agent.function, self.agent.name
        try:
            parameters = frozenset(inspect.signature(function).parameters)
        except (TypeError, ValueError):  # an object that cannot tell its signature
            parameters = frozenset()
        keywords: dict[str, Any] = {}
        if "data" in parameters:
            keywords["data"] = asked.data
        if "seed" in parameters:
            keywords["seed"] = asked.seed

        started = time.perf_counter()
        try:
            result = call_with_limit(
                lambda: function(asked.question, asked.context, **keywords), self.agent.seconds
            )
        except CapReached:
            raise
        except (Exception, SystemExit) as error:
            raise AgentFailed(f"{name}: {describe_error(error)}") from error
        seconds = time.perf_counter() - started
        if isinstance(result, int | float | dict | list):  # an answer that is a number, or JSON
            result = to_plain_text(result)
        if isinstance(result, str):
            result = Attempt("", result, result)
        if not isinstance(result, Attempt):
            raise AgentFailed(
                f"{name} returned {result!r:.60}, expected a text, a number, JSON or an Attempt."
            )
        return Reply(write_attempt(result), usage=Usage(calls=1, seconds=seconds))


@dataclass(frozen=True, slots=True)
class CommandClient:
    """Ask a command. Its reply is what it writes.

    Each attempt is a process of its own. It reads one JSON object with the fields of `Asked` from its stdin.
    """

    travels: ClassVar[bool] = True

    agent: OwnCommand

    task: Task
    """Names it in records, and says which fields of a sample are labels."""

    offered: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables that the command gets if it lists them: how to reach the run's model."""

    @property
    def model(self) -> str:
        """Return the name that stands for a model's in records: "agent/" and the name of the task."""
        return f"agent/{self.task.name}"

    def complete(self, request: Request) -> Reply:
        """Return what the command writes. Raises AgentFailed as `run_command` does."""
        from ace.agent.command_process import run_command

        asked = Asked.of(request, self.task)
        values = {
            "question": asked.question,
            "context": asked.context,
            "data": asked.data,
            "seed": asked.seed,
            "temperature": asked.temperature,
        }
        text = json.dumps(values, ensure_ascii=False, default=str)
        started = time.perf_counter()
        output = run_command(self.agent, text, self.offered)
        seconds = time.perf_counter() - started
        return Reply(output, usage=Usage(calls=1, seconds=seconds))


@dataclass(frozen=True, slots=True)
class OwnCall:
    """Ask somebody's agent once. What goes wrong is an attempt without an answer.

    The request has the context as its first message and the question as its last, as `Asked.of` reads them.
    """

    generator: Generator
    """Its client is the agent, as `connect_agent` connects it."""

    reserve: int = 0
    """The agent words its own prompts."""

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`. Where the agent failed, its text is what it wrote until then."""
        request = Request(
            role=Role.GENERATOR,
            messages=messages(context.shown, sample.question),
            temperature=draw.temperature,
            seed=draw.seed,
            subject=Subject(sample=sample, bullets=context.contents, draw=draw.number),
        )
        try:
            reply = self.generator.client.complete(request)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error, text=getattr(error, "details", {}).get("output", ""))
        return read_attempt(sample, reply)


@dataclass(frozen=True, slots=True)
class GuardedSolver:
    """Make attempts with a solver that is somebody's own, which may raise, hang, or return anything.

    Only what ends a run passes (`ENDS_RUN`); all else is an attempt with its reason.
    """

    solver: Any
    """An object with the method `solve` of `Solver`; it may have its `reserve`, too."""

    name: str
    """What errors call it: "module:Class"."""

    seconds: float | None = None
    """The time for one attempt; None where the solver limits its own."""

    @property
    def reserve(self) -> int:
        """Return what the solver reserves; 0 where it says nothing."""
        return int(getattr(self.solver, "reserve", 0))

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt, always of `sample`; see `Solver`.

        What the solver raises, and whatever it returns that is no Attempt, is the failure AGENT, unless the
        error is one of ours that says more.
        """
        try:
            if self.seconds is None:
                attempt = self.solver.solve(sample, context, workspace, draw)
            else:
                attempt = call_with_limit(
                    lambda: self.solver.solve(sample, context, workspace, draw), self.seconds
                )
            if not isinstance(attempt, Attempt):
                raise TypeError(f"it returned {attempt!r:.60}, expected an Attempt")
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            attempt = failed_attempt(sample, error)
            if attempt.failure is Failure.OTHER:
                attempt = replace(attempt, error=f"{self.name}: {attempt.error}", failure=Failure.AGENT)
        return replace(attempt, sample_id=sample.id)


def connect_agent(task: Task, model: Client) -> Client | None:
    """Return the client of a task's own agent; None where the run's model makes the attempts.

    An agent that is a command may be offered the run's `model`, where that has an address. A class is no
    client: `build_own_solver` makes it.
    """
    match task.solver:
        case OwnAgent() as agent:
            return FunctionClient(agent, task)
        case OwnCommand() as agent:
            return CommandClient(agent, task, access_of(model))
    return None


def build_own_solver(generator: Generator, task: Task, count: CountTokens) -> Solver:
    """Return the solver that a class makes, guarded.

    Raises AgentFailed for whatever the class raises, TypeError for a task whose solver is no class.
    """
    choice = task.solver
    if not isinstance(choice, OwnSolver):
        raise TypeError(f"The solver of {task.name} names no class.")
    try:
        solver = choice.create(generator, task, dict(choice.options))
    except Exception as error:
        reason = describe_error(error)
        hint = "A solver is made with the generator, the task, and the table [solver.options]."
        raise AgentFailed(f"{choice.name} cannot be made ({reason}).", hint=hint) from error
    return GuardedSolver(solver, choice.name, choice.seconds)


def public_fields(task: Task, sample: Sample) -> dict[str, Any]:
    """Return the fields of a sample that an agent may see: those that the task names as no label.

    That is the list `fields` of [context]. Any other field may hold, or reveal, what is right.
    """
    fields: dict[str, Any] = {}
    for name in task.context.fields:
        if name in sample.data:
            fields[name] = sample.data[name]
    return fields


def write_attempt(attempt: Attempt) -> str:
    """Return an attempt as the JSON that `read_attempt` reads, without what is empty.

    Its sample's id is left out: whoever reads it knows the sample.
    """
    values = {
        "answer": attempt.answer,
        "text": attempt.text,
        "error": attempt.error,
        "failure": attempt.failure,
        "reasoning": attempt.reasoning,
        "finish_reason": attempt.finish_reason,
        "turns": [turn.to_json() for turn in attempt.turns],
        "artifacts": dict(attempt.artifacts),
    }
    filled = {name: value for name, value in values.items() if value}
    return json.dumps({"answer": "", **filled}, ensure_ascii=False, default=str)


def read_attempt(sample: Sample, reply: Reply) -> Attempt:
    """Read what an agent wrote: a JSON object with "answer" or "error", or else a text, which is the answer.

    What it thought is told from what it answers. Turns of an unknown form are kept as texts. Neither an
    answer nor an error gives the failure EMPTY, an error without a failure that is known gives AGENT. Never
    raises.
    """
    values: Any = None
    with suppress(ValueError, RecursionError):
        values = json.loads(reply.text)
    if not isinstance(values, dict) or not {"answer", "error"} & values.keys():
        values = {"answer": reply.text}
    thoughts, answer = split_thoughts(to_plain_text(values.get("answer")).strip())
    reasoning = (reply.reasoning, to_plain_text(values.get("reasoning")), thoughts)

    error, failure = to_plain_text(values.get("error")), to_plain_text(values.get("failure"))
    if not answer.strip() and not error:
        error, failure = "the agent answered nothing", Failure.EMPTY
    elif error and failure not in frozenset(Failure):
        failure = Failure.AGENT

    finish_reason: FinishReason | None = None
    if isinstance(values.get("finish_reason"), str):
        finish_reason = FinishReason.of(values["finish_reason"])
    turns: tuple[Turn, ...] = ()
    if isinstance(values.get("turns"), list):
        turns = read_turns(values["turns"])
    artifacts: dict[str, str] = {}
    if isinstance(values.get("artifacts"), dict):
        for name, content in values["artifacts"].items():
            artifacts[name] = to_plain_text(content)
    return Attempt(
        sample.id,
        answer.strip(),
        text=to_plain_text(values.get("text")) or reply.text,
        error=error,
        failure=Failure(failure) if error else None,
        reasoning="\n\n".join(filter(None, reasoning)),
        finish_reason=finish_reason,
        turns=turns,
        artifacts=artifacts,
    )
