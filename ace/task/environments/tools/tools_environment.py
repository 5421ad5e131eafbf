"""Environment of a world with tools: right is the attempt that leaves the world as the right calls would.

The world is a class of the task's own. Its instances share nothing, so attempts may go on at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ace.errors import TaskError, WorkspaceFailed
from ace.task.environments.json_answer import JsonDifference, compare_json
from ace.task.environments.scorers import SCORERS
from ace.task.environments.tools.function_tools import FunctionTool, call_function, read_functions
from ace.task.environments.tools.recipes import write_recipes
from ace.task.environments.tools.team_recipes import write_team_recipes
from ace.task.environments.tools.ways import Step, Way
from ace.task.types import Attempt, Difference, Environment, Fact, Outcome, Sample, Topic, TurnKind
from ace.task.wording import Audience, Suggestion
from ace.task.workspace import Observation, ToolCall, ToolSpec, Workspace

STATE = "state"
"""The name of the artifact that holds the final state of a world, as JSON."""

_LABELS = ("actions", "answer")
_NEARLY = 0.99  # the most that a wrong final state is worth
_MOST_FACTS = 20
_MOST_WAYS = 60  # that a recipe is drawn from


class World(Protocol):
    """Give one attempt something to act on. Made with the fields of its sample that are no labels.

        class Shop:
            def __init__(self, data):
                self.stock = dict(data["stock"])

            def tools(self):
                return [self.take]

            def state(self):
                return {"stock": self.stock}

            def take(self, name: str, number: int) -> int:
                '''Take things from the stock; return how many are left.'''
                self.stock[name] -= number
                return self.stock[name]

    What a function raises is told to the agent, which may do better: raise ValueError with a reason.
    """

    def tools(self) -> Sequence[Callable[..., Any]]:
        """Return typed functions, by which an agent acts; their docstrings tell it how."""
        ...

    def state(self) -> Any:
        """Return the state that is judged, as JSON values; what no task is about may be left out."""
        ...


CreateWorld = Callable[[Mapping[str, Any]], World]


@dataclass(slots=True)
class FunctionWorkspace(Workspace):
    """Offer the functions of a world."""

    world: World
    """Its state is what is judged."""

    functions: Mapping[str, FunctionTool]
    """The tools of the world, by their names."""

    def tools(self) -> Sequence[ToolSpec]:
        """Return a tool for each function."""
        return [function.spec for function in self.functions.values()]

    def call(self, call: ToolCall) -> Observation:
        """Call the function; what it raises is an observation that failed."""
        return call_function(self.functions, call)

    def finish(self) -> Mapping[str, str]:
        """Return the final state. Raises what the world raises, and ValueError for what is no JSON."""
        return {STATE: json.dumps(self.world.state(), ensure_ascii=False, sort_keys=True)}

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class ToolsEnvironment(Environment):
    """Samples carry `actions`, the right calls, and may carry `answer`, what the agent has to say.

        {"id": "a", "question": "Put 24 apples on their shelf.",
         "actions": [{"name": "find", "arguments": {"name": "apples"}},
                     {"name": "add", "arguments": {"shelf": "S7", "dozens": 2}}]}

    A world may judge itself: its class has `judge(data, state, answer)` then, which returns a score from 0
    to 1, and rows need no actions.
    """

    create: CreateWorld
    """Makes a world of the fields of a sample that are no labels."""

    scorer: str = "short"
    """How answers in words are compared: a name of `SCORERS`."""

    label_field = "actions"

    def open(self, sample: Sample) -> Workspace:
        """Return a new world for one attempt. Raises what its class raises."""
        world = self.create({name: value for name, value in sample.data.items() if name not in _LABELS})
        return FunctionWorkspace(world, read_functions(world.tools()))

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the state that an attempt left with the one that the right calls leave.

        A wrong state scores the share of the changes that are right. Raises WorkspaceFailed where the right
        calls do not work, TaskError for a row without them.
        """
        observed = describe_calls(attempt)
        judge = getattr(self.create, "judge", None)
        state = json.loads(attempt.artifacts.get(STATE, "null"))
        if judge is not None:
            score = judge(dict(sample.data), state, attempt.answer)
            if isinstance(score, Outcome):
                return score
            return Outcome(score=float(score), observed=observed, ran=_has_worked(attempt))
        way = self.follow(sample)
        wrong = list(compare_json(way.state, state))
        needed = sum(each.leaves for each in compare_json(way.state, way.first_state))
        score = 1.0
        if wrong:
            share = 1 - sum(each.leaves for each in wrong) / needed if needed else 0.0
            score = min(max(share, 0.0), _NEARLY)
        if wrong and any(turn.agent for turn in attempt.turns):  # of a team: who owns what is missing?
            way = self.follow(sample, watch=True)
        missing = _to_facts(wrong, way)
        expected = "; ".join(step.call.write() for step in way.steps)
        answer = sample.data.get("answer")
        if answer is not None:
            expected = f"{expected}; then answer: {answer}"
        if answer is not None and SCORERS[self.scorer](str(answer), attempt.answer) < 1:
            score = min(score, 1 / 2)
            missing = (*missing, Fact(f"the answer: {answer}", difference=Difference.MISSING))
        return Outcome(
            score=score,
            observed=observed,
            annotated="\n".join([observed, *(f"final state, {fact.text}" for fact in missing)]),
            detail=missing[0].text if missing else "",
            ran=_has_worked(attempt),
            expected=expected,
            expected_kind="calls",
            topics=frozenset(Topic(turn.tool) for turn in attempt.turns if turn.tool),
            label_topics=frozenset(Topic(step.call.name) for step in way.steps),
            missing=missing,
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return how the calls came out: what can be seen without a label."""
        return Outcome(observed=describe_calls(attempt), ran=_has_worked(attempt))

    def check(self, sample: Sample) -> None:
        """Raise TaskError for actions that are no calls, that fail, or that change nothing.

        Where the row has a right answer, they need not change anything.
        """
        if getattr(self.create, "judge", None) is not None:
            self.open(sample)
            return
        try:
            way = self.follow(sample)
        except WorkspaceFailed as error:
            raise sample.problem("actions", error.message) from error
        if "answer" not in sample.data and not any(compare_json(way.first_state, way.state)):
            raise sample.problem("actions", "They change nothing, so nothing can be judged.")

    def make_gold_attempt(self, sample: Sample) -> Attempt | None:
        """Return the attempt that leaves what the right calls leave; None where a world judges itself.

        Raises WorkspaceFailed where the right calls do not work, TaskError for a row without them.
        """
        if getattr(self.create, "judge", None) is not None:
            return None
        state = json.dumps(self.follow(sample).state, ensure_ascii=False, sort_keys=True)
        return Attempt(sample.id, str(sample.data.get("answer", "")), artifacts={STATE: state})

    def suggest(
        self,
        sample: Sample,
        similar: Sequence[Sample],
        known: Sequence[str],
        audience: Audience | None = None,
    ) -> Sequence[Sequence[Suggestion]]:
        """Return recipes: which calls a question of the kind takes, and where each argument comes from."""
        ways = []
        for each in (sample, *similar[:_MOST_WAYS]):
            try:
                ways.append(self.follow(each))
            except (WorkspaceFailed, TaskError):  # of such a sample nothing can be learned
                if each is sample:
                    return ()
        # Samples of a kind teach the same lines, word for word, whoever is first.
        names = ways[0].names
        ways.sort(key=lambda way: (way.names != names, way.question))
        if audience is not None:
            return write_team_recipes(ways[0], ways[1:], audience)
        return write_recipes(ways[0], ways[1:], known)

    def compose(self, first: Sample, second: Sample) -> Sample | None:
        """Return a sample that asks for both, one after the other, judged by the state after both.

        None where the world judges itself, the two begin in different worlds or have answers to give, and
        where the calls of one change what those of the other do. Raises WorkspaceFailed where one fails.
        """
        contexts = [
            {name: value for name, value in sample.data.items() if name not in _LABELS}
            for sample in (first, second)
        ]
        has_answer = "answer" in first.data or "answer" in second.data
        if contexts[0] != contexts[1] or has_answer or getattr(self.create, "judge", None) is not None:
            return None
        chains = read_actions(first), read_actions(second)
        composed = Sample(
            f"{first.id} + {second.id}",
            f"1. {first.question.strip()}\n2. {second.question.strip()}",
            {**contexts[0], "actions": [*chains[0], *chains[1]]},
        )
        swapped = replace(composed, data={**contexts[0], "actions": [*chains[1], *chains[0]]})
        state = self.follow(composed).state
        is_same_either_way = not any(compare_json(state, self.follow(swapped).state))
        needs_both = all(any(compare_json(state, self.follow(each).state)) for each in (first, second))
        return composed if is_same_either_way and needs_both else None

    def follow(self, sample: Sample, *, watch: bool = False) -> Way:
        """Return what the right calls of a sample do in a new world.

        With `watch` each step has the state that it leaves. Raises WorkspaceFailed where one of them fails,
        TaskError for what is no list of calls.
        """
        actions = read_actions(sample)
        steps = []
        with closing(self.open(sample)) as workspace:
            first = json.loads(workspace.finish()[STATE])
            for number, row in enumerate(actions, start=1):
                call = ToolCall(f"call_{number}", row["name"], row.get("arguments", {}))
                observation = workspace.call(call)
                if observation.failed:
                    raise WorkspaceFailed(f"The right call {call.write()} fails: {observation.text}")
                left = workspace.finish()[STATE] if watch else ""
                steps.append(Step(call, observation.text, left))
            return Way(sample.question, tuple(steps), first, json.loads(workspace.finish()[STATE]))


def read_actions(sample: Sample) -> list[Mapping[str, Any]]:
    """Return the right calls of a sample. Raises TaskError for what is none."""
    rows = sample.data.get("actions")
    if isinstance(rows, list) and all(isinstance(row, Mapping) and "name" in row for row in rows):
        return rows
    hint = 'Give a list, as [{"name": "refund", "arguments": {"order": "31"}}].'
    raise sample.problem("actions", f"Expected calls, found {rows!r:.60}.", hint)


def describe_calls(attempt: Attempt) -> str:
    """Return how many calls were made, and the words of those that failed. Free of labels."""
    calls = [turn for turn in attempt.turns if turn.kind is TurnKind.TOOL]
    failed = [f"{turn.tool}({turn.arguments}): {turn.observation}" for turn in calls if turn.failed]
    text = f"{len(calls)} calls, {len(failed)} failed"
    if attempt.error:
        text += f"; {attempt.error}"
    return "\n".join([text, *failed[-3:]])


def _has_worked(attempt: Attempt) -> bool:
    """Return whether the attempt came to its end, and its last call did not fail."""
    results = [turn.failed for turn in attempt.turns if turn.kind is TurnKind.TOOL]
    return not attempt.error and bool(results) and not results[-1]


def _to_facts(differences: Sequence[JsonDifference], way: Way) -> tuple[Fact, ...]:
    """Return differences as facts; with topics, of a way that was watched, for the tools that make them."""
    changes = list[tuple[str, str]]()  # a tool, and a place that its call changes
    before = way.first_state
    for step in way.steps:
        if not step.left:
            continue
        after = json.loads(step.left)
        changes += [(step.call.name, change.path) for change in compare_json(after, before)]
        before = after
    facts = []
    for difference in differences[:_MOST_FACTS]:
        fact, place = difference.to_fact(), difference.path
        tools = [tool for tool, path in changes if place.startswith(path) or path.startswith(place)]
        facts.append(replace(fact, topics=fact.topics.union(map(Topic, tools))))
    more = len(differences) - _MOST_FACTS
    if more > 0:
        facts.append(Fact(f"{more} more", difference=Difference.CHANGED))
    return tuple(facts)
