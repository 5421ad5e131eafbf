"""Gives the playbook to agents of LangChain, which are graphs of LangGraph, and takes their outcomes back.

    with ace.learner("codes.db", model, agent=ask_again) as learner:
        agent = create_agent("openai:gpt-4.1-mini", tools, middleware=[PlaybookMiddleware(learner)])
        result = agent.invoke({"messages": [("user", question)]})
        learner.feedback(result["ace_episode"], right=False, expected="7")

Each run is an episode; `invoke`, `stream` and their async twins are the same. What the agent raises passes
through. A middleware is not told of the end of a run that another part than model and tools stops, such as
the limit of steps: a callback is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Annotated, Any, NotRequired
from uuid import UUID

from ace.agent.adapters.agent_run import AgentRun, Judge, OpenRuns, importing
from ace.task.agent_episode import EpisodeLearner

with importing("langchain"):
    from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
    from langchain.agents.middleware.types import OmitFromInput
    from langchain.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.tracers.context import register_configure_hook
    from langgraph.config import get_config
    from langgraph.errors import GraphBubbleUp
    from langgraph.prebuilt.tool_node import ToolCallRequest


class PlaybookState(AgentState[Any]):
    """Hold the state of an agent, with the id of the episode that its run is."""

    ace_episode: NotRequired[Annotated[str, OmitFromInput]]  # type: ignore[valid-type, unused-ignore]
    """Left out of the input: each run has its own."""


class RunEnds(BaseCallbackHandler):
    """Ends the episodes of runs that an error ends, wherever it is raised. One for the process.

    A stream that nobody reads to its end is left open: it may wait for a person, and be resumed.
    """

    run_inline = True  # a run that is cancelled has no time for a thread
    ignore_llm = ignore_chat_model = ignore_retriever = ignore_agent = ignore_retry = True

    def __init__(self) -> None:
        self._parents: dict[UUID, UUID | None] = {}  # of what is running: a node -> its graph
        self._runs: dict[UUID, AgentRun] = {}  # graph -> the run that it is

    def watch(self, run: AgentRun) -> None:
        """Keep the run of the node that is running in this context, until its graph ends."""
        manager: Any = get_config().get("callbacks")
        node: Any = getattr(manager, "parent_run_id", None)
        graph = self._parents.get(node)
        if graph is not None:
            self._runs[graph] = run

    def on_chain_start(self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any) -> None:
        """Note where a graph or a node belongs."""
        self._parents[run_id] = parent_run_id

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Let go what has ended well, or waits for a person."""
        self._parents.pop(run_id, None)
        self._runs.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Record that a run failed, where no model or tool has told of it."""
        self._parents.pop(run_id, None)
        run = self._runs.pop(run_id, None)
        if run is not None and not isinstance(error, GraphBubbleUp | GeneratorExit):
            run.fail(error)


@lru_cache(maxsize=1)
def watch_ends() -> RunEnds:
    """Return what ends episodes, and let LangChain tell it of every run from now on."""
    ends = RunEnds()
    register_configure_hook(ContextVar("ace_run_ends", default=ends), inheritable=True)
    return ends


class PlaybookMiddleware(AgentMiddleware[PlaybookState, Any, Any]):
    """Adds what was learned to the system message, and records turns, answers and errors.

    Put it behind what sets the system prompt, and before what retries: only an error that comes through to
    it ends an episode. `judge` says what is known of an answer at once.
    """

    state_schema = PlaybookState

    def __init__(self, learner: EpisodeLearner, judge: Judge | None = None) -> None:
        super().__init__()
        self._learner = learner
        self._judge = judge
        self._runs = OpenRuns()
        self._ends = watch_ends()

    def before_agent(self, state: PlaybookState, runtime: Any = None) -> dict[str, Any] | None:
        """Begin an episode of the newest question."""
        return {"ace_episode": self._begin(state).id}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask the model with the context, and record what it says besides the answer."""
        run, request = self._add_context(request)
        with run.keeping_errors(but=(GraphBubbleUp,)):
            response = handler(request)
        self._take_messages(run, response)
        return response

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Call a tool and record what came back."""
        run = self._find(request.state)
        call = request.tool_call
        with run.keeping_errors(call["name"], call["args"], but=(GraphBubbleUp,)):
            result = handler(request)
        self._take_result(run, call, result)
        return result

    def after_agent(self, state: PlaybookState, runtime: Any = None) -> dict[str, Any] | None:
        """Record the answer: the structured response where there is one, else the last message's text."""
        run = self._find(state)
        with self._learner.guard("read the answer", run.id):
            answer = state.get("structured_response")
            run.finish(state["messages"][-1].text if answer is None else answer)
        self._runs.remove(state.get("ace_episode", ""))
        return {"ace_episode": run.id}

    async def abefore_agent(self, state: PlaybookState, runtime: Any = None) -> dict[str, Any] | None:
        """Begin an episode in a thread."""
        return await asyncio.to_thread(self.before_agent, state)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Do as `wrap_model_call` does, in `async` code."""
        run, request = await asyncio.to_thread(self._add_context, request)
        with run.keeping_errors(but=(GraphBubbleUp,)):
            response = await handler(request)
        await asyncio.to_thread(self._take_messages, run, response)
        return response

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Do as `wrap_tool_call` does, in `async` code."""
        run = await asyncio.to_thread(self._find, request.state)
        call = request.tool_call
        with run.keeping_errors(call["name"], call["args"], but=(GraphBubbleUp,)):
            result = await handler(request)
        await asyncio.to_thread(self._take_result, run, call, result)
        return result

    async def aafter_agent(self, state: PlaybookState, runtime: Any = None) -> dict[str, Any] | None:
        """Record the answer in a thread."""
        return await asyncio.to_thread(self.after_agent, state)

    def _begin(self, state: Mapping[str, Any]) -> AgentRun:
        """Return a new run of the newest question of a state."""
        question = ""
        with self._learner.guard("read the question", ""):
            asked = [message.text for message in state["messages"] if isinstance(message, HumanMessage)]
            question = str(asked[-1] if asked else "")
        run = AgentRun(self._learner, question, self._judge)
        self._runs.add(run.id, run)
        return self._watch(run)

    def _find(self, state: Mapping[str, Any]) -> AgentRun:
        """Return the run of a state; a new one where another process began it."""
        run = self._runs.find(state.get("ace_episode", ""))
        return self._begin(state) if run is None else self._watch(run)

    def _watch(self, run: AgentRun) -> AgentRun:
        """Return a run, whose end is watched for: it may go on in another graph than the one it began in."""
        with self._learner.guard("watch for the end of a run", run.id):
            self._ends.watch(run)
        return run

    def _add_context(self, request: ModelRequest[Any]) -> tuple[AgentRun, ModelRequest[Any]]:
        """Return the run of a request, and the request with the context behind its system message."""
        run = self._find(request.state)
        context = run.context
        if not context:
            return run, request
        with self._learner.guard("add the context", run.id):
            before = request.system_message
            content: Any = context
            if before is not None and isinstance(before.content, str):
                content = f"{before.content}\n\n{context}"
            elif before is not None:
                content = [*before.content, {"type": "text", "text": context}]
            message = before or SystemMessage(content="")
            request = request.override(system_message=message.model_copy(update={"content": content}))
        return run, request

    def _take_messages(self, run: AgentRun, response: Any) -> None:
        """Record what a model thought, and what it said while it calls tools."""
        with self._learner.guard("read a reply", run.id):
            messages = response.result if isinstance(response, ModelResponse) else [response]
            for message in messages:
                if not isinstance(message, AIMessage):
                    continue
                for block in message.content_blocks:
                    if block["type"] == "reasoning":
                        run.say(block.get("reasoning", ""), kind="thought")
                if message.tool_calls:
                    run.say(str(message.text))

    def _take_result(self, run: AgentRun, call: Mapping[str, Any], result: Any) -> None:
        """Record a call of a tool, with its message or what else it returned."""
        with self._learner.guard("read the result of a tool", run.id):
            failed = getattr(result, "status", "success") == "error"
            run.tool(call["name"], call["args"], str(getattr(result, "text", result)), failed=failed)
