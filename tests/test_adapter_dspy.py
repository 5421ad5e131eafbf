"""Programs of DSPy learn, in the real library with a scripted model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ace.store import Store
from tests.adapter_contract import AdapterContract
from tests.adapter_world import LESSONS, QUESTIONS, RED, know, record, reply

pytest.importorskip("dspy", reason="dspy is not installed: `just adapter-dspy`")

import dspy
from dspy.utils.callback import BaseCallback
from dspy.utils.dummies import DummyLM

from ace.agent.adapters.dspy import PlaybookModule


def answer(system: str, user: str) -> dict[str, Any]:
    question = next(each for each in QUESTIONS if each in user)
    return {"answer": reply(system, question)}


def use_tool(system: str, user: str) -> dict[str, Any]:
    """Look a color up first; then answer with what came back."""
    if "next_tool_name" not in system:
        return {"reasoning": "The tool says so.", "answer": "It is 7"}
    if "observation_0" in user:
        return {"next_thought": "I know it.", "next_tool_name": "finish", "next_tool_args": "{}"}
    arguments = '{"color": "red"}'
    return {"next_thought": "I look it up.", "next_tool_name": "look_up", "next_tool_args": arguments}


def err(system: str, user: str) -> dict[str, Any]:
    """Call a tool that nobody has."""
    return {"next_thought": "I fly.", "next_tool_name": "fly", "next_tool_args": "{}"}


class ScriptedLM(DummyLM):
    """Answers as a function of the system message and the rest says."""

    def __init__(self, script: Any = answer) -> None:
        super().__init__([], follow_examples=True)
        self.script = script
        self.seen: list[str] = []

    def _use_example(self, messages: Any) -> str:
        self.seen.append(messages[0]["content"])
        user = "\n".join(message["content"] for message in messages[1:])
        return self._format_answer_fields(self.script(messages[0]["content"], user))


def look_up(color: str) -> str:
    """Look up a color."""
    return "7"


def build(learner: Any, script: Any = answer, program: Any = None, **more: Any) -> Any:
    program = program or dspy.Predict(dspy.Signature("question -> answer", "Answer with a number."))
    program.set_lm(ScriptedLM(script))
    return PlaybookModule(program, learner, **more)


class TestDSPy(AdapterContract):
    heading = "DSPy"
    names_fault = "next_tool_name"  # the library refuses a reply with another name

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        if kind == "answers":
            return build(learner, judge=judge)
        program = dspy.ReAct("question -> answer", tools=[self.look_up if kind == "waits" else look_up])
        return build(learner, err if kind == "errs" else use_tool, program)

    async def look_up(self, color: str) -> str:
        return str(await self.wait())

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        prediction = agent(question=question)
        return prediction.answer, prediction.ace_episode

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        prediction = await agent.acall(question=question)
        return prediction.answer, prediction.ace_episode


@pytest.mark.parametrize("adapter", [None, dspy.ChatAdapter(), dspy.JSONAdapter()])
def test_the_context_stands_behind_the_instructions(store: Store, adapter: Any) -> None:
    counted = []

    class Count(BaseCallback):
        def on_adapter_format_end(self, call_id: str, outputs: Any, exception: Any = None) -> None:
            counted.append(call_id)

    def in_json(system: str, user: str) -> dict[str, Any]:
        return answer(system, user)

    know(store)
    with record(store) as learner, dspy.context(adapter=adapter, callbacks=[Count()]):
        program = build(learner)
        lm = program.program.lm
        if isinstance(adapter, dspy.JSONAdapter):
            lm.adapter = adapter
        plain = program.program(question=RED)
        without = len(counted)
        shown = program(question=RED)
        assert (plain.answer, shown.answer) == ("no idea", "7")
        assert (list(shown.keys()), len(counted)) == (["answer"], 2 * without)
        assert learner.problems == ()
    assert LESSONS[RED] not in lm.seen[0]
    after = lm.seen[-1].split("Answer with a number.", 1)[1]
    assert LESSONS[RED] in after
    assert program.program.signature.instructions == "Answer with a number."


def test_thoughts_and_calls_of_tools_are_turns(store: Store) -> None:
    with record(store) as learner:
        program = build(learner, use_tool, dspy.ReAct("question -> answer", tools=[look_up]))
        predictions = [program(question=RED), asyncio.run(program.acall(question=RED))]
        assert learner.problems == ()
    for prediction in predictions:
        (episode,) = store.episodes(ids=[prediction.ace_episode])
        assert (episode.question, episode.attempt.answer) == (RED, "It is 7")
        turns = episode.attempt.turns
        assert [turn.tool or turn.kind.value for turn in turns] == [
            *("assistant", "look_up", "assistant", "finish", "thought")
        ]
        assert "I look it up." in turns[0].text and turns[-1].text == "The tool says so."
        assert (turns[1].arguments, turns[1].observation) == ('{"color": "red"}', "7")


def test_tools_that_fail_are_turns(store: Store) -> None:
    def look_up(color: str) -> str:
        raise KeyError("down")

    with record(store) as learner:
        program = build(learner, use_tool, dspy.ReAct("question -> answer", tools=[look_up]))
        assert program(question=RED).answer == "It is 7"
        assert learner.problems == ()
    (episode,) = store.episodes()
    failed = [(turn.tool, turn.observation) for turn in episode.attempt.turns if turn.failed]
    assert failed == [("look_up", "KeyError: 'down'")]


@pytest.mark.parametrize("is_async", [False, True])
def test_errors_pass_and_are_kept(store: Store, is_async: bool) -> None:
    class Broken(dspy.Module):
        def forward(self, question: str) -> Any:
            raise error

        async def aforward(self, question: str) -> Any:
            raise error

    error = KeyError("down")
    with record(store) as learner:
        program = PlaybookModule(Broken(), learner)
        with pytest.raises(KeyError) as caught:
            asyncio.run(program.acall(question=RED)) if is_async else program(question=RED)
        assert learner.problems == ()
    assert caught.value is error
    (episode,) = store.episodes()
    assert (episode.question, episode.attempt.error) == (RED, "KeyError: 'down'")


def test_runs_at_the_same_time_do_not_mix(store: Store) -> None:
    async def gather(program: Any) -> list[Any]:
        return await asyncio.gather(*(program.acall(question=question) for question in QUESTIONS))

    know(store)
    with record(store) as learner:
        program = build(learner)
        examples = [dspy.Example(question=question).with_inputs("question") for question in QUESTIONS]
        predictions = [*program.batch(examples, num_threads=4, disable_progress_bar=True)]
        predictions += asyncio.run(gather(program))
        assert learner.problems == ()
    kept = {episode.id: episode.question for episode in store.episodes()}
    assert [kept[prediction.ace_episode] for prediction in predictions] == [*QUESTIONS, *QUESTIONS]
    assert [prediction.answer for prediction in predictions] == ["7", *["no idea"] * 3] * 2


def test_a_program_that_is_streamed_is_an_episode(store: Store) -> None:
    async def stream(program: Any) -> list[Any]:
        return [piece async for piece in dspy.streamify(program)(question=RED)]

    know(store)
    with record(store) as learner:
        pieces = asyncio.run(stream(build(learner)))
        assert (pieces[-1].answer, learner.problems) == ("7", ())
    assert [episode.attempt.answer for episode in store.episodes()] == ["7"]


def test_several_inputs_and_outputs_are_json(store: Store) -> None:
    def script(system: str, user: str) -> dict[str, Any]:
        return {"code": 7, "sure": True}

    with record(store) as learner:
        program = dspy.Predict("color, year -> code: int, sure: bool")
        build(learner, script, program)(color="red", year="1999")
        build(learner, script, program, question=lambda inputs: inputs["color"])(color="red", year="1999")
        assert learner.problems == ()
    asked = [(episode.question, episode.attempt.answer) for episode in store.episodes()]
    answer = '{"code": 7, "sure": true}'
    assert asked == [('{"color": "red", "year": "1999"}', answer), ("red", answer)]
