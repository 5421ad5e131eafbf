"""Environment of BFCL's multi-turn tasks: services to call, and a user who asks for one thing after another.

An attempt is right where the state of the services is that of the right calls, turn by turn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ace.errors import WorkspaceFailed
from ace.task.environments.worlds.check_call import find_problem
from ace.task.environments.worlds.play_bfcl import read_call
from ace.task.environments.worlds.world_process import WorldPool, WorldProcess
from ace.task.types import Attempt, Environment, Fact, Outcome, Sample, Topic
from ace.task.workspace import Observation, ToolCall, ToolSpec, Workspace

TURNS = "turns"
"""The name of the artifact that holds the calls of an attempt: a JSON list of turns, lists of calls."""

_MODULE = "ace.task.environments.worlds.play_bfcl"
_SECONDS_TO_START = 30.0
_SECONDS_TO_CALL = 10.0
_SECONDS_TO_COMPARE = 60.0
_MEMORY = 1_024  # megabytes
_SAY = ToolSpec(
    "say",
    "Speak to the user, once you have done what they asked for, or cannot. Returns what they say next.",
    {
        "type": "object",
        "properties": {"message": {"type": "string", "description": "what you say"}},
        "required": ["message"],
        "additionalProperties": False,
    },
)


@dataclass(slots=True)
class ConversationWorkspace(Workspace):
    """Offer the services of one scenario. Its process is given back when it is closed."""

    pool: WorldPool
    """Lends the process."""

    process: WorldProcess
    """Runs the services."""

    specs: Sequence[ToolSpec]
    """All tools of the scenario, those that come later included."""

    later: Sequence[str]
    """What the user says in the turns after the first."""

    held_out: Mapping[str, Sequence[str]]
    """Tools that are there only from a turn on: names by the number of the turn, from 0."""

    turns: list[list[dict[str, Any]]] = field(default_factory=lambda: [[]])
    """The calls of each turn so far: names and arguments."""

    failure: str = ""
    """Why a service broke down; "" as long as none has."""

    is_over: bool = False
    """Whether the user has no more to say, or is gone."""

    is_closed: bool = False
    """Whether the process was given back."""

    bounded = True
    repeats = True

    def tools(self) -> Sequence[ToolSpec]:
        """Return the tools of this turn, and the one that speaks to the user."""
        held: set[str] = set()
        for turn, names in self.held_out.items():
            if int(turn) >= len(self.turns):
                held.update(names)
        return [*(spec for spec in self.specs if spec.name not in held), _SAY]

    def call(self, call: ToolCall) -> Observation:
        """Call a service, or speak to the user. A service that breaks down ends the attempt."""
        if self.is_over or self.is_closed:
            return Observation.error("the user is gone", ends=True)
        problem = find_problem(self.tools(), call)
        if problem:
            return Observation.error(problem)
        if call.name == _SAY.name:
            heard = self.reply(str(call.arguments["message"]))
            return heard or Observation("(The user has no more wishes.)", ends=True)
        arguments = dict(call.arguments)
        self.turns[-1].append({"name": call.name, "arguments": arguments})
        try:
            result = self.process.ask("call", _SECONDS_TO_CALL, name=call.name, arguments=arguments)
        except WorkspaceFailed as error:
            self.failure, self.is_over = str(error), True
            return Observation.error(str(error), ends=True)
        return Observation(result["text"], failed=result["failed"])

    def reply(self, text: str) -> Observation | None:
        """Return what the user says next; None where that was the last turn. They do not listen to `text`."""
        if self.is_over or len(self.turns) > len(self.later):
            self.is_over = True
            return None
        words = self.later[len(self.turns) - 1]
        self.turns.append([])
        return Observation(words)

    def finish(self) -> Mapping[str, str]:
        """Return the calls of each turn. Raises WorkspaceFailed where a service broke down."""
        if self.failure:
            raise WorkspaceFailed(self.failure)
        return {TURNS: json.dumps(self.turns, ensure_ascii=False)}

    def close(self) -> None:
        """Give the process back."""
        if not self.is_closed:
            self.is_closed = True
            self.pool.give_back(self.process)


class ConversationEnvironment(Environment):
    """Samples carry `classes` and `config` of the services, `later` turns of the user, and `gold` calls.

    `gold` is a list of calls for each turn, as "cd(folder='x')"; they are never run as code. `held_out` and
    `excluded` name tools that come later, or never; `long_context` makes what the services return longer.
    """

    label_field = "gold"
    bounded = True

    def __init__(self, *, most: int = 4) -> None:
        """Take how many conversations may go on at once."""
        self.pool = WorldPool(_MODULE, most, memory=_MEMORY, reuse=False)  # mathematics sets global precision

    def open(self, sample: Sample) -> ConversationWorkspace:
        """Start the services of a sample. Raises WorkspaceFailed where they do not start."""
        excluded = sample.data.get("excluded", ())
        process, tools = self.pool.begin(_SECONDS_TO_START, **_read_scenario(sample))
        specs = [ToolSpec(**tool) for tool in tools if tool["name"] not in excluded]
        later, held_out = sample.data.get("later", ()), sample.data.get("held_out", {})
        return ConversationWorkspace(self.pool, process, specs, later, held_out)

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return the share of turns that are right until the first that is not.

        Raises WorkspaceFailed where there are no calls, as after a service that broke down.
        """
        if TURNS not in attempt.artifacts:
            raise WorkspaceFailed(attempt.error or "The attempt left no calls.")
        turns = json.loads(attempt.artifacts[TURNS])
        gold = sample.data["gold"]
        with self.pool.lend() as process:
            report = process.ask(
                "compare", _SECONDS_TO_COMPARE, turns=turns, gold=gold, **_read_scenario(sample)
            )
        called = [call["name"] for calls in turns for call in calls]
        missing = tuple(Fact(f"turn {report['turn']}: {text}") for text in report["differences"])
        written = [f"turn {n}: {'; '.join(calls) or 'no call'}" for n, calls in enumerate(gold, start=1)]
        return Outcome(
            score=report["good"] / report["judged"],
            observed=attempt.last_seen,
            detail=missing[0].text if missing else "",
            ran=bool(called) and not attempt.error,
            expected="\n".join(written),
            expected_kind="calls",
            topics=frozenset(map(Topic, called)),
            label_topics=frozenset(Topic(read_call(source)[0]) for calls in gold for source in calls),
            missing=missing,
        )

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a row without services, and for right calls that are none."""
        if not isinstance(sample.data.get("classes"), list):
            raise sample.problem("classes", "Expected a list of classes.")
        if not isinstance(sample.data.get("config"), dict):
            raise sample.problem("config", "Expected an object: the state of each class at the beginning.")
        gold = sample.data.get("gold")
        if not isinstance(gold, list) or not any(gold):
            raise sample.problem("gold", "Expected a list of calls for each turn.")
        try:
            for calls in gold:
                for source in calls:
                    read_call(source)
        except (ValueError, TypeError, AttributeError) as error:
            raise sample.problem("gold", f"Expected calls with plain values ({error}).") from error

    def make_gold_attempt(self, sample: Sample) -> Attempt:
        """Return the attempt that makes the right calls. Raises WorkspaceFailed without services."""
        workspace = self.open(sample)
        workspace.close()
        arguments = {spec.name: spec.arguments for spec in workspace.specs}
        turns: list[list[dict[str, Any]]] = []
        for sources in sample.data["gold"]:
            calls: list[dict[str, Any]] = []
            for name, positional, named in map(read_call, sources):
                values = dict(zip(arguments[name], positional, strict=False)) | named
                calls.append({"name": name, "arguments": values})
            turns.append(calls)
        return Attempt(sample.id, "", artifacts={TURNS: json.dumps(turns, ensure_ascii=False)})


def _read_scenario(sample: Sample) -> dict[str, Any]:
    """Return what the services are made of."""
    return {
        "classes": sample.data["classes"],
        "config": sample.data["config"],
        "long_context": bool(sample.data.get("long_context", False)),
    }
