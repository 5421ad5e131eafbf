"""Serving: answer now, learn when feedback comes, in a thread behind. Answers never wait for learning.

    with serve(task, store, team) as agent:
        answer = agent.answer("How many orders were cancelled?")
        agent.feedback(answer.episode, right=False, expected="SELECT ...")

An answer is in the file when it is given, and feedback when `feedback` returns: whatever happens later,
a later serving of the same task learns from what is left. A store belongs to one thread, so the learner
opens its own (see `ace.loop.background_learner`).
"""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ace.errors import InputError
from ace.llm import Team
from ace.loop.answer_stream import PHASE
from ace.loop.background_learner import UNJUDGED, Ended, Item, Told, learn_behind
from ace.loop.contexts import contexts_of, solver_of
from ace.loop.lab import Bench
from ace.loop.options import Progress, Settings, silent
from ace.playbook.model import Playbook
from ace.runs.drift import watch
from ace.runs.report import Report
from ace.store import Said, Store
from ace.task.types import FeedbackKind, Sample, Task

_LOOKS = 0.1  # seconds between looks at whether the learner is still there


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, and the id by which feedback finds it. `error`: why there is no text."""

    text: str
    episode: str
    error: str = ""


class Agent:
    """Answers with the newest playbook, in the thread that opened its store. Make it with `serve`."""

    def __init__(self, task: Task, store: Store, team: Team, options: Settings, progress: Progress) -> None:
        self.task, self.store, self._options = task, store, options
        self._context = contexts_of(task, store, team, options)
        self._solver = solver_of(task, team, self._context)
        self._meter, self._stop, self._count = team.meter, Event(), 0
        self._waiting: queue.Queue[Item] = queue.Queue(options.waiting)
        self._learned: Future[Report] = Future()
        started: Future[int] = Future()
        work = (task, store.path, store.branch_name, team, options, progress)
        self._thread = Thread(
            target=learn_behind,
            args=(*work, self._waiting, self._stop, started, self._learned),
            name="learner",
            daemon=True,  # a call to a model that hangs must not keep the process
        )
        self._thread.start()
        self.run = started.result()

    def answer(self, question: str | Sample) -> Answer:
        """Answer with the playbook as it is now. In the file before it is returned."""
        sample = question if isinstance(question, Sample) else self._sample(question)
        playbook, bench = self._bench(sample)
        with self._meter.about(sample.id):
            attempt, context = bench.attempt(sample, playbook)
        shown = self.task.environment.feedback(sample, attempt, FeedbackKind.EXECUTION)
        trial = bench.record(sample, attempt, shown, UNJUDGED, context=context.shown)
        self._keep(bench)
        return Answer(attempt.answer, trial.episode, attempt.error)

    def feedback(
        self, episode: str, *, right: bool, expected: str = "", text: str = "", author: str = "program"
    ) -> None:
        """What became of an answer: sooner, later, or never. In the file when this returns.

        It waits while the learner is `waiting` answers behind. `expected` is the right answer, `text`
        anything else worth knowing. UnknownVersion for an episode that is not in the file.
        """
        self.store.add_feedback(Said(episode, right, expected, text, author))
        self._put(Told())

    def examine(self, sample: Sample) -> None:
        """Answer a sample whose right answer the task knows: scored at once, learned from behind."""
        playbook, bench = self._bench(sample)
        with self._meter.about(sample.id):
            trial = bench.solve(sample, playbook)
        self._keep(bench)
        self._put((trial, bench.episodes[0]))

    def close(self, stopped: str = "") -> Report:
        """Learn from what waits, then end the run: its report. Raises what ended the learner early."""
        self._put(Ended(stopped))
        return self._learned.result()

    @property
    def behind(self) -> int:
        """How much is left to learn from, what is being learned from included."""
        return 0 if self.ended else self._waiting.unfinished_tasks

    @property
    def ended(self) -> bool:
        """The learner has stopped: an error or a cap. Answers and feedback are still kept."""
        return self._learned.done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._stop.set()  # what waits is in the file
        self._thread.join(timeout=5.0)

    def _sample(self, question: str) -> Sample:
        known = next((sample for sample in self.task.train if sample.question == question), None)
        data = known.data if known else {}
        return Sample(f"asked-{self.run}-{self._count + 1}", question, data)

    def _bench(self, sample: Sample) -> tuple[Playbook, Bench]:
        """What it is answered with, and where it is recorded. Each answer has a purpose of its own."""
        self._count += 1
        purpose = f"{sample.id} in run {self.run}, answer {self._count}"
        version, options = self.store.head().number, self._options
        where = (version, PHASE, purpose, self._stop)
        bench = Bench(self.task, self._solver, self._context, options.feedback, options.seed, *where)
        return self.store.checkout(version), bench

    def _keep(self, bench: Bench) -> None:
        made = self.store.commit(
            (), author="generator", reason="served", run=self.run, episodes=bench.episodes
        )
        self._context.keep(made.playbook)  # what was computed of a question is not kept for ever

    def _put(self, item: Item) -> None:
        """Wait for room, as long as somebody makes room."""
        while not self._learned.done():
            try:
                self._waiting.put(item, timeout=_LOOKS)
            except queue.Full:
                continue
            return


def serve(
    task: Task, store: Store, team: Team, options: Settings | None = None, *, progress: Progress = silent
) -> Agent:
    """Begin to serve. Use what it returns as a context manager; leaving it learns from what waits.

    Raises InputError where what people say could not be learned from.
    """
    options = options or Settings()
    if options.feedback is not FeedbackKind.LABELS:
        raise InputError(
            "What is said of an answer is a label, so serving learns with labels.",
            hint="Leave out --feedback.",
        )
    watch(options.drift)
    return Agent(task, store, team, replace(options, behind=False), progress)
