"""Agents of Pydantic AI learn, in the real library with its own model made of a function."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ace.store import Store
from tests.adapter_contract import AdapterContract
from tests.adapter_world import LESSONS, RED, know, record, reply

pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed: `just adapter-pydantic-ai`")

from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ModelRetry, UsageLimits
from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from ace.agent.adapters.pydantic_ai import PlaybookCapability


def answer(messages: Any, info: Any) -> ModelResponse:
    question = [part.content for part in messages[-1].parts if part.part_kind == "user-prompt"][-1]
    return ModelResponse([TextPart(reply(info.instructions or "", question))])


async def answer_in_pieces(messages: Any, info: Any) -> Any:
    for letter in answer(messages, info).parts[0].content:
        yield letter


def call_tool(messages: Any, info: Any) -> ModelResponse:
    """Look a color up first, thinking and saying so; then answer with what came back."""
    results = [part for part in messages[-1].parts if part.part_kind == "tool-return"]
    if results:
        return ModelResponse([TextPart(f"It is {results[-1].content}")])
    call = ToolCallPart("look_up", {"color": "red"})
    return ModelResponse([ThinkingPart("I do not know it."), TextPart("I look it up."), call])


def err(messages: Any, info: Any) -> ModelResponse:
    """Call a tool that nobody has; then give up."""
    if messages[-1].parts[-1].part_kind == "retry-prompt":
        return ModelResponse([TextPart("I cannot.")])
    return ModelResponse([ToolCallPart("fly", {})])


def look_up(color: str) -> str:
    """Look up a color."""
    return "7"


def build(learner: Any, script: Any = answer, tools: Any = (), judge: Any = None, **more: Any) -> Any:
    """Return an agent and its capability."""
    playbook = PlaybookCapability(learner, judge)
    model = FunctionModel(script, stream_function=answer_in_pieces)
    instructions = "Answer with a number."
    return Agent(model, instructions=instructions, tools=tools, capabilities=[playbook], **more), playbook


class TestPydanticAI(AdapterContract):
    heading = "Pydantic AI"

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        script = {"answers": answer, "calls": call_tool, "errs": err, "waits": self.wait}[kind]
        return build(learner, script, [look_up], judge)

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        built, playbook = agent
        result = built.run_sync(question)
        return result.output, playbook.find_episode(result.run_id)

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        built, playbook = agent
        result = await built.run(question)
        return result.output, playbook.find_episode(result.run_id)


def test_an_unknown_run_has_no_episode(store: Store) -> None:
    with record(store) as learner:
        assert PlaybookCapability(learner).find_episode("nobody") == ""


def test_the_context_stands_behind_the_instructions(store: Store) -> None:
    seen = []

    def keep(messages: Any, info: Any) -> ModelResponse:
        seen.append(info.instructions)
        return answer(messages, info)

    with record(store) as learner:
        build(learner, keep)[0].run_sync(RED)
        know(store)
        build(learner, keep)[0].run_sync(RED)
        assert learner.problems == ()
    assert seen[0] == "Answer with a number."
    assert seen[1].startswith("Answer with a number.\n\n#") and LESSONS[RED] in seen[1]


def test_calls_of_tools_are_turns(store: Store) -> None:
    with record(store) as learner:
        agent, playbook = build(learner, call_tool, [look_up])
        results = [agent.run_sync(RED), asyncio.run(agent.run(RED))]
        assert learner.problems == ()
    for result in results:
        (episode,) = store.episodes(ids=[playbook.find_episode(result.run_id)])
        assert (episode.question, episode.attempt.answer) == (RED, "It is 7")
        assert [(turn.kind.value, turn.text or turn.tool) for turn in episode.attempt.turns] == [
            ("thought", "I do not know it."),
            ("assistant", "I look it up."),
            ("tool", "look_up"),
        ]
        turn = episode.attempt.turns[-1]
        assert (json.loads(turn.arguments), turn.observation, turn.failed) == ({"color": "red"}, "7", False)


def test_calls_that_go_wrong_and_are_tried_again_are_turns(store: Store) -> None:
    calls = [{"colour": "red"}, {"color": "rot"}, {"color": "red"}]

    def script(messages: Any, info: Any) -> ModelResponse:
        if calls:
            return ModelResponse([ToolCallPart("look_up", calls.pop(0))])
        return ModelResponse([TextPart("7")])

    def look_up(color: str) -> str:
        if color == "rot":
            raise ModelRetry("in English")
        return "7"

    with record(store) as learner:
        build(learner, script, [look_up], retries=3)[0].run_sync(RED)
        assert learner.problems == ()
    (episode,) = store.episodes()
    assert [turn.failed for turn in episode.attempt.turns] == [True, True, False]
    assert "in English" in episode.attempt.turns[1].observation


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", ["model", "tool"])
def test_errors_pass_and_are_kept(store: Store, place: str, is_async: bool) -> None:
    error = KeyError("down")

    def broken(*_: Any) -> Any:
        raise error

    def look_up(color: str) -> str:
        raise error

    with record(store) as learner:
        tools = [look_up] if place == "tool" else []
        agent, _ = build(learner, call_tool if place == "tool" else broken, tools)
        with pytest.raises(KeyError) as caught:
            asyncio.run(agent.run(RED)) if is_async else agent.run_sync(RED)
        assert learner.problems == ()
    assert caught.value is error
    (episode,) = store.episodes()
    assert (episode.question, episode.attempt.error) == (RED, "KeyError: 'down'")
    failed = [turn.tool for turn in episode.attempt.turns if turn.failed]
    assert failed == (["look_up"] if place == "tool" else [])


def test_limits_and_broken_answers_are_kept(store: Store) -> None:
    with record(store) as learner:
        with pytest.raises(UsageLimitExceeded):
            limits = UsageLimits(request_limit=1)
            build(learner, call_tool, [look_up])[0].run_sync(RED, usage_limits=limits)
        with pytest.raises(UnexpectedModelBehavior):
            build(learner, output_type=int)[0].run_sync(RED)
    errors = [episode.attempt.error.split(":")[0] for episode in store.episodes()]
    assert errors == ["UsageLimitExceeded", "UnexpectedModelBehavior"]


def test_streams_are_as_they_were(store: Store) -> None:
    async def stream(agent: Any) -> tuple[list[str], str]:
        async with agent.run_stream(RED) as result:
            return [text async for text in result.stream_text(delta=True, debounce_by=None)], result.run_id

    know(store)
    with record(store) as learner:
        agent, playbook = build(learner)
        pieces, run = asyncio.run(stream(agent))
        assert ("".join(pieces), learner.problems) == ("7", ())
    (episode,) = store.episodes(ids=[playbook.find_episode(run)])
    assert episode.attempt.answer == "7"


def test_a_run_that_waits_for_somebody_goes_on(store: Store) -> None:
    def look_up(color: str) -> str:
        return "7"

    with record(store) as learner:
        agent, playbook = build(learner, call_tool, output_type=[str, DeferredToolRequests])
        agent.tool_plain(requires_approval=True)(look_up)
        first = agent.run_sync(RED)
        (call,) = first.output.approvals
        assert store.episodes() == []
        results = DeferredToolResults(approvals={call.tool_call_id: True})
        second = agent.run_sync(message_history=first.all_messages(), deferred_tool_results=results)
        assert learner.problems == ()
    (episode,) = store.episodes()
    assert (episode.question, episode.attempt.answer) == (RED, "It is 7")
    assert {playbook.find_episode(each.run_id) for each in (first, second)} == {episode.id}


def test_a_structured_answer_is_kept_as_json(store: Store) -> None:
    class Code(BaseModel):
        code: int

    def structured(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse([ToolCallPart(info.output_tools[0].name, {"code": 7})])

    with record(store) as learner:
        assert build(learner, structured, output_type=Code)[0].run_sync(RED).output == Code(code=7)
        assert learner.problems == ()
    assert [episode.attempt.answer for episode in store.episodes()] == ['{"code": 7}']
