"""One run of a framework's agent as an episode: what goes wrong with it is a problem of the learner.

Adapters report to an `AgentRun` and nothing else:

    run = AgentRun(learner, question, judge)
    answer = ask(instructions + run.context, question)
    run.tool("look_up", {"color": "red"}, result)  # as often as one is called
    run.say("I look it up first.")  # what stands beside calls; the last words are the answer
    run.finish(answer)  # or run.fail(error)

In `async` code each of these goes by `asyncio.to_thread`, but for `fail`: a task that is cancelled has no
time for a thread. `FixedContext` stands in for a learner where an agent is asked again to prove a lesson.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Self

from pydantic import ConfigDict, TypeAdapter

from ace.errors import InputError, describe_error
from ace.task.agent_episode import AgentEpisode, EpisodeLearner
from ace.task.attempt import to_plain_text

Judge = Callable[[str, Any], str | bool | float | Mapping[str, Any] | None]
"""Says what is known of an answer, of a question and the answer: a text, whether it is right, a score from 0
to 1, or any of the keywords `right`, `score`, `expected` and `text`. None says nothing."""

_VALUES = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="strings"))
NOT_FINISHED = "the run was left without an answer"
_MOST_OPEN = 1_000  # runs that wait for their end; beyond that the oldest is given up
_LOG = logging.getLogger("ace.learner")


@contextmanager
def importing(extra: str) -> Iterator[None]:
    """Import a framework in a block. Raises InputError where it is missing, or too old for an adapter."""
    try:
        yield
    except ImportError as error:
        hint = f"Install the extra `{extra}`: pip install -U 'ace-engine[{extra}]'."
        raise InputError(f"This adapter cannot import its framework: {error}.", hint=hint) from error


class AgentRun:
    """Reports one run to a learner. No method raises; each may take as long as a write to a file.

    `question` is what the agent was asked, `data` what else the episode should say of it, free of labels.
    `judge` is asked once, when the run finishes; None leaves the verdict to later feedback.
    A run that failed and goes on all the same, as with a retry around it, becomes another episode.
    """

    def __init__(
        self, learner: EpisodeLearner, question: str, judge: Judge | None = None, **data: Any
    ) -> None:
        self.question = question
        self._learner = learner
        self._judge = judge
        self._data = data
        self._lock = Lock()
        self._episode: AgentEpisode | None = None
        self._failed = False
        self._waiting: list[Callable[[AgentEpisode], None]] = []
        self._begin()

    @property
    def id(self) -> str:
        """Return the id by which feedback finds the newest episode; "" where none could be begun."""
        return self._episode.id if self._episode is not None else ""

    @property
    def context(self) -> str:
        """Return what the agent's prompt should hold, or ""."""
        with self._learner.guard("put together a context", self.id):
            episode = self._go_on()
            return episode.context if episode is not None else ""
        return ""

    def say(self, text: str, *, kind: str = "assistant") -> None:
        """Record what was said; nothing where the text is blank.

        `kind` is "assistant", "user" or "thought".
        """
        with self._learner.guard("record what was said", self.id):
            if text.strip():
                self._report(lambda episode: episode.say(text, kind=kind))

    def tool(
        self, name: str, arguments: Any = None, result: Any = None, *, failed: bool | None = None
    ) -> None:
        """Record a call of a tool, with what came back.

        `arguments` and `result` may be any values: they become such as JSON can hold. An exception as the
        result stands there with its type. `failed` None: nobody knows whether it is an error.
        """
        with self._learner.guard("record a call of a tool", self.id):
            if isinstance(result, BaseException):
                result = describe_error(result)
            values = (to_json_value(arguments), to_json_value(result))
            self._report(lambda episode: episode.tool(name, *values, failed=failed))

    def finish(self, answer: Any) -> None:
        """Record the answer, any value, with what the judge says of it.

        The judge is shown the answer as JSON holds it. What it raises leaves the answer without a verdict.
        """
        verdict: dict[str, Any] = {}
        with self._learner.guard("judge an answer", self.id):
            answer = to_json_value(answer)
            if self._judge is not None and self.id:
                verdict = read_verdict(self._judge(self.question, answer))
        with self._learner.guard("record the answer", self.id):
            episode = self._go_on()
            if episode is not None:
                episode.finish(answer, **verdict)

    def fail(self, error: BaseException | str) -> None:
        """Record that the run ended without an answer, and why. Only the first failure counts."""
        with self._learner.guard("record how the agent failed", self.id), self._lock:
            if not self._failed and self._episode is not None:
                self._episode.fail(error)
            self._failed = True

    @contextmanager
    def keeping_errors(
        self, tool: str = "", arguments: Any = None, *, but: tuple[type[BaseException], ...] = ()
    ) -> Iterator[None]:
        """Record what the block raises as the end of the run, and let it pass; nothing for errors of `but`.

        `tool` and its `arguments` are the call that the block makes, if it makes one. Not in a thread, in
        `async` code either: a task that is cancelled has no time for one.
        """
        try:
            yield
        except but:
            raise
        except BaseException as error:
            if tool:
                self.tool(tool, arguments, error, failed=True)
            self.fail(error)
            raise

    def _begin(self) -> None:
        """Begin an episode of the question."""
        with self._learner.guard("begin an episode", ""):
            self._episode = self._learner.episode(self.question, **self._data)

    def _report(self, report: Callable[[AgentEpisode], None]) -> None:
        """Report a turn. After a failure it waits: what belongs to it may only have been slower."""
        with self._lock:
            if self._failed:
                self._waiting.append(report)
                return
            episode = self._episode
        if episode is not None:
            report(episode)

    def _go_on(self) -> AgentEpisode | None:
        """Return the episode that goes on: a new one where the last has failed."""
        with self._lock:
            if self._failed:
                self._failed = False
                self._begin()
                while self._waiting and self._episode is not None:
                    self._waiting.pop(0)(self._episode)
            return self._episode


def to_json_value(value: Any) -> Any:
    """Return a value as one that JSON can hold; what pydantic does not know stands there as `str` has it.

    Never raises: a value that cannot be written is one text. An iterator is not read, for it is the agent's.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, Iterator):
        with suppress(Exception):
            return _VALUES.dump_python(value, mode="json", fallback=str)
    return to_plain_text(value)


def read_verdict(verdict: Any) -> dict[str, Any]:
    """Return what a judge said as keywords of `AgentEpisode.finish`. Raises TypeError for other keywords."""
    if not isinstance(verdict, Mapping):
        return {"feedback": verdict}
    unknown = set(verdict) - {"right", "score", "expected", "text"}
    if unknown:
        raise TypeError(f"Expected right, score, expected or text, found {sorted(unknown)}.")
    keywords = dict(verdict)
    keywords["feedback"] = keywords.pop("text", None)
    return keywords


class OpenRuns:
    """Keep the runs of one adapter that have not ended, each by a name of the framework's. Thread-safe."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, AgentRun] = OrderedDict()
        self._lock = Lock()

    def add(self, name: str, run: AgentRun) -> None:
        """Keep a run. The oldest of too many is recorded as failed: nobody told of its end."""
        oldest = None
        with self._lock:
            self._runs[name] = run
            if len(self._runs) > _MOST_OPEN:
                _, oldest = self._runs.popitem(last=False)
        if oldest is not None:
            oldest.fail(NOT_FINISHED)

    def find(self, name: str) -> AgentRun | None:
        """Return the run of a name, None where it is not known."""
        with self._lock:
            return self._runs.get(name)

    def remove(self, name: str) -> None:
        """Let a run go that has ended."""
        with self._lock:
            self._runs.pop(name, None)


class FixedContext:
    """Gives every run the same context and records nothing: an `EpisodeLearner` to prove lessons with.

    It is the `AgentEpisode` of all of them, too.
    `agent=lambda question, context: ask(build_agent(FixedContext(context)), question)` asks an agent again.
    """

    id = ""
    bullets: tuple[str, ...] = ()

    def __init__(self, context: str = "") -> None:
        """Take what each run is shown, as it would stand in the agent's prompt."""
        self.context = context

    def begin(self, question: str = "", **data: Any) -> Self:
        """Return itself: the episode of any question."""
        return self

    episode = begin

    def feedback(self, episode: str, **outcome: Any) -> bool:
        """Record nothing."""
        return False

    @contextmanager
    def guard(self, doing: str, episode: str) -> Iterator[None]:
        """Run a block; log what it raises, for there is nobody else to tell."""
        try:
            yield
        except Exception as error:  # as with any learner, it must not reach the agent
            _LOG.warning("could not %s: %s", doing, describe_error(error))

    def ignore(self, *report: Any, **details: Any) -> None:
        """Record nothing."""

    tool = say = finish = fail = ignore
