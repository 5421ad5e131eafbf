"""Gives the playbook to agents of smolagents, and takes their outcomes back.

    with ace.learner("codes.db", model, agent=ask_again) as learner:
        playbook = PlaybookRuns(learner, ToolCallingAgent(tools, model))
        answer = playbook.run(question)
        learner.feedback(playbook.episode, right=False, expected="7")

An agent of smolagents makes one run at a time. What it raises passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from ace.agent.adapters.agent_run import AgentRun, Judge, importing
from ace.errors import InputError
from ace.task.agent_episode import EpisodeLearner

with importing("smolagents"):
    from smolagents import ActionStep, FinalAnswerStep, MultiStepAgent, PlanningStep


class PlaybookRuns:
    """Runs an agent with what was learned in its instructions, and records steps, answers and errors.

    `judge` says what is known of an answer at once. A run that is made without this is left alone.
    """

    def __init__(self, learner: EpisodeLearner, agent: MultiStepAgent, judge: Judge | None = None) -> None:
        self.agent = agent
        self._learner = learner
        self._judge = judge
        self._run: AgentRun | None = None
        self._is_running = False
        for kind in (ActionStep, PlanningStep):
            agent.step_callbacks.register(kind, self.take_step)

    @property
    def episode(self) -> str:
        """Return the id of the episode that the newest run is, "" before the first."""
        return self._run.id if self._run is not None else ""

    def run(self, task: str, stream: bool = False, **options: Any) -> Any:
        """Run the agent; arguments and results are those of its own `run`."""
        run = self._run = AgentRun(self._learner, task, self._judge)
        before = self.agent.instructions
        self._add_context(run)
        self._is_running = True
        try:
            with run.keeping_errors():
                result = self.agent.run(task, stream=stream, **options)
        finally:
            self._is_running = False
            self.agent.instructions = before
        if stream:
            return self._follow(run, result)
        run.finish(getattr(result, "output", result))
        return result

    async def arun(self, task: str, **options: Any) -> Any:
        """Run the agent in a thread, for `async` code: smolagents has no other way."""
        return await asyncio.to_thread(self.run, task, **options)

    def take_step(self, step: ActionStep | PlanningStep, agent: Any = None) -> None:
        """Record a step of the agent: a callback of smolagents."""
        run = self._run
        if run is None or not self._is_running:
            return
        with self._learner.guard("read a step", run.id):
            if isinstance(step, PlanningStep):
                run.say(step.plan, kind="thought")
                return
            if isinstance(step.model_output, str) and not step.is_final_answer:
                run.say(step.model_output)
            calls = [call for call in step.tool_calls or () if call.name != "final_answer"]
            for call in calls[:-1]:  # what came back is one text for all calls of a step
                run.tool(call.name, call.arguments)
            if calls:
                seen = step.error or step.observations
                run.tool(calls[-1].name, calls[-1].arguments, seen, failed=bool(step.error))
            elif step.error:
                run.tool(f"step {step.step_number}", None, step.error, failed=True)

    def _add_context(self, run: AgentRun) -> None:
        """Put the context behind the agent's instructions."""
        context = run.context
        if not context:
            return
        with self._learner.guard("add the context", run.id):
            self.agent.instructions = "\n\n".join(filter(None, (self.agent.instructions, context)))
            if context not in self.agent.system_prompt:
                raise InputError(
                    "The agent's template of a system prompt has no place for instructions.",
                    hint="Write {{custom_instructions}} into it.",
                )

    def _follow(self, run: AgentRun, steps: Iterator[Any]) -> Iterator[Any]:
        """Yield the steps of a run that is streamed, and record how it ends.

        The agent acts while it is read: a stream that nobody reads has no steps.
        """
        self._is_running = True
        try:
            with run.keeping_errors():
                for step in steps:
                    if isinstance(step, FinalAnswerStep):
                        run.finish(step.output)
                    yield step
        finally:
            self._is_running = False
