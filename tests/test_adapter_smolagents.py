"""Agents of smolagents learn, in the real library with a scripted model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ace.store import Store
from tests.adapter_contract import AdapterContract
from tests.adapter_world import LESSONS, QUESTIONS, RED, BrokenEpisodes, BrokenLearner, know, record, reply

pytest.importorskip("smolagents", reason="smolagents is not installed: `just adapter-smolagents`")

from smolagents import CodeAgent, FinalAnswerStep, Model, RunResult, ToolCallingAgent, tool
from smolagents.models import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole
from smolagents.utils import AgentGenerationError

from ace.agent.adapters.smolagents import PlaybookRuns


def call(name: str, text: str | None = None, **arguments: Any) -> ChatMessage:
    function = ChatMessageToolCallFunction(name=name, arguments=arguments)
    calls = [ChatMessageToolCall(function=function, id=f"call-{name}", type="function")]
    return ChatMessage(role=MessageRole.ASSISTANT, content=text, tool_calls=calls)


def read(messages: Any, role: str) -> str:
    texts = [message.content for message in messages if message.role == role]
    return "\n".join(each if isinstance(each, str) else each[0]["text"] for each in texts)


def answer(messages: Any) -> ChatMessage:
    question = next(each for each in QUESTIONS if each in read(messages, "user"))
    return call("final_answer", answer=reply(read(messages, "system"), question))


def call_tool(messages: Any) -> ChatMessage:
    """Look a color up first, saying so; then answer with what came back."""
    if "7" in read(messages, "tool-response"):
        return call("final_answer", answer="It is 7")
    return call("look_up", "I look it up.", color="red")


def err(messages: Any) -> ChatMessage:
    """Call a tool that nobody has; then give up."""
    if "fly" in read(messages, "tool-response"):
        return call("final_answer", answer="I cannot.")
    return call("fly")


class ScriptedModel(Model):
    """Answers as a function of the messages says, and keeps the system messages it was sent."""

    def __init__(self, script: Any = answer) -> None:
        super().__init__(model_id="scripted")
        self.script = script
        self.seen: list[str] = []

    def generate(self, messages: Any, *_: Any, **__: Any) -> ChatMessage:
        self.seen.append(read(messages, "system"))
        return self.script(messages)


@tool
def look_up(color: str) -> str:
    """Look up a color.

    Args:
        color: its name
    """
    return "7"


def build(
    learner: Any, script: Any = answer, tools: Any = (), judge: Any = None, **more: Any
) -> PlaybookRuns:
    model = ScriptedModel(script)
    more = {"instructions": "Answer with a number.", "verbosity_level": 0, **more}
    return PlaybookRuns(learner, ToolCallingAgent(list(tools), model, **more), judge)


class TestSmolagents(AdapterContract):
    heading = "smolagents"
    test_a_task_that_is_cancelled_is_kept = None  # a run goes on in its thread

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        """Return what makes an agent: each makes one run at a time."""
        script = {"answers": answer, "calls": call_tool, "errs": err}[kind]
        return lambda: build(learner, script, [look_up], judge)

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        playbook = agent()
        return playbook.run(question), playbook.episode

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        playbook = agent()
        return await playbook.arun(question), playbook.episode


@pytest.mark.parametrize("learner", [BrokenLearner(), BrokenEpisodes()])
def test_a_fault_of_the_learner_never_reaches_a_stream(learner: Any) -> None:
    steps = list(build(learner, call_tool, [look_up]).run(RED, stream=True))
    assert steps[-1].output == "It is 7" and learner.problems


def test_the_context_stands_behind_the_instructions_for_one_run(store: Store) -> None:
    know(store)
    with record(store) as learner:
        playbook = build(learner)
        playbook.run(RED)
        assert playbook.agent.instructions == "Answer with a number."
        playbook.agent.run(RED)  # nobody is told of this one
        bare = build(learner, instructions=None)
        bare.run(RED)
        assert learner.problems == ()
    first, second = playbook.agent.model.seen
    assert LESSONS[RED] in first.split("Answer with a number.\n\n")[1]
    assert LESSONS[RED] not in second and LESSONS[RED] in bare.agent.model.seen[0]
    assert len(store.episodes()) == 2


def test_a_prompt_without_a_place_for_instructions_is_a_problem(store: Store) -> None:
    know(store)
    with record(store) as learner:
        playbook = build(learner)
        playbook.agent.prompt_templates["system_prompt"] = "You look up codes."
        assert playbook.run(RED) == "no idea"
        (problem,) = learner.problems
    assert "custom_instructions" in problem.error


def test_steps_are_turns(store: Store) -> None:
    with record(store) as learner:
        playbook = build(learner, call_tool, [look_up], planning_interval=None)
        names = []
        for _ in range(2):
            assert playbook.run(RED) == "It is 7"
            names.append(playbook.episode)
        assert asyncio.run(playbook.arun(RED)) == "It is 7"
        assert learner.problems == ()
    for name in (*names, playbook.episode):
        (episode,) = store.episodes(ids=[name])
        assert (episode.question, episode.attempt.answer) == (RED, "It is 7")
        assert [(turn.kind.value, turn.text or turn.tool) for turn in episode.attempt.turns] == [
            ("assistant", "I look it up."),
            ("tool", "look_up"),
        ]
        turn = episode.attempt.turns[-1]
        assert (turn.arguments, turn.failed) == ('{"color": "red"}', False) and "7" in turn.observation


def test_code_and_errors_of_steps_are_turns(store: Store) -> None:
    codes = [
        "Thought: I try.\n<code>\n1 / 0\n</code>",
        "no code at all",
        "<code>\nfinal_answer('7')\n</code>",
    ]

    def script(messages: Any) -> ChatMessage:
        return ChatMessage(role=MessageRole.ASSISTANT, content=codes.pop(0))

    with record(store) as learner:
        agent = CodeAgent([], ScriptedModel(script), verbosity_level=0)
        assert PlaybookRuns(learner, agent).run(RED) == "7"
        assert learner.problems == ()
    (episode,) = store.episodes()
    assert episode.attempt.answer == "7"
    failed = [turn for turn in episode.attempt.turns if turn.failed]
    assert [turn.tool for turn in failed] == ["python_interpreter", "step 2"]
    assert "1 / 0" in failed[0].arguments and "ivi" in failed[0].observation


def test_errors_pass_and_are_kept(store: Store) -> None:
    def broken(messages: Any) -> Any:
        raise KeyError("down")

    with record(store) as learner:
        for is_async in (False, True):
            playbook = build(learner, broken)
            with pytest.raises(AgentGenerationError) as caught:
                asyncio.run(playbook.arun(RED)) if is_async else playbook.run(RED)
            assert isinstance(caught.value.__cause__, KeyError)
            assert playbook.agent.instructions == "Answer with a number."
        assert learner.problems == ()
    for episode in store.episodes():
        assert episode.attempt.error.startswith("AgentGenerationError") and "down" in episode.attempt.error


def test_a_limit_of_steps_is_a_turn_and_the_last_answer_counts(store: Store) -> None:
    def script(messages: Any) -> ChatMessage:
        if len(messages) > 3 and "provide an answer" in read(messages, "user"):
            return ChatMessage(role=MessageRole.ASSISTANT, content="I give up")
        return call("look_up", color="red")

    with record(store) as learner:
        playbook = build(learner, script, [look_up], max_steps=2, return_full_result=True)
        result = playbook.run(RED)
        assert isinstance(result, RunResult) and learner.problems == ()
    (episode,) = store.episodes()
    assert episode.attempt.answer == result.output
    assert "AgentMaxStepsError" in episode.attempt.turns[-1].observation


@pytest.mark.filterwarnings("ignore:.*_run_stream")  # the library's generator does not like to be left
def test_streams_are_as_they_were(store: Store) -> None:
    know(store)
    with record(store) as learner:
        playbook = build(learner)
        steps = list(playbook.run(RED, stream=True))
        assert isinstance(steps[-1], FinalAnswerStep) and steps[-1].output == "7"
        left = build(learner, call_tool, [look_up]).run(RED, stream=True)
        next(left)
        left.close()
        assert learner.problems == ()
    kept = [(episode.attempt.answer, episode.attempt.error) for episode in store.episodes()]
    assert kept == [("7", ""), ("", "GeneratorExit: ")]


def test_a_stream_that_nobody_reads_leaves_other_runs_alone(store: Store) -> None:
    with record(store) as learner:
        playbook = build(learner, call_tool, [look_up])
        unread = playbook.run(RED, stream=True)
        assert playbook.agent.run(RED) == "It is 7"
        unread.close()
        assert learner.problems == ()
    assert "look_up" not in repr((store.open_episodes(), store.episodes()))
