"""What every adapter reports to: no method raises, whatever the learner and the agent do."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

import ace
from ace.agent.adapters import FixedContext, agent_run
from ace.agent.adapters.agent_run import AgentRun, OpenRuns
from ace.errors import InputError
from ace.store import Store
from tests.adapter_world import LESSONS, RED, BrokenEpisodes, BrokenLearner, know
from tests.counter_world import Wordless


def report(run: AgentRun) -> str:
    run.say("I look it up.")
    run.tool("look_up", {"color": "red"}, KeyError("red"), failed=True)
    context = run.context
    run.finish("7")
    return context


@pytest.mark.parametrize("learner", [BrokenLearner(), BrokenEpisodes()])
def test_no_fault_of_a_learner_gets_out(learner: Any) -> None:
    run = AgentRun(learner, RED, judge=lambda *_: True)
    assert report(run) == ""
    run.fail(ValueError("v"))
    assert learner.problems


def test_a_fixed_context_is_shown_and_nothing_judged() -> None:
    def judge(*_: Any) -> bool:
        raise AssertionError("an attempt that proves a lesson is judged elsewhere")

    learner = FixedContext("## lessons")
    run = AgentRun(learner, RED, judge)
    assert (report(run), run.id, learner.feedback("ep-1", right=True)) == ("## lessons", "", False)


LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: list[Any] = []
for _ in range(5_000):
    DEEP = [DEEP]
ODD = {
    "binary": (b"\x89PNG\xff", "PNG"),
    "nothing": (None, ""),
    "itself": (LOOP, "[[...]]"),
    "deep": (DEEP, "list"),
    "no number": (float("nan"), "NaN"),
    "half a sign": ("\ud83d", "\ud83d"),
    "keys": ({(1, 2): 3}, "3"),
    "huge": (10**5_000, "int"),
    "wordless": (Wordless(), "Wordless"),
}


@pytest.mark.parametrize(("value", "text"), ODD.values(), ids=ODD)
def test_whatever_a_tool_takes_and_gives_is_a_turn(store: Store, value: Any, text: str) -> None:
    with ace.learner(store, None, drift=False) as learner:
        run = AgentRun(learner, RED)
        run.tool("look_up", {"color": value}, value)
        run.finish(value if value is not None else "fine")
        assert learner.problems == ()
    (episode,) = store.episodes()
    (turn,) = episode.attempt.turns
    assert text in turn.observation and turn.arguments and episode.attempt.answer
    assert store.verify() == []


def test_what_an_agent_still_reads_is_left_to_it(store: Store) -> None:
    rows = iter("ab")
    with ace.learner(store, None, drift=False) as learner:
        AgentRun(learner, RED).tool("look_up", rows, rows)
    assert list(rows) == ["a", "b"]


def test_a_huge_result_loses_its_middle_and_says_so(store: Store) -> None:
    with ace.learner(store, None, drift=False) as learner:
        run = AgentRun(learner, RED)
        run.tool("look_up", {}, "a" + "." * 10_000_000 + "z")
        run.finish("fine")
    observation = store.episodes()[0].attempt.turns[0].observation
    assert len(observation) < 101_000 and observation.startswith("a.") and observation.endswith(".z")
    assert "9,900,002 characters left out" in observation


def test_an_error_without_words_ends_a_run_all_the_same(store: Store) -> None:
    def judge(*_: Any) -> bool:
        raise Wordless

    with ace.learner(store, None, drift=False) as learner:
        run = AgentRun(learner, RED)
        with pytest.raises(Wordless), run.keeping_errors("look_up", {"color": "red"}):
            raise Wordless
        assert learner.problems == ()
        AgentRun(learner, RED, judge).finish("7")
        assert [problem.error[:8] for problem in learner.problems] == ["Wordless"]
    failed, judged = store.episodes()
    assert failed.attempt.error.startswith("Wordless") and judged.attempt.answer == "7"
    assert [(turn.tool, turn.failed) for turn in failed.attempt.turns] == [("look_up", True)]


def test_what_a_judge_says_is_feedback(store: Store) -> None:
    know(store)
    sayings = [False, 0.25, "short", {"score": 1, "text": "fine"}, None, {"nonsense": 1}, object()]
    with ace.learner(store, None) as learner:
        for saying in sayings:
            run = AgentRun(learner, RED, judge=lambda *_, saying=saying: saying)
            assert LESSONS[RED] in report(run)
        assert len(learner.problems) == 2
    rows = [(row.right, row.score, row.text) for row in store.feedback()]
    assert rows == [(False, None, ""), (None, 0.25, ""), (None, None, "short"), (None, 1.0, "fine")]
    assert [episode.attempt.answer for episode in store.episodes()] == ["7"] * len(sayings)


def test_a_run_that_goes_on_after_a_failure_is_another_episode(store: Store) -> None:
    with ace.learner(store, None) as learner:
        run = AgentRun(learner, RED)
        run.say("first")
        run.fail(TimeoutError("slow"))
        run.fail(TimeoutError("again"))
        first = run.id
        run.tool("look_up", {}, "7")  # it was only slower, or somebody tried again
        assert run.id == first
        run.finish("7")
        assert run.id != first and learner.problems == ()
    kept = {episode.id: episode.attempt for episode in store.episodes()}
    assert kept[first].error == "TimeoutError: slow" and kept[run.id].answer == "7"
    assert [turn.tool for turn in kept[run.id].turns] == ["look_up"]
    assert [turn.text for turn in kept[first].turns] == ["first"]


def test_runs_that_nobody_ends_are_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_run, "_MOST_OPEN", 2)
    with ace.learner(store, None) as learner:
        runs = OpenRuns()
        for number in range(3):
            runs.add(str(number), AgentRun(learner, f"Question {number}?"))
        assert [episode.question for episode in store.episodes()] == ["Question 0?"]


@pytest.mark.parametrize("name", ["dspy", "langchain", "openai_agents", "pydantic_ai", "smolagents"])
def test_a_framework_that_is_missing_is_named_with_its_extra(name: str) -> None:
    framework = {"openai_agents": "agents"}.get(name, name)
    if find_spec(framework) is not None:
        pytest.skip(f"{framework} is installed")
    with pytest.raises(InputError) as caught:
        import_module(f"ace.agent.adapters.{name}")
    assert framework in str(caught.value) and f"ace-engine[{name.replace('_', '-')}]" in str(caught.value)
