"""Lets a task of Inspect learn: its model gets the playbook, and its scores become outcomes of episodes.

    with ace.learner("capitals.db", model) as learner:
        task = Task(dataset, solver=[use_playbook(learner), generate()], scorer=match())
        eval(task, model="openai/gpt-4.1-mini")

Inspect runs samples at the same time, and tells a hook when one has been scored. What goes wrong here is a
problem of the learner and never fails a sample.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ace.runs.records import ALTERNATIVE
from ace.task.agent_episode import AgentEpisode, EpisodeLearner

if TYPE_CHECKING:
    from inspect_ai.hooks import SampleEnd
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessage, ChatMessageTool
    from inspect_ai.solver import Generate, Solver, TaskState

ReadScore = Callable[[Any], float | None]
"""Makes of the value of a score a number from 0 to 1, where 1 is right; None for what says neither."""

_ABANDONED = "the sample was tried again"


@dataclass(frozen=True, slots=True)
class OpenSample:
    """Hold the episode of a sample that is not scored yet, and how its score is read."""

    learner: EpisodeLearner
    """Keeps what goes wrong with recording it."""

    episode: AgentEpisode
    """The episode that the sample is."""

    scorer: str
    """The name of the score that counts; "" for the first."""

    read_score: ReadScore
    """Makes a number of the score's value."""

    targets: bool
    """Whether the learner sees the sample's targets as right answers, of which one is enough."""


_OPEN: dict[str, OpenSample] = {}
"""The samples of this process without a score, by the id of their run. Inspect has one hook for all."""


def read_value(value: Any) -> float | None:
    """Return the number that a value of Inspect stands for: 1 for "C" and True, a half for "P", a number.

    None for a number outside 0 to 1, for other words, and for lists and tables.
    """
    from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, PARTIAL

    words = {CORRECT: 1.0, PARTIAL: 0.5, INCORRECT: 0.0, NOANSWER: 0.0}
    if isinstance(value, str) and value in words:
        return words[value]
    if not isinstance(value, str | bool | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 else None


def use_playbook(
    learner: EpisodeLearner, *, scorer: str = "", read_score: ReadScore = read_value, targets: bool = True
) -> Solver:
    """Return a solver that adds what was learned to the system message, to stand before the one that answers.

    As `setup` of a task it stays where the solver is replaced. `scorer` names the score that counts, the
    first by default. With `targets` the learner sees a sample's target as the right answer, and each of
    several as one: leave it out where a target is a rubric.
    """
    from inspect_ai.solver import solver

    _register_hook()

    @solver(name="ace_use_playbook")
    def create() -> Solver:
        """Make the solver; Inspect wants it made so."""

        async def solve(state: TaskState, generate: Generate) -> TaskState:
            """Begin the episode of a sample and show its model the context."""
            episode = learner.episode(state.input_text)
            before = _OPEN.pop(state.uuid, None)
            if before is not None:
                await asyncio.to_thread(before.episode.fail, _ABANDONED)
            _OPEN[state.uuid] = OpenSample(learner, episode, scorer, read_score, targets)
            context = await asyncio.to_thread(lambda: episode.context)
            if context:
                state.messages = add_to_system(state.messages, context)
            return state

        return solve

    return create()


def ask_again(model: str, instructions: str = "", **model_args: Any) -> Callable[[str, str], str]:
    """Return a function that asks a model of Inspect once more: `agent` of `ace.learner`, to prove lessons.

    It asks in one call, without the solvers and tools of a task. `model_args` are those of `get_model`.
    """

    def ask(question: str, context: str) -> str:
        """Return the model's answer to a question, with a context behind the instructions."""
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser, get_model

        system = "\n\n".join(filter(None, (instructions, context)))
        messages: list[ChatMessage] = [ChatMessageUser(content=question)]
        if system:
            messages.insert(0, ChatMessageSystem(content=system))

        async def generate() -> str:
            """Ask in an event loop of its own: the learner has a thread of its own."""
            async with get_model(model, memoize=False, **model_args) as connected:
                answer: str = (await connected.generate(messages)).completion
            return answer

        return asyncio.run(generate())

    return ask


def add_to_system(messages: Sequence[ChatMessage], context: str) -> list[ChatMessage]:
    """Return the messages with a context behind the first system message, or as one where there is none."""
    from inspect_ai.model import ChatMessageSystem

    changed = list(messages)
    for place, message in enumerate(changed):
        if message.role == "system":
            content = f"{message.text}\n\n{context}"
            changed[place] = message.model_copy(update={"content": content})
            return changed
    return [ChatMessageSystem(content=context), *changed]


def finish_sample(sample: EvalSample, opened: OpenSample) -> None:
    """Record the turns of a sample that has ended, its answer, and its score as what became of it.

    What goes wrong on the way is a problem, and the rest is recorded.
    """
    guard, episode = opened.learner.guard, opened.episode
    with guard("read the turns", episode.id):
        _record_turns(sample.messages, episode)
    if sample.error is not None:
        episode.fail(sample.error.message)
        return
    scores = sample.scores or {}
    name = opened.scorer or next(iter(scores), "")
    score, words = None, ""
    if name in scores:
        value, words = scores[name].value, scores[name].explanation or ""
        with guard("read the score", episode.id):
            score = opened.read_score(value)
        if score is None:
            words = "\n".join(filter(None, (f"{name}: {value}", words)))
    targets = [sample.target] if isinstance(sample.target, str) else sample.target
    episode.finish(
        sample.output.completion,
        feedback=words or None,
        score=score,
        expected=ALTERNATIVE.join(targets) if opened.targets else "",
    )


def _record_turns(messages: Sequence[ChatMessage], episode: AgentEpisode) -> None:
    """Record what the model thought, said and called, but for its last words, which are the answer."""
    results: Mapping[str | None, ChatMessageTool] = {
        message.tool_call_id: message for message in messages if message.role == "tool"
    }
    spoken = [message for message in messages if message.role == "assistant"]
    for message in spoken:
        if not isinstance(message.content, str):
            for part in message.content:
                if part.type == "reasoning":
                    thought = part.summary or "" if part.redacted else part.reasoning
                    if thought.strip():
                        episode.say(thought, kind="thought")
        if message is not spoken[-1] and message.text.strip():
            episode.say(message.text)
        for call in message.tool_calls or ():
            result = results.get(call.id)
            failed = None if result is None else result.error is not None
            text = "" if result is None else (result.error.message if result.error else result.text)
            episode.tool(call.function, call.arguments, text, failed=failed)


@lru_cache(maxsize=1)
def _register_hook() -> None:
    """Let Inspect tell when a sample has been scored. Once: it keeps a hook for good."""
    from inspect_ai.hooks import Hooks, hooks

    @hooks(name="ace_outcomes", description="Takes scores back to the playbook of ACE.")
    class Outcomes(Hooks):
        """Finishes the episodes of samples that used the playbook; others are left alone."""

        async def on_sample_end(self, data: SampleEnd) -> None:
            """Record what became of a sample, in a thread: the file may be slow."""
            opened = _OPEN.pop(data.sample_id, None)
            if opened is not None:
                await asyncio.to_thread(finish_sample, data.sample, opened)
