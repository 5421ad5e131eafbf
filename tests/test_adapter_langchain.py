"""Agents of LangChain learn, in the real library with a scripted chat model."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ace.store import Store
from tests.adapter_contract import AdapterContract
from tests.adapter_world import LESSONS, QUESTIONS, RED, judge, know, record, reply

pytest.importorskip("langchain", reason="langchain is not installed: `just adapter-langchain`")

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelRetryMiddleware,
    ToolRetryMiddleware,
    dynamic_prompt,
)
from langchain.messages import AIMessage
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field

from ace.agent.adapters.langchain import PlaybookMiddleware


def answer(messages: list[Any]) -> AIMessage:
    system = " ".join(str(message.text) for message in messages if message.type == "system")
    question = next(str(message.text) for message in reversed(messages) if message.type == "human")
    return AIMessage(reply(system, question))


def call_tool(messages: list[Any]) -> AIMessage:
    """Look a color up first, thinking and saying so; then answer with what came back."""
    if messages[-1].type == "tool":
        return AIMessage(f"It is {messages[-1].text}")
    call = {"name": "look_up", "args": {"color": "red"}, "id": "call-1"}
    thought = {"type": "reasoning", "reasoning": "I do not know it."}
    return AIMessage([thought, {"type": "text", "text": "I look it up."}], tool_calls=[call])


def err(messages: list[Any]) -> AIMessage:
    """Call a tool that nobody has; then give up."""
    if messages[-1].type == "tool":
        return AIMessage("I cannot.")
    return AIMessage("", tool_calls=[{"name": "fly", "args": {}, "id": "call-1"}])


class ScriptedModel(BaseChatModel):
    """Answers as a function of the messages says, and keeps what it was sent."""

    script: Any = answer
    seen: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **more: Any) -> Any:
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> ChatResult:
        self.seen.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.script(messages))])


class SlowModel(ScriptedModel):
    wait: Any

    async def _agenerate(self, *request: Any, **more: Any) -> Any:
        return await self.wait()


class StreamingModel(ScriptedModel):
    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
        from langchain_core.messages import AIMessageChunk

        for letter in str(self.script(messages).text):
            yield ChatGenerationChunk(message=AIMessageChunk(letter))


@tool
def look_up(color: str) -> str:
    """Look up a color."""
    return "7"


def asking(question: str = RED) -> Any:
    return {"messages": [("user", question)]}


def build(learner: Any, model: Any = answer, tools: Any = (), judge: Any = None, **more: Any) -> Any:
    """Return an agent; a function stands for a model that answers as it says."""
    middleware = [PlaybookMiddleware(learner, judge), *more.pop("middleware", ())]
    model = model if isinstance(model, BaseChatModel) else ScriptedModel(script=model)
    return create_agent(
        model, list(tools), system_prompt="Answer with a number.", middleware=middleware, **more
    )


class TestLangChain(AdapterContract):
    heading = "LangChain and LangGraph"

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        models = {"answers": answer, "calls": call_tool, "errs": err, "waits": SlowModel(wait=self.wait)}
        return build(learner, models[kind], [look_up], judge)

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        return read(agent.invoke(asking(question)))

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        return read(await agent.ainvoke(asking(question)))


def read(result: Any) -> tuple[Any, str]:
    return result["messages"][-1].text, result["ace_episode"]


def test_the_context_stands_behind_the_system_prompt(store: Store) -> None:
    know(store)
    with record(store) as learner:
        for prompt in ("Be brief.", None):
            model = ScriptedModel()
            create_agent(model, system_prompt=prompt, middleware=[PlaybookMiddleware(learner)]).invoke(
                asking()
            )
            (messages,) = model.seen
            assert [message.type for message in messages] == ["system", "human"]
            assert messages[0].text.startswith("Be brief.\n\n" if prompt else "#")
            assert LESSONS[RED] in messages[0].text

        @dynamic_prompt
        def instruct(request: Any) -> str:
            return "By the way."

        model = ScriptedModel()
        create_agent(model, middleware=[instruct, PlaybookMiddleware(learner)]).invoke(asking())
        assert model.seen[0][0].text.startswith("By the way.\n\n")
        assert learner.problems == ()


def test_calls_of_tools_are_turns(store: Store) -> None:
    with record(store) as learner:
        agent = build(learner, call_tool, [look_up])
        results = [agent.invoke(asking()), asyncio.run(agent.ainvoke(asking()))]
        assert learner.problems == ()
    for result in results:
        (episode,) = store.episodes(ids=[result["ace_episode"]])
        assert episode.attempt.answer == "It is 7"
        assert [(turn.kind.value, turn.text or turn.tool) for turn in episode.attempt.turns] == [
            ("thought", "I do not know it."),
            ("assistant", "I look it up."),
            ("tool", "look_up"),
        ]
        turn = episode.attempt.turns[-1]
        assert (json.loads(turn.arguments), turn.observation, turn.failed) == ({"color": "red"}, "7", False)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", ["model", "tool"])
def test_errors_pass_and_are_kept(store: Store, place: str, is_async: bool) -> None:
    error = KeyError("down")

    def broken(*_: Any, **__: Any) -> Any:
        raise error

    tools = [tool("look_up", description="d")(broken)] if place == "tool" else []
    with record(store) as learner:
        agent = build(learner, call_tool if place == "tool" else broken, tools)
        with pytest.raises(KeyError) as caught:
            asyncio.run(agent.ainvoke(asking())) if is_async else agent.invoke(asking())
        assert learner.problems == ()
    assert caught.value is error
    (episode,) = store.episodes()
    assert (episode.question, episode.attempt.error) == (RED, "KeyError: 'down'")
    failed = [turn.tool for turn in episode.attempt.turns if turn.failed]
    assert failed == (["look_up"] if place == "tool" else [])


def look_up_forever(messages: list[Any]) -> AIMessage:
    call = {"name": "look_up", "args": {"color": "red"}, "id": f"call-{len(messages)}"}
    return AIMessage("", tool_calls=[call])


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_a_run_that_its_limit_of_steps_ends_is_closed(store: Store, way: str) -> None:
    async def exhaust(agent: Any) -> list[Any]:
        return [chunk async for chunk in agent.astream(asking(), config)]

    config = {"recursion_limit": 5}
    with record(store) as learner:
        agent = build(learner, look_up_forever, [look_up])
        with pytest.raises(GraphRecursionError):
            if way == "ainvoke":
                asyncio.run(agent.ainvoke(asking(), config))
            elif way == "astream":
                asyncio.run(exhaust(agent))
            else:
                list(getattr(agent, way)(asking(), config))
        assert store.open_episodes() == {}  # closed by now, not at the end of the learner
        assert learner.problems == ()
    (episode,) = store.episodes()
    assert episode.attempt.error.startswith("GraphRecursionError: Recursion limit of 5")
    assert [turn.tool for turn in episode.attempt.turns] == ["look_up", "look_up"]


@pytest.mark.parametrize("place", ["before_model", "after_agent"])
def test_an_error_of_another_middleware_closes_the_episode(store: Store, place: str) -> None:
    def broken(self: Any, state: Any, runtime: Any) -> None:
        raise OSError("disk")

    other = type("Other", (AgentMiddleware,), {place: broken})()
    with record(store) as learner:
        agent = create_agent(ScriptedModel(), middleware=[PlaybookMiddleware(learner), other])
        for _ in range(2):
            with pytest.raises(OSError):
                agent.invoke(asking())
        assert store.open_episodes() == {}
    assert [episode.attempt.error for episode in store.episodes()] == ["OSError: disk"] * 2


def test_the_limit_of_an_agent_within_a_graph_ends_its_own_episode_only(store: Store) -> None:
    with record(store) as learner:
        inner = build(learner, look_up_forever, [look_up])

        def ask_colleague(color: str) -> str:
            """Ask a colleague."""
            try:
                inner.invoke(asking("Inner?"), {"recursion_limit": 5})
            except GraphRecursionError:
                return "no answer"
            return "an answer"

        result = build(learner, call_tool, [tool("look_up")(ask_colleague)]).invoke(asking())
        assert store.open_episodes() == {} and learner.problems == ()
    kept = {episode.question: episode for episode in store.episodes()}
    assert kept["Inner?"].attempt.error.startswith("GraphRecursionError")
    assert (kept[RED].id, kept[RED].attempt.answer) == (result["ace_episode"], "It is no answer")


def test_a_run_that_is_resumed_and_then_reaches_its_limit_is_closed(store: Store) -> None:
    @tool
    def look_up(color: str) -> str:
        """Ask a person."""
        return str(interrupt("which?")) if len(asked) == 1 else "7"

    asked: list[int] = []
    with record(store) as learner:
        agent = build(learner, look_up_forever, [look_up], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "1"}, "recursion_limit": 6}
        asked.append(1)
        assert agent.invoke(asking(), config)["__interrupt__"]
        assert len(store.open_episodes()) == 1  # it waits for a person
        asked.append(1)
        with pytest.raises(GraphRecursionError):
            agent.invoke(Command(resume="7"), config)
        assert store.open_episodes() == {}
    (episode,) = store.episodes()
    assert episode.attempt.error.startswith("GraphRecursionError")


def test_a_task_that_is_cancelled_is_kept(store: Store) -> None:
    class Slow(ScriptedModel):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            started.set()
            await asyncio.sleep(600)

    async def main(learner: Any) -> None:
        agent = create_agent(Slow(), middleware=[PlaybookMiddleware(learner)])
        task = asyncio.ensure_future(agent.ainvoke(asking()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = asyncio.Event()
    with record(store) as learner:
        asyncio.run(main(learner))
    assert [episode.attempt.error for episode in store.episodes()] == ["CancelledError: "]


def test_what_is_mended_inside_is_one_episode_and_outside_another(store: Store) -> None:
    tries: list[Any] = []

    def moody(*_: Any, **__: Any) -> Any:
        tries.append(1)
        if len(tries) % 2:
            raise TimeoutError("slow")
        return AIMessage("7") if _ else "7"

    with record(store) as learner:
        retry = ModelRetryMiddleware(initial_delay=0)
        inside = build(learner, moody, middleware=[retry]).invoke(asking())
        assert len(store.episodes()) == 1
        model = ScriptedModel(script=moody)
        outside = create_agent(model, middleware=[retry, PlaybookMiddleware(learner)]).invoke(asking())
        tools = [tool("look_up", description="d")(lambda color: moody())]
        again = [ToolRetryMiddleware(initial_delay=0), PlaybookMiddleware(learner)]
        called = create_agent(ScriptedModel(script=call_tool), tools, middleware=again).invoke(asking())
        assert learner.problems == ()
    kept = {episode.id: episode for episode in store.episodes()}
    assert len(kept) == 5
    ended = [result["ace_episode"] for result in (inside, outside, called)]
    assert [kept[name].attempt.answer for name in ended] == ["7", "7", "It is 7"]
    assert [turn.observation for turn in kept[ended[2]].attempt.turns] == ["7"]
    assert {kept.pop(name).attempt.error for name in ended} == {""}
    assert {episode.attempt.error for episode in kept.values()} == {"TimeoutError: slow"}


def test_a_judge_says_at_once_what_is_known(store: Store) -> None:
    know(store)

    def broken(question: str, given: Any) -> bool:
        raise ValueError("no judge")

    with record(store) as learner:
        for each in (judge, lambda *_: 0.5, lambda *_: "Too short.", lambda *_: None, broken):
            middleware = PlaybookMiddleware(learner, judge=each)
            create_agent(ScriptedModel(), middleware=[middleware]).invoke(asking())
        assert [problem.error for problem in learner.problems] == ["ValueError: no judge"]
    said = [(row.right, row.score, row.expected, row.text) for row in store.feedback()]
    assert said == [(True, None, "7", ""), (None, 0.5, "", ""), (None, None, "", "Too short.")]
    assert len(store.episodes()) == 5


def test_parallel_runs_of_one_agent_do_not_mix(store: Store) -> None:
    async def gather() -> list[Any]:
        return await asyncio.gather(*(agent.ainvoke(asking(question)) for question in QUESTIONS))

    with record(store) as learner:
        agent = build(learner)
        with ThreadPoolExecutor(4) as pool:
            results = [*pool.map(agent.invoke, map(asking, QUESTIONS)), *asyncio.run(gather())]
        assert learner.problems == ()
    names = [result["ace_episode"] for result in results]
    kept = {episode.id: episode.question for episode in store.episodes()}
    assert [kept[name] for name in names] == [*QUESTIONS, *QUESTIONS]


def test_streams_are_as_they_were(store: Store) -> None:
    know(store)

    async def stream(agent: Any) -> list[Any]:
        return [chunk async for chunk in agent.astream(asking(), stream_mode="messages")]

    with record(store) as learner:
        agent = create_agent(StreamingModel(), middleware=[PlaybookMiddleware(learner)])
        pieces = [*agent.stream(asking(), stream_mode="messages"), *asyncio.run(stream(agent))]
        assert [chunk.text for chunk, _ in pieces if chunk.text] == ["7", "7"]
    assert [episode.attempt.answer for episode in store.episodes()] == ["7", "7"]


def test_a_conversation_and_a_person_who_is_asked(store: Store) -> None:
    @tool
    def look_up(color: str) -> str:
        """Ask a person."""
        return str(interrupt("which?"))

    with record(store) as learner:
        agent = build(learner, call_tool, [look_up], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "1"}}
        assert agent.invoke(asking(), config)["__interrupt__"]
        first = agent.invoke(Command(resume="7"), config)
        other = build(learner, call_tool, [look_up], checkpointer=agent.checkpointer)  # another process
        assert other.invoke(asking("And now?"), config)["__interrupt__"]
        fresh = build(learner, call_tool, [look_up], checkpointer=agent.checkpointer)
        second = fresh.invoke(Command(resume="8"), config)
        assert learner.problems == ()
    kept = {episode.id: episode for episode in store.episodes()}
    assert kept[first["ace_episode"]].attempt.answer == "It is 7"
    assert kept[first["ace_episode"]].attempt.error == ""
    last = kept[second["ace_episode"]]
    assert (last.question, last.attempt.answer) == ("And now?", "It is 8")


def test_a_structured_answer_is_kept_as_json(store: Store) -> None:
    class Code(BaseModel):
        code: int

    def structured(messages: Any) -> AIMessage:
        return AIMessage("", tool_calls=[{"name": "Code", "args": {"code": 7}, "id": "c"}])

    with record(store) as learner:
        result = build(learner, structured, response_format=Code).invoke(asking())
        assert learner.problems == ()
    assert result["structured_response"] == Code(code=7)
    assert [episode.attempt.answer for episode in store.episodes()] == ['{"code": 7}']
