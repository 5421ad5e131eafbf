"""Gives the playbook to runs of the OpenAI Agents SDK, and takes their outcomes back.

    with ace.learner("codes.db", model, agent=ask_again) as learner:
        with PlaybookHooks(learner) as hooks:
            result = Runner.run_sync(agent, question, hooks=hooks, run_config=hooks.configure())
        learner.feedback(hooks.episode, right=False, expected="7")

The hooks of the SDK are not told of errors: the block is. What the agent raises passes through.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ace.agent.adapters.agent_run import NOT_FINISHED, AgentRun, Judge, importing
from ace.task.agent_episode import EpisodeLearner

with importing("openai-agents"):
    from agents import RunConfig, RunHooks
    from agents.run_config import CallModelData, ModelInputData


class PlaybookHooks(RunHooks[Any]):
    """Follows one run: adds what was learned to the instructions, and records turns, answer and error.

    Make one for each run that may go on at the same time. `judge` says what is known of an answer at once.
    `hooks` are those of your own, which are called as well.
    """

    def __init__(
        self, learner: EpisodeLearner, judge: Judge | None = None, hooks: RunHooks[Any] | None = None
    ) -> None:
        self._learner = learner
        self._judge = judge
        self._others = hooks or RunHooks()
        self._run: AgentRun | None = None
        self._is_open = self._in_block = False
        self._answers: list[Any] = []  # at most one, which a guardrail may still refuse
        self._calls: dict[str, tuple[str, Any]] = {}  # of tools that have not returned

    @property
    def episode(self) -> str:
        """Return the id of the episode that the newest run is, "" before the first."""
        return self._run.id if self._run is not None else ""

    def configure(self, config: RunConfig | None = None) -> RunConfig:
        """Return the settings of a run with the context added, behind a filter that they have already."""
        config = config or RunConfig()
        earlier = config.call_model_input_filter

        async def add_context(data: CallModelData[Any]) -> ModelInputData:
            """Return the input of a call of the model with the context behind the instructions."""
            model_input = data.model_data
            if earlier is not None:
                filtered = earlier(data)
                model_input = await filtered if inspect.isawaitable(filtered) else filtered
            run = self._run
            context = "" if run is None else await asyncio.to_thread(lambda: run.context)
            instructions = "\n\n".join(filter(None, (model_input.instructions, context)))
            return ModelInputData(input=model_input.input, instructions=instructions or None)

        return replace(config, call_model_input_filter=add_context)

    def __enter__(self) -> Self:
        self._in_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_block = False
        self._end(error)  # not in a thread: a task that is cancelled has no time for one

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        """Begin an episode with the first agent of a run."""
        if not self._is_open or self._answers:
            await asyncio.to_thread(self._begin, context)
        await self._others.on_agent_start(context, agent)

    async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
        """Record the answer; in a block at its end, when guardrails have seen it."""
        self._answers = [output]
        if not self._in_block:
            await asyncio.to_thread(self._end)
        await self._others.on_agent_end(context, agent, output)

    async def on_llm_start(
        self, context: Any, agent: Any, system_prompt: str | None, input_items: list[Any]
    ) -> None:
        """Call the other hooks."""
        await self._others.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        """Record what the model thought, and what it said while it calls tools."""
        if self._run is not None:
            await asyncio.to_thread(self._take_response, self._run, response)
        await self._others.on_llm_end(context, agent, response)

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        """Remember a call, should the tool raise an error."""
        arguments = getattr(context, "tool_arguments", None)
        self._calls[_name_call(context, tool)] = (tool.name, arguments)
        await self._others.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
        """Record a call of a tool and what came back."""
        _, arguments = self._calls.pop(_name_call(context, tool), ("", None))
        if self._run is not None:
            await asyncio.to_thread(self._run.tool, tool.name, arguments, result)
        await self._others.on_tool_end(context, agent, tool, result)

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        """Record that another agent goes on."""
        if self._run is not None:
            names = (f"handoff to {to_agent.name}", {"from": from_agent.name})
            await asyncio.to_thread(self._run.tool, *names)
        await self._others.on_handoff(context, from_agent, to_agent)

    def _begin(self, context: Any) -> None:
        """Begin an episode of the newest words of the user."""
        with self._learner.guard("begin a run", ""):
            self._end()
            self._run = AgentRun(self._learner, read_question(context.turn_input), self._judge)
            self._is_open = True

    def _end(self, error: BaseException | None = None) -> None:
        """Record the answer, or how the run ended without one."""
        run, answers, calls = self._run, self._answers, list(self._calls.values())
        self._answers, self._calls = [], {}
        if run is None or not self._is_open:
            return
        self._is_open = False
        if error is None and answers:
            run.finish(answers[-1])
            return
        for name, arguments in calls:
            run.tool(name, arguments, error or NOT_FINISHED, failed=True)
        run.fail(error or NOT_FINISHED)

    def _take_response(self, run: AgentRun, response: Any) -> None:
        """Record what stands in a response, but for the text that is the answer."""
        with self._learner.guard("read a reply", run.id):
            kinds = [item.type for item in response.output]
            for item in response.output:
                if item.type == "reasoning":
                    run.say("\n".join(part.text for part in item.summary), kind="thought")
                elif item.type == "message" and set(kinds) - {"message", "reasoning"}:
                    run.say("\n".join(getattr(part, "text", "") for part in item.content))


def read_question(items: Sequence[Any]) -> str:
    """Return the newest text of a user among the items of an input."""
    questions = [item for item in items if isinstance(item, Mapping) and item.get("role") == "user"]
    content = questions[-1]["content"] if questions else ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("text"))


def _name_call(context: Any, tool: Any) -> str:
    """Return what a call of a tool is known by."""
    return str(getattr(context, "tool_call_id", tool.name))
