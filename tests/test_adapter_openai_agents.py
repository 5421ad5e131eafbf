"""Runs of the OpenAI Agents SDK learn, in the real library with a scripted model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ace.store import Store
from tests.adapter_contract import AdapterContract
from tests.adapter_world import LESSONS, QUESTIONS, RED, know, record, reply

pytest.importorskip("agents", reason="openai-agents is not installed: `just adapter-openai-agents`")

import agents
from agents import Agent, GuardrailFunctionOutput, Model, ModelResponse, RunConfig, RunHooks, Runner, Usage
from agents.exceptions import (
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
)
from agents.run_config import ModelInputData
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_reasoning_item import Summary
from pydantic import BaseModel

from ace.agent.adapters.openai_agents import PlaybookHooks

agents.set_tracing_disabled(True)


def speak(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", content=[part], role="assistant", status="completed", type="message")


def answer(instructions: str | None, items: list[Any]) -> list[Any]:
    question = [item["content"] for item in items if item.get("role") == "user"][-1]
    return [speak(reply(instructions or "", question))]


def call_tool(instructions: str | None, items: list[Any]) -> list[Any]:
    """Look a color up first, thinking and saying so; then answer with what came back."""
    results = [item["output"] for item in items if item.get("type") == "function_call_output"]
    if results:
        return [speak(f"It is {results[-1]}")]
    thought = ResponseReasoningItem(
        id="r", summary=[Summary(text="I do not know it.", type="summary_text")], type="reasoning"
    )
    call = ResponseFunctionToolCall(
        arguments='{"color": "red"}', call_id="c", name="look_up", type="function_call", id="f"
    )
    return [thought, speak("I look it up."), call]


def err(instructions: str | None, items: list[Any]) -> list[Any]:
    """Call a tool that nobody has, which could be a handoff."""
    return [ResponseFunctionToolCall(arguments="{}", call_id="c", name="fly", type="function_call", id="f")]


class ScriptedModel(Model):
    """Answers as a function of the instructions and the items says."""

    def __init__(self, script: Any = answer) -> None:
        self.script = script
        self.seen: list[str | None] = []

    async def get_response(self, system_instructions: Any, *rest: Any, **more: Any) -> ModelResponse:
        self.seen.append(system_instructions)
        output = self.script(system_instructions, rest[0] if rest else more["input"])
        if asyncio.iscoroutine(output):
            output = await output
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    async def stream_response(self, system_instructions: Any, *rest: Any, **more: Any) -> Any:
        response = Response(
            id="r",
            created_at=0,
            model="scripted",
            object="response",
            output=self.script(system_instructions, rest[0] if rest else more["input"]),
            parallel_tool_calls=False,
            tool_choice="auto",
            tools=[],
        )
        yield ResponseCompletedEvent(response=response, sequence_number=0, type="response.completed")


@agents.function_tool
def look_up(color: str) -> str:
    """Look up a color."""
    return "7"


def build(script: Any = answer, **more: Any) -> Any:
    return Agent(name="codes", instructions="Answer with a number.", model=ScriptedModel(script), **more)


def run(learner: Any, agent: Any, question: str = RED, judge: Any = None, **more: Any) -> tuple[Any, Any]:
    with PlaybookHooks(learner, judge) as hooks:
        result = Runner.run_sync(agent, question, hooks=hooks, run_config=hooks.configure(), **more)
    return result, hooks


async def arun(learner: Any, agent: Any, question: str = RED) -> tuple[Any, Any]:
    with PlaybookHooks(learner) as hooks:
        result = await Runner.run(agent, question, hooks=hooks, run_config=hooks.configure())
    return result, hooks


class TestOpenAIAgents(AdapterContract):
    heading = "OpenAI Agents SDK"

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        script = {"answers": answer, "calls": call_tool, "errs": err, "waits": self.wait}[kind]
        return learner, build(script, tools=[look_up]), judge

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        learner, built, judge = agent
        result, hooks = run(learner, built, question, judge)
        return result.final_output, hooks.episode

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        learner, built, _ = agent
        result, hooks = await arun(learner, built, question)
        return result.final_output, hooks.episode


def test_the_context_stands_behind_the_instructions_and_other_filters(store: Store) -> None:
    def filter_input(data: Any) -> ModelInputData:
        return ModelInputData(input=data.model_data.input, instructions="Filtered.")

    with record(store) as learner:
        agent = build()
        run(learner, agent)
        know(store)
        run(learner, agent)
        with PlaybookHooks(learner) as hooks:
            config = RunConfig(call_model_input_filter=filter_input, workflow_name="mine")
            configured = hooks.configure(config)
            Runner.run_sync(agent, RED, hooks=hooks, run_config=configured)
        assert learner.problems == () and configured.workflow_name == "mine"
    plain, known, filtered = agent.model.seen
    assert plain == "Answer with a number."
    assert known.startswith("Answer with a number.\n\n#") and LESSONS[RED] in known
    assert filtered.startswith("Filtered.\n\n#")


def test_calls_of_tools_are_turns(store: Store) -> None:
    agent = build(call_tool, tools=[look_up])
    with record(store) as learner:
        hooks = [run(learner, agent)[1], asyncio.run(arun(learner, agent))[1]]
        assert learner.problems == ()
    for each in hooks:
        (episode,) = store.episodes(ids=[each.episode])
        assert (episode.question, episode.attempt.answer) == (RED, "It is 7")
        assert [(turn.kind.value, turn.text or turn.tool) for turn in episode.attempt.turns] == [
            ("thought", "I do not know it."),
            ("assistant", "I look it up."),
            ("tool", "look_up"),
        ]
        turn = episode.attempt.turns[-1]
        assert (json.loads(turn.arguments), turn.observation) == ({"color": "red"}, "7")


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", ["model", "tool"])
def test_errors_pass_and_are_kept(store: Store, place: str, is_async: bool) -> None:
    error = KeyError("down")

    def broken(*_: Any) -> Any:
        raise error

    @agents.function_tool(failure_error_function=None)
    def look_up(color: str) -> str:
        raise error

    agent = build(call_tool, tools=[look_up]) if place == "tool" else build(broken)

    def go(learner: Any) -> None:
        asyncio.run(arun(learner, agent)) if is_async else run(learner, agent)

    with record(store) as learner:
        with pytest.raises(Exception, match="down") as caught:
            go(learner)
        assert learner.problems == ()
    assert error in (caught.value, caught.value.__cause__)
    (episode,) = store.episodes()
    assert episode.question == RED and "down" in episode.attempt.error
    failed = [turn.tool for turn in episode.attempt.turns if turn.failed]
    assert failed == (["look_up"] if place == "tool" else [])


def test_limits_and_guardrails_are_kept(store: Store) -> None:
    async def trip(*_: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    with record(store) as learner:
        with pytest.raises(MaxTurnsExceeded):
            run(learner, build(call_tool, tools=[look_up]), max_turns=1)
        with pytest.raises(InputGuardrailTripwireTriggered):
            run(learner, build(input_guardrails=[agents.InputGuardrail(trip, run_in_parallel=False)]))
        with pytest.raises(OutputGuardrailTripwireTriggered):
            run(learner, build(output_guardrails=[agents.OutputGuardrail(trip)]))
        assert learner.problems == ()
    errors = [episode.attempt.error.split(":")[0] for episode in store.episodes()]
    assert errors == ["MaxTurnsExceeded", "OutputGuardrailTripwireTriggered"]  # the other never began


def test_streams_are_as_they_were(store: Store) -> None:
    async def stream(is_left: bool) -> Any:
        with PlaybookHooks(learner) as hooks:
            config = hooks.configure()
            result = Runner.run_streamed(
                build(call_tool, tools=[look_up]), RED, hooks=hooks, run_config=config
            )
            async for event in result.stream_events():
                if is_left and event.type == "run_item_stream_event":
                    result.cancel()
                    break
        return result.final_output

    with record(store) as learner:
        assert asyncio.run(stream(is_left=False)) == "It is 7"
        asyncio.run(stream(is_left=True))
        assert learner.problems == ()
    whole, left = store.episodes()
    assert (whole.attempt.answer, whole.attempt.error) == ("It is 7", "")
    assert left.attempt.error == "the run was left without an answer"


def test_without_a_block_an_answer_is_recorded_at_once(store: Store) -> None:
    with record(store) as learner:
        hooks = PlaybookHooks(learner)
        for question in QUESTIONS:
            Runner.run_sync(build(), question, hooks=hooks, run_config=hooks.configure())
        with hooks:
            for question in QUESTIONS:
                Runner.run_sync(build(), question, hooks=hooks, run_config=hooks.configure())
        assert learner.problems == ()
    kept = [(episode.question, episode.attempt.answer) for episode in store.episodes()]
    assert kept == [(question, "no idea") for question in QUESTIONS] * 2


def test_hooks_of_ones_own_are_called_and_handoffs_are_one_episode(store: Store) -> None:
    called = []

    class Own(RunHooks[Any]):
        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            called.append((agent.name, output))

        async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
            called.append((from_agent.name, to_agent.name))

    def hand_off(instructions: str | None, items: list[Any]) -> list[Any]:
        name = "transfer_to_codes"
        return [
            ResponseFunctionToolCall(arguments="{}", call_id="h", name=name, type="function_call", id="f")
        ]

    know(store)
    front = Agent(name="front", model=ScriptedModel(hand_off), handoffs=[build()])
    with record(store) as learner:
        with PlaybookHooks(learner, hooks=Own()) as hooks:
            result = Runner.run_sync(front, RED, hooks=hooks, run_config=hooks.configure())
        assert (result.final_output, learner.problems) == ("7", ())
    assert called == [("front", "codes"), ("codes", "7")]
    (episode,) = store.episodes()
    assert [turn.tool for turn in episode.attempt.turns] == ["handoff to codes"]


def test_a_structured_answer_is_kept_as_json(store: Store) -> None:
    class Code(BaseModel):
        code: int

    with record(store) as learner:
        agent = build(lambda *_: [speak('{"code": 7}')], output_type=Code)
        assert run(learner, agent)[0].final_output == Code(code=7)
        assert learner.problems == ()
    assert [episode.attempt.answer for episode in store.episodes()] == ['{"code": 7}']
