"""Learning from an agent that somebody else's program runs: context before its work, feedback after it.

    with AgentLearner(place) as learner:
        with learner.episode("How many parcels were refused?") as episode:
            answer = agent(question, episode.context)
            episode.finish(answer, right=True)

Whatever is reported is in the file when the call returns. Learning goes on behind, in a thread of its own.
What goes wrong here is a problem to look at (`problems`) and never reaches the agent. Implements
`ace.task.agent_episode.EpisodeLearner`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import Lock, RLock
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from ace.context import render_playbook
from ace.errors import AgentFailed, InputError, TaskError
from ace.llm.role_models import RoleModels
from ace.llm.scripted import ScriptedClient
from ace.loop.contexts import build_contexts
from ace.loop.learner_problems import LearnerProblem, ProblemList
from ace.loop.learning_thread import LearningPlace, LearningThread
from ace.loop.own_episode import EpisodeContext, OwnEpisode, run_in_thread
from ace.playbook.model import Playbook
from ace.runs.answer_feedback import read_feedback
from ace.runs.drift import make_drift_detector
from ace.runs.records import AnswerFeedback, EpisodeEnd, EpisodeEvent
from ace.runs.report import Report
from ace.store import EpisodeJournal, Store
from ace.task.attempt import to_plain_text
from ace.task.environments.answer import AnswerEnvironment
from ace.task.samples import NAME, find_twin
from ace.task.solving import AgentFunction, OwnAgent, hash_text
from ace.task.traces.trace import UnjudgedEnvironment
from ace.task.types import Sample, Task


class AgentLearner:
    """Gives an agent its context, takes down its episodes, and learns from what became of them."""

    def __init__(self, place: LearningPlace, *, learns: bool = True, raises: bool = False) -> None:
        """Begin. Raises InputError for what cannot work, and errors of opening the file.

        With `raises` what goes wrong in a call is raised by it, for a program that tells its caller so.
        """
        if learns:
            make_drift_detector(place.settings.drift)
        self.task = place.task
        """What it learns."""
        self.learns = learns
        """Whether it learns here at all: without a model it records only."""
        self._place = place
        self._problems = ProblemList()
        self.guard: Callable[[str, str], AbstractContextManager[None]] = self._problems.guard
        """Runs a block; what the block raises becomes a problem."""
        if raises:
            self.guard = lambda doing, episode: nullcontext()
        self._raises = raises
        self._lock = RLock()
        self._store = Store.open(place.path, branch=place.branch, shared=True)
        config = {"branch": place.branch, "learns": learns}
        self._journal = EpisodeJournal(place.path, place.task.name, config, waits=not raises)
        self._playbook, self._version = Playbook(), 0
        self._counts_lock = Lock()
        self._episodes = self._judged = 0
        self._closed = False
        try:
            # No model is connected for it: an agent that is not ours words its own prompts.
            stand_in = OwnAgent(function=refuse_attempt, name=place.task.name)
            nobody = RoleModels.of(ScriptedClient(refuse_attempt))
            task = replace(place.task, solver=stand_in)
            self._contexts = build_contexts(task, self._store, nobody, place.settings)
            self._thread = LearningThread(place, self._problems) if learns else None
        except BaseException:
            self._store.close()
            raise

    @property
    def problems(self) -> tuple[LearnerProblem, ...]:
        """Return what went wrong so far, oldest first; the newest hundred."""
        return self._problems.list_all()

    def episode(self, question: str, *, user: str = "", **data: Any) -> OwnEpisode:
        """Return the episode of a question, which begins with its block or at its first use.

        `user` and `data` say for whom and with what the agent works: sources see the fields that the task
        names (`user`, `session` and `tenant`). No label may be among them.
        """
        return OwnEpisode(self, self.make_sample(question, {"user": user, **data} if user else data))

    def make_sample(self, question: str, fields: dict[str, Any]) -> Sample:
        """Return the sample that a question is: the training sample that asks the same, or one of its own."""
        text, name = "", f"asked-{uuid4().hex[:12]}"
        with self.guard("read the question", ""):
            text = to_plain_text(question)
            identity = json.dumps([text, fields], sort_keys=True, default=str)
            name = f"asked-{hash_text(identity)}"
        twin = find_twin(self.task, text)
        return Sample(twin.id if twin else name, text, fields)

    def feedback(
        self,
        episode: str,
        *,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
        text: str = "",
        author: str = "program",
    ) -> bool:
        """Record what became of an answer, by the id of its episode. Return whether it is in the file.

        `score` is from 0 to 1, where 1 is right; `expected` is the right answer, `text` anything else worth
        knowing, `author` whose word it is. What cannot be used is a problem.
        """
        with self.guard("take feedback", episode):
            row = read_feedback(
                episode, right=right, score=score, expected=expected, text=text, author=author
            )
            if row is None:
                raise InputError("It says nothing.", hint="Give right, score, expected or text.")
            self.write(row)
            return True
        return False

    afeedback = run_in_thread(feedback)
    """Record feedback in `async` code, without blocking its loop."""

    def close(self, *, at_once: bool = False) -> Report | None:
        """Learn from what waits, then end; return the report of the last run that learned, if any did.

        With `at_once` what waits stays in the file, for the next learner. The notes of the report hold the
        problems, and so does the run of the episodes. Closing twice is fine; episodes that still go on are
        recorded all the same.
        """
        if self._thread is not None:
            self._thread.close(at_once=at_once)
        return self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=kind is not None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # What an episode needs

    def compose(self, sample: Sample, budget: int | None = None) -> EpisodeContext:
        """Return the context for a sample, or the best that is at hand: the last playbook, or nothing.

        `budget` is the most tokens that it may take; None leaves it to the settings, in which the question
        and the instructions count, too.
        """
        with self._lock:
            with self.guard("read the playbook", ""):
                if not self._closed:
                    version = self._store.head().number
                    self._playbook, self._version = self._store.checkout(version), version
            playbook, version = self._playbook, self._version
        twin = find_twin(self.task, sample.question)
        known = replace(sample, data={**(twin.data if twin else {}), **sample.data})
        with self.guard("put together a context", ""):
            assembled = self._contexts.within(budget, known).assemble_for(known, playbook)
            specific = [item.label for item in assembled.items if item.source == "playbook"]
            bullets = [name for name in (*assembled.bullets, *specific) if name in playbook.bullets]
            with self.guard("keep vectors", ""):
                self._contexts.keep_vectors(playbook)
            return EpisodeContext(assembled.shown, tuple(dict.fromkeys(bullets)), version)
        with self.guard("put together a context without sources", ""):
            tokens = self._place.settings.budget if budget is None else budget
            rendered = render_playbook(playbook, tokens, self._contexts.limit.count)
            return EpisodeContext(rendered.text, rendered.bullets, version)
        return EpisodeContext(version=version)

    def record(self, *rows: EpisodeEvent | EpisodeEnd) -> None:
        """Write rows to the file, for the run of the learner. What cannot be written waits in memory."""
        for row in rows:
            name = row.episode if isinstance(row, EpisodeEvent) else row.episode.id
            with self.guard("write to the file", name):
                self.write(row)

    def write(self, *rows: EpisodeEvent | EpisodeEnd | AnswerFeedback) -> None:
        """Write rows to the file in one transaction, and tell the thread of what is to be learned from.

        Raises errors of writing.
        """
        is_kept = not self._raises  # in memory, where the file takes nothing
        try:
            self._journal.write(*rows)
            is_kept = True
        finally:
            feedback = [row.feedback if isinstance(row, EpisodeEnd) else row for row in rows]
            judged = sum(isinstance(row, AnswerFeedback) for row in feedback)
            if is_kept:
                with self._counts_lock:
                    self._episodes += sum(isinstance(row, EpisodeEnd) for row in rows)
                    self._judged += judged
        if judged and self._thread is not None:
            self._thread.hint()

    def _end(self) -> Report | None:
        """Close the file, with a report on the episodes in it; return that of the last run that learned."""
        with self._lock:
            if not self._closed:
                self._closed = True
                with self.guard("write what waited", ""):
                    self._journal.close()
                with self.guard("end the run", ""):
                    self._finish_run(self._journal.run)
                with self.guard("close the file", ""):
                    self._store.close()
        reports = self._thread.reports if self._thread is not None else []
        if not reports:
            return None
        return replace(reports[-1], notes=(*reports[-1].notes, *self._place.notes, *self._problems.notes()))

    def _finish_run(self, run: int | None) -> None:
        """Write the report of the episodes: how many are without feedback, and what went wrong."""
        if run is None:
            return
        report = Report(
            kind="agent",
            task=self.task.name,
            model=f"agent/{self.task.name}",
            playbook=str(self._place.path),
            bullets=len(self._playbook.active),
            run=run,
            selected=self._version,
            unjudged=max(self._episodes - self._judged, 0),
            notes=(*self._place.notes, *self._problems.notes()),
        )
        self._store.finish_run(run, "done", report.to_json())


def refuse_attempt(*request: object) -> str:
    """Stand in for an agent that was not given: raise AgentFailed."""
    raise AgentFailed("Only its own program can ask this agent.", hint="Give agent= to the learner.")


def choose_agent_task(task: Task | None, name: str, instructions: str, agent: AgentFunction | None) -> Task:
    """Return the task that an agent's episodes belong to.

    Without a `task` it has no samples. Then further answers can be scored only where the `agent` can be asked
    again: they are right where they are the right answer of the feedback to the letter. Raises TaskError for
    a name that a task cannot have, and for an agent that is no function.
    """
    if agent is not None and not callable(agent):
        raise TaskError(f"Expected a function, found {agent!r:.60}.", field="agent")
    if task is None:
        if not NAME.fullmatch(name):
            raise TaskError(f"Expected letters, digits, '_', '-' and '.', found {name!r:.60}.", field="name")
        environment = UnjudgedEnvironment() if agent is None else AnswerEnvironment("exact")
        task = Task(name, instructions, environment, solver=OwnAgent(function=refuse_attempt, name=name))
    return task if agent is None else replace(task, solver=OwnAgent.of(agent))
