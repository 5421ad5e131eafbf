"""Gives the playbook to agents of Pydantic AI, and takes their outcomes back.

    with ace.learner("codes.db", model, agent=ask_again) as learner:
        playbook = PlaybookCapability(learner)
        agent = Agent("openai:gpt-4.1-mini", instructions="Be brief.", capabilities=[playbook])
        result = agent.run_sync(question)
        learner.feedback(playbook.find_episode(result.run_id), right=False, expected="7")

Each run is an episode, streamed or not. What the agent raises passes through.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from copy import copy
from typing import Any

from ace.agent.adapters.agent_run import AgentRun, Judge, OpenRuns, importing
from ace.task.agent_episode import EpisodeLearner

with importing("pydantic-ai"):
    from pydantic_ai import DeferredToolRequests, RunContext
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ThinkingPart, UserPromptPart

_MOST_ENDED = 10_000  # runs whose episodes can be asked for


class PlaybookCapability(AbstractCapability[Any]):
    """Adds what was learned to the instructions, and records turns, answers and errors.

    `judge` says what is known of an answer at once. A run that ends with calls for somebody else to make goes
    on with the next run of its conversation that has no prompt.
    """

    def __init__(self, learner: EpisodeLearner, judge: Judge | None = None) -> None:
        self._learner = learner
        self._judge = judge
        self._run: AgentRun | None = None  # only the copy for one run has one
        self._waiting = OpenRuns()
        self._episodes: OrderedDict[str, str] = OrderedDict()

    def find_episode(self, run_id: str) -> str:
        """Return the id of the episode that a run is, "" where the run is unknown."""
        return self._episodes.get(run_id, "")

    async def for_run(self, ctx: RunContext[Any]) -> PlaybookCapability:
        """Return a copy that follows one run."""
        bound = copy(self)
        bound._run = await asyncio.to_thread(self._begin, ctx)
        return bound

    def get_instructions(self) -> Callable[[RunContext[Any]], Awaitable[str | None]]:
        """Return what looks up the context: it stands behind the agent's own instructions."""
        return self._instruct

    async def wrap_run(self, ctx: RunContext[Any], *, handler: Callable[[], Awaitable[Any]]) -> Any:
        """Record how the run ends."""
        with self._run.keeping_errors() if self._run is not None else nullcontext():
            result = await handler()
        await asyncio.to_thread(self._take_result, ctx, result)
        return result

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: Any, response: ModelResponse
    ) -> ModelResponse:
        """Record what the model thought, and what it said while it calls tools."""
        await asyncio.to_thread(self._take_response, response)
        return response

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: Any, tool_def: Any, args: Any, handler: Any
    ) -> Any:
        """Call a tool and record what came back."""
        run = self._run
        try:
            result = await handler(args)
        except BaseException as error:
            if run is not None:
                run.tool(call.tool_name, args, error, failed=True)
            raise
        if run is not None:
            await asyncio.to_thread(run.tool, call.tool_name, args, result, failed=False)
        return result

    async def on_tool_validate_error(
        self, ctx: RunContext[Any], *, call: Any, tool_def: Any, args: Any, error: Exception
    ) -> Any:
        """Record a call whose arguments are wrong."""
        if self._run is not None:
            await asyncio.to_thread(self._run.tool, call.tool_name, args, error, failed=True)
        raise error

    def _begin(self, ctx: RunContext[Any]) -> AgentRun:
        """Return the run of a question, or the one that has waited for somebody to make its calls."""
        question = ""
        with self._learner.guard("read the question", ""):
            question = read_question(ctx)
        run = self._waiting.find(ctx.conversation_id or "") if ctx.prompt is None else None
        run = run or AgentRun(self._learner, question, self._judge)
        self._waiting.remove(ctx.conversation_id or "")
        self._remember(ctx, run)
        return run

    def _remember(self, ctx: RunContext[Any], run: AgentRun) -> None:
        """Remember which episode a run is; the oldest of very many is forgotten."""
        self._episodes[ctx.run_id or ""] = run.id
        while len(self._episodes) > _MOST_ENDED:
            self._episodes.popitem(last=False)

    async def _instruct(self, ctx: RunContext[Any]) -> str | None:
        """Return the context of the run; None where there is nothing to show."""
        run = self._run
        return None if run is None else await asyncio.to_thread(lambda: run.context) or None

    def _take_result(self, ctx: RunContext[Any], result: Any) -> None:
        """Record the answer; let a run wait that ends with calls for somebody else to make."""
        run = self._run
        if run is None:
            return
        with self._learner.guard("read the answer", run.id):
            if isinstance(result.output, DeferredToolRequests):
                self._waiting.add(ctx.conversation_id or "", run)
            else:
                run.finish(result.output)
            self._remember(ctx, run)

    def _take_response(self, response: ModelResponse) -> None:
        """Record what stands in a response, but for the text that is the answer."""
        run = self._run
        if run is None:
            return
        with self._learner.guard("read a reply", run.id):
            for part in response.parts:
                if isinstance(part, ThinkingPart):
                    run.say(part.content, kind="thought")
                elif isinstance(part, TextPart) and response.tool_calls:
                    run.say(part.content)


def read_question(ctx: RunContext[Any]) -> str:
    """Return the texts of a run's prompt, or of the last prompt in its history."""
    content = ctx.prompt
    if content is None:
        requests = [message for message in ctx.messages if isinstance(message, ModelRequest)]
        prompts = [part for request in requests for part in request.parts if isinstance(part, UserPromptPart)]
        content = prompts[-1].content if prompts else ""
    parts = [content] if isinstance(content, str) else content
    texts = [getattr(part, "content", part) for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))
