"""Serving: answer now, learn when feedback comes, in a thread behind. Answers never wait for learning.

    with serve(task, store, models) as server:
        answer = server.answer("How many parcels were refused?")
        server.feedback(answer.episode, right=False, expected="12")

An answer is in the file when it is given, and feedback when `feedback` returns: whatever happens later, a
later serving of the same task learns from what is left. A store belongs to one thread, so the learner opens
its own (see `ace.loop.background_learner`).
"""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Thread
from types import TracebackType
from typing import Self

from ace.errors import InputError
from ace.llm.meter import mark_calls
from ace.llm.role_models import RoleModels
from ace.loop.answer_stream import ONLINE
from ace.loop.background_learner import (
    UNJUDGED,
    Ended,
    FeedbackCame,
    Inbox,
    Item,
    Judged,
    learn_behind,
)
from ace.loop.contexts import build_contexts
from ace.loop.lab import SampleBench, Workplace
from ace.loop.progress import Progress, silent
from ace.loop.run import RunParts
from ace.playbook.model import Playbook
from ace.runs.answer_feedback import read_feedback
from ace.runs.drift import make_drift_detector
from ace.runs.report import Report
from ace.settings import FeedbackKind, Settings
from ace.store import Store
from ace.task.guarded_scoring import observe_attempt
from ace.task.samples import find_twin
from ace.task.types import Failure, Outcome, Sample, Task

_LOOKS = 0.1  # seconds between looks at whether the learner is still there


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """Holds an answer."""

    text: str
    """Empty where there is none: `error` then says why."""

    episode: str
    """The id by which feedback finds it."""

    error: str = ""
    """Why there is no text; "" where there is one."""


class OnlineServer:
    """Answers with the newest playbook, in the thread that opened its store. Make it with `serve`."""

    def __init__(self, parts: RunParts) -> None:
        """Begin, and return once the learner has begun its run. Raises what kept it from doing so."""
        self.task = parts.task
        """What it serves."""
        self.store = parts.store
        """The file that answers and feedback go to."""
        self._parts = parts
        self._contexts = build_contexts(parts.task, parts.store, parts.models, parts.settings)
        self._place = Workplace(
            parts.task,
            self._contexts.solver,
            self._contexts.assemble_for,
            parts.settings,
            parts.stop,
        )
        self._answers = 0
        self._inbox = Inbox(
            waiting=queue.Queue[Item](parts.settings.waiting), started=Future(), learned=Future()
        )
        self._thread = Thread(
            target=learn_behind,
            args=(parts, parts.store.path, parts.store.branch_name, self._inbox),
            name="learner",
            daemon=True,  # a call to a model that hangs must not keep the process
        )
        self._thread.start()
        self.run: int = self._inbox.started.result()
        """The number of its run."""

    def answer(self, question: str | Sample) -> ServedAnswer:
        """Answer with the playbook as it is now. The answer is in the file before it is returned.

        A question that a training sample asks, too, is answered with that sample's data. An attempt that
        fails is an answer with an `error`. Raises CapReached when a cap forbids the call.
        """
        if isinstance(question, Sample):
            sample = question
        else:
            twin = find_twin(self.task, question)
            name = f"asked-{self.run}-{self._answers + 1}"
            sample = Sample(name, question, twin.data if twin else {})
        playbook, bench = self._open_bench(sample)
        with mark_calls(sample.id):
            attempt, context = bench.attempt(sample, playbook)
        outcome = Outcome(observed=attempt.summary)
        if attempt.failure is not Failure.CONTEXT:
            outcome = observe_attempt(self.task.environment, sample, attempt)
        feedback = outcome.shown(FeedbackKind.EXECUTION)
        trial = bench.record_shown(sample, attempt, feedback, UNJUDGED, context=context.shown)
        self._keep(bench)
        return ServedAnswer(attempt.answer, trial.episode, attempt.error)

    def feedback(
        self,
        episode: str,
        *,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
        text: str = "",
        author: str = "program",
    ) -> None:
        """Record what became of an answer: sooner, later, or never. It is in the file when this returns.

        It waits while the learner is `waiting` answers behind. `score` is from 0 to 1, where 1 is right;
        `expected` is the right answer, `text` anything else worth knowing, `author` whose word it is. Raises
        InputError where none of them says anything, or one cannot be used; UnknownVersion for an episode that
        is not in the file.
        """
        row = read_feedback(episode, right=right, score=score, expected=expected, text=text, author=author)
        if row is None:
            raise InputError("It says nothing.", hint="Give right, score, expected or text.")
        self.store.add_feedback(row)
        self._put(FeedbackCame())

    def examine(self, sample: Sample) -> None:
        """Answer a sample whose right answer the task knows: scored at once, learned from behind.

        It waits while the learner is `waiting` answers behind. Raises CapReached when a cap forbids the call.
        """
        playbook, bench = self._open_bench(sample)
        with mark_calls(sample.id):
            trial = bench.solve(sample, playbook)
        self._keep(bench)
        self._put(Judged(trial, bench.episodes[0], bench.judge_error))

    def close(self, stopped: str = "") -> Report:
        """Learn from what waits, then end the run and return its report.

        `stopped` says why the answers ended early, for the report. Raises what ended the learner early.
        Closing twice is fine.
        """
        self._put(Ended(stopped))
        return self._inbox.learned.result()

    @property
    def behind(self) -> int:
        """Return how much is left to learn from, what is being learned from included; 0 once it has ended."""
        return 0 if self.ended else self._inbox.waiting.unfinished_tasks

    @property
    def ended(self) -> bool:
        """Tell whether the learner has stopped: an error or a cap. Answers and feedback are still kept."""
        return self._inbox.learned.done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._parts.stop.set()  # what waits is in the file
        self._thread.join(timeout=2.0)

    def _open_bench(self, sample: Sample) -> tuple[Playbook, SampleBench]:
        """Return what it is answered with, and where it is recorded. Each answer has a purpose of its own."""
        self._answers += 1
        purpose = f"{sample.id} in run {self.run}, answer {self._answers}"
        version = self.store.head().number
        return self.store.checkout(version), SampleBench(self._place, version, ONLINE, purpose)

    def _keep(self, bench: SampleBench) -> None:
        """Write the attempts of a bench to the file. The playbook stays as it is."""
        commit = self.store.commit(
            (), author="generator", reason="served", run=self.run, episodes=bench.episodes
        )
        self._contexts.keep_vectors(commit.playbook)  # what was computed of a question is not kept for ever

    def _put(self, item: Item) -> None:
        """Hand an item to the learner. Wait for room, as long as somebody makes room."""
        while not self._inbox.learned.done():
            try:
                self._inbox.waiting.put(item, timeout=_LOOKS)
            except queue.Full:
                continue
            return


def serve(
    task: Task,
    store: Store,
    models: RoleModels,
    settings: Settings | None = None,
    *,
    progress: Progress = silent,
) -> OnlineServer:
    """Begin to serve. Use the server as a context manager; leaving it learns from what waits.

    Leaving it after an error does not: what waits stays in the file, for the next serving of the task. Raises
    InputError where feedback could not be learned from, because the settings show no labels or a package is
    missing.
    """
    settings = settings or Settings()
    if settings.feedback is not FeedbackKind.LABELS:
        raise InputError(
            "Feedback on an answer is a label, so serving learns with labels.", hint="Leave out --feedback."
        )
    make_drift_detector(settings.drift)
    settings = replace(settings, behind=False)
    return OnlineServer(RunParts(task=task, store=store, models=models, settings=settings, progress=progress))
