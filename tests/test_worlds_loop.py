"""Environments with workspaces in the loop over tools: calls are judged, and who speaks is answered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ace import evaluate
from ace.store import Store
from ace.task import (
    Attempt,
    Environment,
    Observation,
    Outcome,
    Sample,
    ToolCall,
    ToolSpec,
    TurnKind,
    define_task,
)
from ace.task.environments.worlds.tables import TablesEnvironment
from ace.task.guarded_workspace import open_workspace
from ace.testing import World
from tests.test_tool_loop import call, replies
from tests.test_worlds_tables import SAMPLE

ROW = {"id": SAMPLE.id, "question": SAMPLE.question, **SAMPLE.data}


@dataclass
class Talk:
    """Somebody who has three wishes."""

    wishes: list[str] = field(default_factory=lambda: ["And b?", "And c?"])
    heard: list[str] = field(default_factory=list)

    def tools(self) -> Sequence[ToolSpec]:
        return [ToolSpec("wait", "Wait.", {"type": "object", "properties": {}})]

    def call(self, call: ToolCall) -> Observation:
        return Observation("waited")

    def reply(self, text: str) -> Observation | None:
        self.heard.append(text)
        return Observation(self.wishes.pop(0)) if self.wishes else None

    def finish(self) -> Mapping[str, str]:
        return {"heard": "|".join(self.heard)}

    def close(self) -> None:
        return


class Talking(Environment):
    bounded = True
    pause = 0.0

    def open(self, sample: Sample) -> Talk:
        time.sleep(self.pause)
        return Talk()

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        return Outcome(score=float(attempt.artifacts["heard"] == "a|b|c"))


def run(tmp_path: Path, environment: Any, row: Mapping[str, Any], *said: Any) -> tuple[Attempt, bool]:
    tmp_path.mkdir(exist_ok=True)
    task = define_task("worlds", [dict(row)], environment)
    with Store.open(tmp_path / "p.db") as store:
        evaluate(task, store, World(replies(*said)), split="train")
        (episode,) = store.episodes()
    return episode.attempt, episode.verdict.correct


def test_somebody_who_speaks_is_answered_until_they_are_done(tmp_path: Path) -> None:
    said = [call("wait"), "a", "b", "c", "never"]
    attempt, correct = run(tmp_path, Talking(), {"id": "1", "question": "What is a?"}, *said)
    assert correct and attempt.answer == "c" and attempt.artifacts == {"heard": "a|b|c"}
    spoken = [(turn.kind, turn.text) for turn in attempt.turns if turn.kind is not TurnKind.TOOL]
    user, agent = TurnKind.USER, TurnKind.AGENT
    assert spoken == [(agent, "a"), (user, "And b?"), (agent, "b"), (user, "And c?"), (agent, "c")]


def test_a_call_may_be_made_again_where_it_does_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = [call("wait")] * 5
    attempt, _ = run(tmp_path, Talking(), {"id": "1", "question": "Wait."}, *again, "a", "b", "c")
    assert attempt.error and len(attempt.turns) == 3
    monkeypatch.setattr(Talk, "repeats", True, raising=False)
    row = {"id": "2", "question": "Wait."}
    attempt, correct = run(tmp_path / "again", Talking(), row, *again, "a", "b", "c")
    assert correct and sum(turn.kind is TurnKind.TOOL for turn in attempt.turns) == 5


def test_an_environment_that_limits_its_time_may_wait_to_open() -> None:
    environment = Talking()
    environment.pause = 0.2
    with open_workspace(environment, Sample("1", "?"), seconds=0.05) as workspace:
        assert workspace is not None and workspace.call(call("wait")).text == "waited"


def test_statements_are_judged_by_the_rows_they_leave(tmp_path: Path) -> None:
    gold = call("execute_sql", query=SAMPLE.data["gold_sql"])
    attempt, correct = run(tmp_path, TablesEnvironment(), ROW, gold, "Done.")
    assert correct and attempt.turns[0].observation == '{"changed": 1}'


def test_doing_nothing_is_wrong(tmp_path: Path) -> None:
    attempt, correct = run(tmp_path, TablesEnvironment(), ROW, "It is done.")
    assert not correct and not attempt.error
