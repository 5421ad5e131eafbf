"""One episode of an agent that somebody else's program runs: what it reports is recorded, and nothing raised.

Implements `ace.task.agent_episode.AgentEpisode`.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar
from uuid import uuid4

from ace.errors import InputError, describe_error
from ace.loop.answer_stream import ONLINE
from ace.loop.background_learner import UNJUDGED
from ace.runs.answer_feedback import read_feedback
from ace.runs.records import AnswerFeedback, EpisodeEnd, EpisodeEvent
from ace.task.attempt import Turn, TurnKind, read_turns, to_plain_text
from ace.task.trajectory import LONGEST_TEXT, shorten_middle
from ace.task.types import Attempt, Episode, Failure, FeedbackKind, Outcome, Sample

if TYPE_CHECKING:
    from ace.store import Store

P = ParamSpec("P")
R = TypeVar("R")

NOT_FINISHED = "the episode was left without an answer"


@dataclass(frozen=True, slots=True)
class EpisodeContext:
    """Hold what an agent is shown."""

    text: str = ""
    """The lessons, and what was found in sources; "" where there is nothing."""

    bullets: tuple[str, ...] = ()
    """The ids of the bullets in the text."""

    version: int = 0
    """The version of the playbook."""


class EpisodeKeeper(Protocol):
    """Give an episode its context, and keep what it reports."""

    guard: Callable[[str, str], AbstractContextManager[None]]
    """Runs a block; what the block raises becomes a problem."""

    def compose(self, sample: Sample, budget: int | None = None) -> EpisodeContext:
        """Return the context for a sample, of at most `budget` tokens."""
        ...

    def record(self, *rows: EpisodeEvent | EpisodeEnd) -> None:
        """Keep rows, in their order."""
        ...


def run_in_thread(method: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the method's twin for `async` code, which runs it in a thread and takes the same arguments."""

    @wraps(method)
    async def twin(*args: P.args, **keywords: P.kwargs) -> R:
        return await asyncio.to_thread(method, *args, **keywords)

    return twin


class OwnEpisode:
    """Take down one episode. `AgentLearner.episode` makes it."""

    def __init__(self, learner: EpisodeKeeper, sample: Sample) -> None:
        self.id = f"ep-{uuid4().hex[:12]}"
        self.sample = sample
        self._learner = learner
        self._lock = RLock()
        self._context = EpisodeContext()
        self._has_begun = False
        self._turns: list[Turn] = []
        self._ended = False

    @property
    def context(self) -> str:
        """Return what the agent's prompt should hold: playbook and retrieved items, or ""."""
        return self.begin()._context.text

    @property
    def bullets(self) -> tuple[str, ...]:
        """Return the ids of the bullets in the context."""
        return self.begin()._context.bullets

    @property
    def version(self) -> int:
        """Return the version of the playbook that the context is made from."""
        return self.begin()._context.version

    def begin(self, budget: int | None = None) -> Self:
        """Look up the context and record that the episode has begun. A second call does nothing.

        `budget` is the most tokens that the context may take; None leaves it to the settings.
        """
        with self._lock:
            if not self._has_begun:
                self._has_begun = True  # whatever happens, it is looked up once
                with self._learner.guard("begin an episode", self.id):
                    self._context = self._learner.compose(self.sample, budget)
                    beginning = write_beginning(self.sample, self._context)
                    self._learner.record(EpisodeEvent(self.id, 0, beginning))
        return self

    def tool(
        self, name: str, arguments: Any = None, result: Any = None, *, failed: bool | None = None
    ) -> None:
        """Record a call of a tool, with what came back. `failed` says whether that is an error.

        A result of more than 100,000 characters loses its middle, and says how much.
        """
        with self._learner.guard("record a call of a tool", self.id):
            turn = Turn(
                kind=TurnKind.TOOL,
                tool=to_plain_text(name),
                arguments=to_plain_text(arguments),
                observation=shorten_middle(to_plain_text(result), LONGEST_TEXT),
                failed=None if failed is None else bool(failed),
            )
            self._add(turn)

    def say(self, text: str, *, kind: str = TurnKind.AGENT) -> None:
        """Record what was said. `kind` is "assistant", "user" or "thought"."""
        with self._learner.guard("record what was said", self.id):
            if kind not in frozenset(TurnKind) or kind == TurnKind.TOOL:
                raise InputError(f"{kind!r:.40} says nothing.", hint="Give assistant, user or thought.")
            self._add(Turn(kind=TurnKind(kind), text=to_plain_text(text)))

    def finish(
        self,
        answer: Any,
        *,
        feedback: str | bool | float | None = None,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
    ) -> None:
        """Record the answer, and what is known of it by now; feedback by the id may follow.

        `feedback` is a text, a bool, or a score from 0 to 1, where 1 is right; `expected` the right answer.
        """
        judged: AnswerFeedback | None = None
        with self._learner.guard("read the feedback", self.id):
            judged = read_feedback(self.id, feedback, right=right, score=score, expected=expected)
        with self._learner.guard("record the answer", self.id):
            attempt = read_answer(self.sample.id, answer)
            self._end(attempt, judged, self.version)

    def fail(self, error: BaseException | str) -> None:
        """Record that the agent ended without an answer, and why. An answer that it gave before stands."""
        with self._learner.guard("record how the agent failed", self.id), self._lock:
            if not self._ended:
                text = error if isinstance(error, str) else describe_error(error)
                attempt = Attempt(self.sample.id, "", error=text, failure=Failure.AGENT)
                self._end(attempt, None, self.version)

    # For `async` code: the same, without blocking its loop.
    abegin = run_in_thread(begin)
    atool = run_in_thread(tool)
    asay = run_in_thread(say)
    afinish = run_in_thread(finish)
    afail = run_in_thread(fail)

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.fail(error or NOT_FINISHED)

    async def __aenter__(self) -> Self:
        try:
            return await self.abegin()
        except asyncio.CancelledError as error:  # the block is never entered, so it is not left either
            self.fail(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.fail(
            error or NOT_FINISHED
        )  # not in a thread: a task that is cancelled gets no time to wait for one

    def _add(self, turn: Turn) -> None:
        """Record a turn. Raises InputError once the episode has ended."""
        with self._lock:
            self.begin()
            if self._ended:
                raise InputError("The episode has ended.", hint="Begin another one for what follows.")
            self._turns.append(turn)
            self._learner.record(EpisodeEvent(self.id, len(self._turns), turn.to_json()))

    def _end(self, attempt: Attempt, feedback: AnswerFeedback | None, version: int) -> None:
        """Record the end. Raises InputError where the episode has ended already."""
        with self._lock:
            if self._ended:
                raise InputError("The episode has ended already.", hint="Give what is new as feedback.")
            self._ended = True
            episode = build_episode(self.id, self.sample, attempt, tuple(self._turns), version)
            self._learner.record(EpisodeEnd(episode, feedback=feedback))


def read_answer(sample: str, answer: Any) -> Attempt:
    """Return the attempt that an answer to a sample, named by its id, stands for; an empty one failed."""
    text = to_plain_text(answer)
    failure = None if text.strip() else Failure.EMPTY
    error = "the agent answered nothing" if failure else ""
    return Attempt(sample, text, error=error, failure=failure)


def build_episode(
    name: str, sample: Sample, attempt: Attempt, turns: tuple[Turn, ...], version: int
) -> Episode:
    """Return the record of an episode that nobody has judged yet. Its text is the transcript."""
    lines: list[str] = []
    for turn in turns:
        if turn.kind is not TurnKind.THOUGHT:
            lines += turn.lines()
    attempt = Attempt(
        sample.id,
        attempt.answer,
        "\n".join(lines) or attempt.answer,
        attempt.error,
        attempt.failure,
        attempt.reasoning,
        turns=turns,
    )
    feedback = Outcome(observed=attempt.summary).shown(FeedbackKind.EXECUTION)
    return Episode(name, sample.id, sample.question, attempt, feedback, UNJUDGED, version, str(ONLINE))


def write_beginning(sample: Sample, context: EpisodeContext) -> dict[str, Any]:
    """Return the JSON that is kept of how an episode began, and in which process."""
    data = {name: to_plain_text(value) for name, value in sample.data.items()}
    return {
        "sample": sample.id,
        "question": sample.question,
        "data": data,
        "bullets": list(context.bullets),
        "version": context.version,
        "host": platform.node(),
        "process": os.getpid(),
    }


def read_unfinished(
    name: str, events: list[EpisodeEvent], error: str = "", attempt: Attempt | None = None
) -> Episode:
    """Return the record of an episode that was never finished, from its events.

    It ends with `attempt`, or without one for the reason in `error`.
    """
    beginning: Mapping[str, Any] = events[0].event if events[0].number == 0 else {}
    sample = Sample(str(beginning.get("sample", name)), str(beginning.get("question", "")))
    turns = read_turns(event.event for event in events if event.number)
    if attempt is None:
        attempt = Attempt(sample.id, "", error=error, failure=Failure.AGENT)
    return build_episode(name, sample, attempt, turns, int(beginning.get("version", 0)))


def end_by_report(store: Store, feedback: AnswerFeedback, answer: str = "") -> bool:
    """Store what became of an answer, with the answer itself where its episode goes on: so it ends.

    Any process may do so, whichever began the episode. Return whether the answer is stored: an episode ends
    once. Raises UnknownVersion for an episode that is not in the file, and errors of writing to it.
    """
    name = feedback.episode
    events = store.open_episodes(name).get(name)
    if events:
        episode = read_unfinished(name, events, attempt=read_answer(name, answer))
        if store.end_episode(EpisodeEnd(episode, events[0].run, feedback)):
            return True
    store.add_feedback(feedback)
    return False
