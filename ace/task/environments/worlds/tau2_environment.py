"""The `tau2` environment: an agent works at a service desk, and the database that it leaves is judged.

This is the form without a simulated user: the question holds all that the user would say. Scores are those
of the benchmark: the right calls are made on a database of their own, and both have to be the same. What only
a model could judge is not judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ace.task.environments.json_answer import JsonDifference, compare_json
from ace.task.environments.tools.tools_environment import describe_calls
from ace.task.environments.worlds.tau2_workspace import READING, STATE, Tau2Workspace
from ace.task.types import Attempt, Difference, Environment, Fact, Outcome, Sample, Topic, Turn, TurnKind
from ace.task.workspace import ToolCall

_NEARLY = 0.99  # the most that a wrong database is worth
_MOST_FACTS = 20
_BASIS = ("DB", "COMMUNICATE")  # of a task that names none


@dataclass(frozen=True, slots=True)
class GoldReplay:
    """Hold what the right calls of a task did."""

    calls: tuple[ToolCall, ...]
    """The right calls, in order."""

    artifact: str
    """The records that they changed: see `STATE`."""

    refused: tuple[str, ...] = ()
    """The calls that the server refused, each with its words."""

    broken: str = ""
    """The first of those that would have changed the database: then nobody knows the right one."""


@dataclass(eq=False, slots=True)
class Tau2Environment(Environment):
    """Samples carry `task`, the benchmark's number, and `gold`: `actions`, `basis` and `communicate_info`."""

    domain: str
    """The desk: "retail", "airline" or "mock"."""

    policy: str = ""
    """What the agent reads of its work; "" for nothing."""

    _replays: dict[str, GoldReplay] = field(default_factory=dict)
    """What the right calls do, by the id of their sample."""

    _lock: Lock = field(default_factory=Lock)
    """Held to look at `_replays`, not while calls are made."""

    label_field = "gold"
    bounded = True

    def describe(self, sample: Sample) -> str:
        """Return the policy of the desk."""
        return self.policy

    def open(self, sample: Sample) -> Tau2Workspace:
        """Start the domain's server, with a database of its own. Raises WorkspaceFailed."""
        return Tau2Workspace.open(self.domain, str(sample.data.get("task", sample.id)))

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the database that an attempt left with the one that the right calls leave.

        A wrong one scores the share of the changes that are right. Where the server refuses a right call that
        changes something, nothing is scored. Raises WorkspaceFailed where the calls cannot be made, TaskError
        for a row without them.
        """
        gold, replay = _read_gold(sample), self.replay(sample)
        observed = describe_calls(attempt)
        ran = not attempt.error and STATE in attempt.artifacts
        if replay.broken:
            words = f"nobody knows the right database: {replay.broken}"
            return Outcome(observed=observed, ran=ran, label_error=words, detail=words, expected_kind="calls")
        missing = list(_find_missing(gold, replay, attempt))
        state = attempt.artifacts.get(STATE)
        score = 0.0 if missing else 1.0
        if state is None:
            score, missing = 0.0, [Fact("no final database", difference=Difference.MISSING)]
        elif "DB" in gold["basis"]:
            share, wrong = compare_states(replay.artifact, state)
            score = min(share, 0.5) if missing else share
            missing = [*(each.to_fact() for each in wrong[:_MOST_FACTS]), *missing]
        detail = ""
        if missing:
            nothing, right = self.anchors(sample)
            detail = f"{missing[0].text} (doing nothing scores {nothing:g}, the right calls {right:g})"
        turns = [turn for turn in attempt.turns if turn.kind is TurnKind.TOOL]
        return Outcome(
            score=score,
            observed=observed,
            annotated="\n".join([observed, *(f"final database, {fact.text}" for fact in missing)]),
            detail=detail,
            ran=ran,
            expected="; ".join(call.write() for call in replay.calls) or "no call that changes anything",
            expected_kind="calls",
            topics=frozenset(Topic(turn.tool) for turn in turns if turn.tool),
            label_topics=frozenset(Topic(call.name) for call in replay.calls),
            missing=tuple(missing),
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return how the calls came out: what can be seen without a label."""
        ran = not attempt.error and STATE in attempt.artifacts
        return Outcome(observed=describe_calls(attempt), ran=ran)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a row without right calls. They are made only when an attempt is scored."""
        _read_gold(sample)

    def anchors(self, sample: Sample) -> tuple[float, float]:
        """Return the scores, 0 or 1, of doing nothing, and of making the right calls."""
        gold, replay = _read_gold(sample), self.replay(sample)
        if replay.broken:
            return 0.0, 0.0
        needs_calls = "DB" in gold["basis"] and bool(json.loads(replay.artifact)["after"])
        needs_calls = needs_calls or ("ACTION" in gold["basis"] and bool(replay.calls))
        needs_words = "COMMUNICATE" in gold["basis"] and bool(gold["communicate_info"])
        return float(not needs_calls and not needs_words), 1.0

    def make_gold_attempt(self, sample: Sample) -> Attempt:
        """Return the attempt that makes the right calls, and says what has to be said."""
        gold, replay = _read_gold(sample), self.replay(sample)
        turns = [
            Turn(kind=TurnKind.TOOL, tool=call.name, arguments=json.dumps(dict(call.arguments)), failed=False)
            for call in replay.calls
        ]
        answer = "; ".join(gold["communicate_info"])
        return Attempt(sample.id, answer, turns=tuple(turns), artifacts={STATE: replay.artifact})

    def replay(self, sample: Sample) -> GoldReplay:
        """Return what the right calls of a sample do; they are made once. Raises WorkspaceFailed."""
        with self._lock:
            known = self._replays.get(sample.id)
        if known is not None:
            return known
        calls: list[ToolCall] = []
        refused: list[str] = []
        broken = ""
        workspace = self.open(sample)
        try:
            for number, action in enumerate(_read_gold(sample)["actions"], start=1):
                call = ToolCall(f"call_{number}", action["name"], action["arguments"])
                calls.append(call)
                observation = workspace.call(call)
                if observation.failed:
                    refused.append(f"{call.write()}: {observation.text}")
                    if not call.name.startswith(READING):
                        broken = broken or refused[-1]
            replay = GoldReplay(tuple(calls), workspace.finish()[STATE], tuple(refused), broken)
        finally:
            workspace.close()
        with self._lock:
            return self._replays.setdefault(sample.id, replay)


def compare_states(right: str, state: str) -> tuple[float, list[JsonDifference]]:
    """Return the share of right changes, 1 only for the same records, and where an attempt's differ.

    Both are artifacts (`STATE`). Raises ValueError for what is none.
    """
    gold, own = json.loads(right), json.loads(state)
    first: dict[str, Any] = {}
    want: dict[str, Any] = {}
    have: dict[str, Any] = {}
    for table in sorted(gold["after"].keys() | own["after"].keys()):
        old = gold["before"].get(table, {}) | own["before"].get(table, {})
        first[table] = old
        want[table] = old | gold["after"].get(table, {})
        have[table] = old | own["after"].get(table, {})
    wrong = list(compare_json(want, have))
    if not wrong:
        return 1.0, wrong
    needed = sum(each.leaves for each in compare_json(want, first))
    share = 1 - sum(each.leaves for each in wrong) / needed if needed else 0.0
    return min(max(share, 0.0), _NEARLY), wrong


def _read_gold(sample: Sample) -> Mapping[str, Any]:
    """Return the labels of a row, each key filled in. Raises TaskError for what does not fit."""
    gold = sample.data.get("gold")
    hint = 'Give {"actions": [{"name": ..., "arguments": {...}}], "basis": ["DB"], "communicate_info": []}.'
    if not isinstance(gold, Mapping) or not isinstance(gold.get("actions"), list):
        raise sample.problem("gold", f"Expected an object with actions, found {gold!r:.60}.", hint)
    for action in gold["actions"]:
        is_call = isinstance(action, Mapping) and isinstance(action.get("name"), str)
        if not is_call or not isinstance(action.get("arguments"), Mapping):
            raise sample.problem("gold", f"Expected a call, found {action!r:.60}.", hint)
    return {"basis": list(_BASIS), "communicate_info": []} | dict(gold)


def _find_missing(gold: Mapping[str, Any], replay: GoldReplay, attempt: Attempt) -> Iterator[Fact]:
    """Yield what the agent had to say and did not, and the calls that a task asks for themselves.

    In words, case and commas do not count, as in the benchmark.
    """
    spoken = [turn.text for turn in attempt.turns if turn.kind is TurnKind.AGENT]
    texts = [text.lower().replace(",", "") for text in (*spoken, attempt.answer)]
    for words in gold["communicate_info"] if "COMMUNICATE" in gold["basis"] else ():
        if not any(words.lower() in text for text in texts):
            yield Fact(f"to be said: {words}", difference=Difference.MISSING)
    if "ACTION" not in gold["basis"]:
        return
    turns = [turn for turn in attempt.turns if turn.kind is TurnKind.TOOL]
    for action, call in zip(gold["actions"], replay.calls, strict=True):
        names = action.get("compare_args")
        if not any(_is_call(turn.tool, turn.arguments, call, names) for turn in turns):
            yield Fact(f"the call {call.write()}", frozenset({Topic(call.name)}), Difference.MISSING)


def _is_call(tool: str, arguments: str, call: ToolCall, names: Sequence[str] | None) -> bool:
    """Return whether a turn made a call; of its arguments only those of `names` count, None for all."""
    if tool != call.name:
        return False
    try:
        values = json.loads(arguments or "{}")
    except ValueError:
        return False
    if not isinstance(values, dict):
        return False
    compared = values.keys() if names is None else names
    return all(values.get(name) == call.arguments.get(name) for name in compared)
