"""Gives the playbook to programs of DSPy, and takes their outcomes back.

    with ace.learner("codes.db", model, agent=ask_again) as learner:
        program = PlaybookModule(dspy.ReAct("question -> answer", tools), learner)
        prediction = program(question=question)
        learner.feedback(prediction.ace_episode, right=False, expected="7")

Each call of the module is an episode, `acall` and `batch` too. What the program raises passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import copy
from typing import Any

from ace.agent.adapters.agent_run import AgentRun, Judge, importing, to_json_value
from ace.task.agent_episode import EpisodeLearner
from ace.task.attempt import to_plain_text

with importing("dspy"):
    import dspy
    from dspy.utils.callback import BaseCallback

_ADDED = ("reasoning", "trajectory")  # fields that modules of DSPy add to those of a signature


class PlaybookModule(dspy.Module):
    """Runs a program with what was learned in the instructions of its signatures, and records what it does.

    `judge` says what is known of an answer at once. `question` makes a text of the inputs; without it that is
    the only input, or all of them as JSON.
    """

    def __init__(
        self,
        program: dspy.Module,
        learner: EpisodeLearner,
        judge: Judge | None = None,
        question: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        super().__init__()
        self.program = program
        self._learner = learner
        self._judge = judge
        self._question = question or read_question

    def forward(self, **inputs: Any) -> Any:
        """Run the program as an episode."""
        run, settings = self._begin(inputs)
        with run.keeping_errors(), settings:
            prediction = self.program(**inputs)
        self._finish(run, prediction)
        return prediction

    async def aforward(self, **inputs: Any) -> Any:
        """Run the program as an episode, in `async` code."""
        run, settings = await asyncio.to_thread(self._begin, inputs)
        with run.keeping_errors(), settings:
            prediction = await self.program.acall(**inputs)
        await asyncio.to_thread(self._finish, run, prediction)
        return prediction

    def _begin(self, inputs: Mapping[str, Any]) -> tuple[AgentRun, AbstractContextManager[Any]]:
        """Return a run of these inputs, and settings in which predictors see its context and report to it.

        They hold for this thread or task only, so that runs at the same time do not mix.
        """
        question = ""
        with self._learner.guard("read the question", ""):
            question = self._question(inputs)
        run = AgentRun(self._learner, question, self._judge)
        recorder = RunRecorder(run, self._learner)
        changes: dict[str, Any] = {"callbacks": [*dspy.settings.get("callbacks", []), recorder]}
        with self._learner.guard("add the context", run.id):
            context = run.context
            if context:
                changes["adapter"] = add_to_instructions(dspy.settings.adapter or dspy.ChatAdapter(), context)
        return run, dspy.context(**changes)

    def _finish(self, run: AgentRun, prediction: Any) -> None:
        """Record the answer: the only field of the prediction, or all of them as JSON."""
        with self._learner.guard("read the answer", run.id):
            fields = dict(prediction) if isinstance(prediction, dspy.Example) else {"answer": prediction}
            run.say(to_plain_text(fields.get("reasoning")), kind="thought")
            answers = {name: value for name, value in fields.items() if name not in _ADDED} or fields
            run.finish(next(iter(answers.values())) if len(answers) == 1 else answers)
            # Not one of its fields: they stay what they are.
            object.__setattr__(prediction, "ace_episode", run.id)


class RunRecorder(BaseCallback):
    """Records predictions and calls of tools in the middle of a run: a callback of DSPy."""

    def __init__(self, run: AgentRun, learner: EpisodeLearner) -> None:
        self.run = run
        self._learner = learner
        self._calls: dict[str, tuple[str, Any]] = {}
        self._predictors: set[str] = set()
        self._newest: Any = None  # the last prediction of all is the answer

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Note which calls are those of predictors: other modules return what these have said."""
        if isinstance(instance, dspy.Predict):
            self._predictors.add(call_id)

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """Record the prediction before this one."""
        if call_id not in self._predictors or outputs is None:
            return
        self._say_newest()
        self._newest = outputs

    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Note what a tool is called with."""
        self._say_newest()
        self._calls[call_id] = (instance.name, inputs.get("kwargs", inputs))

    def on_tool_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """Record a call of a tool with what came back."""
        with self._learner.guard("read the result of a tool", self.run.id):
            name, arguments = self._calls.pop(call_id)
            result = outputs if exception is None else exception
            self.run.tool(name, arguments, result, failed=exception is not None)

    def _say_newest(self) -> None:
        """Record the newest prediction, which is not the last."""
        with self._learner.guard("read a prediction", self.run.id):
            newest, self._newest = self._newest, None
            if newest is not None:
                fields = [f"{name}: {to_plain_text(to_json_value(value))}" for name, value in newest.items()]
                self.run.say("\n".join(fields))


def add_to_instructions(adapter: dspy.Adapter, context: str) -> dspy.Adapter:
    """Return an adapter like the one given that shows a context behind the instructions of each signature."""
    kind = type(adapter)

    def extend(arguments: dict[str, Any]) -> dict[str, Any]:
        signature = arguments["signature"]
        instructions = f"{signature.instructions}\n\n{context}"
        return {**arguments, "signature": signature.with_instructions(instructions)}

    class Showing(kind):  # type: ignore[misc, valid-type, unused-ignore]
        def __call__(self, lm: Any, **arguments: Any) -> Any:
            return super().__call__(lm, **extend(arguments))

        async def acall(self, lm: Any, **arguments: Any) -> Any:
            return await super().acall(lm, **extend(arguments))

    # As the library knows it: by its name, and with callbacks called once.
    Showing.__name__, Showing.format, Showing.parse = kind.__name__, kind.format, kind.parse
    changed = copy(adapter)
    changed.__class__ = Showing
    return changed


def read_question(inputs: Mapping[str, Any]) -> str:
    """Return the only input of a program, or all of them as JSON."""
    values = list(inputs.values())
    return to_plain_text(to_json_value(values[0] if len(values) == 1 else dict(inputs)))
