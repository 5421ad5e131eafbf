"""Serving: answer now, learn when feedback comes, in a thread behind. Answers never wait for learning.

    with serve(task, store, models) as server:
        answer = server.answer("How many parcels were refused?")
        server.feedback(answer.episode, right=False, expected="12")

An answer is in the store when it is given, and feedback when `feedback` returns: whatever happens later, a
later serving of the same task learns from what is left. Of several servers of a task on one playbook, one
learns, and the others stand by (`ace.loop.election`). A store belongs to one thread, so the learner opens its
own (see `ace.loop.background_learner`).
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Thread
from types import TracebackType
from typing import Self

from ace.errors import InputError, LeadLost, StoreError, StoreUnreachable
from ace.llm.meter import mark_calls
from ace.llm.role_models import RoleModels
from ace.loop.answer_stream import ONLINE
from ace.loop.background_learner import UNJUDGED, Ended, FeedbackCame, Item, Judged, learn_behind
from ace.loop.comeback import Comeback
from ace.loop.contexts import build_contexts
from ace.loop.election import Seat, lead_in_turn
from ace.loop.lab import SampleBench, Workplace
from ace.loop.learner_problems import LearnerProblem, ProblemList
from ace.loop.progress import Progress, silent
from ace.loop.run import RunParts
from ace.playbook.model import Playbook
from ace.runs.answer_feedback import read_feedback
from ace.runs.drift import make_drift_detector
from ace.runs.report import Report
from ace.settings import FeedbackKind, Settings
from ace.store import Store
from ace.store.call_journal import CallJournal
from ace.store.process_mark import mark_process
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
        """Begin, and return once the learner learns or stands by. Raises what kept it from both."""
        self.task = parts.task
        """What it serves."""
        self.store = parts.store
        """The playbook that answers and feedback go to."""
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
        self._waiting = queue.Queue[Item](parts.settings.waiting)
        self._seat = Seat()
        self._problems = ProblemList()
        self._comeback = Comeback(self._seat, self._problems)
        self._own_run = 0  # that of the answers while another process learns; 0 until one does
        self._earlier_feedback = 0  # the number of the last that came before that run
        self._own_journal: CallJournal | None = None
        self._learned: Future[Report] = Future()
        self._thread = Thread(
            target=self._live,
            name="learner",
            daemon=True,  # a call to a model that hangs must not keep the process
        )
        self._thread.start()
        self._seat.taken.wait()
        if not self._seat.run:
            self._learned.result()  # the error

    @property
    def run(self) -> int:
        """Return the run that its answers belong to: the learner's, or its own while another learns."""
        return self._seat.run

    @property
    def leads(self) -> bool:
        """Tell whether this server learns. Otherwise another process does, or it pauses after an error, or it
        hangs, or has ended.
        """
        return self._seat.leads and self._seat.pulse.beats

    @property
    def problems(self) -> tuple[LearnerProblem, ...]:
        """Return what kept its learner from learning so far, oldest first, the same error once in a row."""
        return self._problems.list_all()

    @property
    def pause(self) -> float:
        """Return in how many seconds its learner takes part again after an error; 0 without a pause."""
        return self._comeback.seconds

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
        with mark_calls(sample.id, answers=True):
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

        It does not wait, however long the backlog is. `score` is from 0 to 1, where 1 is right; `expected` is
        the right answer, `text` anything else worth knowing, `author` whose word it is. Raises
        InputError where none of them says anything, or one cannot be used; UnknownVersion for an episode that
        is not in the file.
        """
        row = read_feedback(episode, right=right, score=score, expected=expected, text=text, author=author)
        if row is None:
            raise InputError("It says nothing.", hint="Give right, score, expected or text.")
        self.store.add_feedback(row)
        if self.leads:
            with suppress(queue.Full):  # then the learner looks anyway
                self._waiting.put_nowait(FeedbackCame())

    def examine(self, sample: Sample) -> None:
        """Answer a sample whose right answer the task knows: scored at once, learned from behind.

        It waits while the learner is `waiting` answers behind. Raises CapReached when a cap forbids the call.
        """
        playbook, bench = self._open_bench(sample)
        with mark_calls(sample.id, answers=True):
            trial = bench.solve(sample, playbook)
        self._keep(bench)
        self._put(Judged(trial, bench.episodes[0], bench.judge_error))

    def close(self, stopped: str = "") -> Report:
        """Learn from what waits, then end the run and return its report.

        `stopped` says why the answers ended early, for the report. Where another process learns, what waits
        is left to it, and the report is that of the answers alone, of kind "agent". Raises what ended the
        learner early; after an error that may pass it tries once more, and raises the error of that. Closing
        twice is fine.
        """
        self._seat.stopped = stopped
        self._seat.leaving.set()
        self._put(Ended())
        return self._learned.result()

    @property
    def behind(self) -> int:
        """Return how much feedback on the task is left to learn from, whoever took it; it is counted anew.

        What is being learned from is included.
        """
        return self.store.count_unlearned(self.task.name)

    @property
    def ended(self) -> bool:
        """Tell whether the learner has stopped for good: by a cap, or an error that would come again.

        Answers and feedback are still kept.
        """
        return self._learned.done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._parts.stop.set()  # what waits is in the store
        self._seat.end_at_once()
        self._thread.join(timeout=2.0)

    def _live(self) -> None:
        """Live the whole life of the learner's thread, with a store of its own. Nothing is raised.

        What the settings have learned from at once (`behind`) is nobody else's: then it does not stand by.
        """
        parts, seat = self._parts, self._seat
        place, branch = parts.store.path, parts.store.branch_name
        learn_while_leading = partial(learn_behind, waiting=self._waiting, seat=seat)
        try:
            with Store.open(place, branch=branch) as store:
                parts = replace(parts, store=store)
                if parts.settings.behind:
                    with store.lead():
                        seat.leads = True
                        report = learn_while_leading(parts)
                else:
                    report = self._learn_in_turn(parts, learn_while_leading)
            if report.stopped and not seat.leaving.is_set():
                self._problems.add("learn more", report.stopped, then="This process does not try again.")
            self._learned.set_result(report)
        except BaseException as error:  # for the thread that waits for it
            if self._own_run:
                with suppress(StoreError), Store.open(place, branch=branch) as store:
                    store.finish_run(self._own_run, "interrupted", None)
            self._learned.set_exception(error)
        finally:
            seat.leads = False
            seat.taken.set()
            if self._own_journal is not None:
                self._own_journal.close()

    def _learn_in_turn(self, parts: RunParts, learn: Callable[[RunParts], Report]) -> Report:
        """Learn whenever it is this process's turn; return the report of its learner, or else of its answers.

        `learn` does a turn, and returns once nothing more will come. After an error it is another process's
        turn, and after a pause this one's again. Raises what ended the learner for good, or before it began,
        or the last loss of the lead where the server stays away.
        """
        seat, report, lost = self._seat, None, None
        stand_by = partial(self._stand_by, parts.store)
        while report is None:
            try:
                with lead_in_turn(parts.store, parts.task.name, seat, stand_by) as leads:
                    if not leads:
                        break
                    report = learn(replace(parts, goes_on=seat.run > 0, stop=seat.begin_run()))
            except (LeadLost, StoreUnreachable) as error:
                lost = error
            except Exception as error:
                if not seat.run or not self._comeback.accept(error):
                    raise
                with suppress(StoreError):
                    stand_by()
                self._comeback.wait()
        own = self._end_own_run(parts.store) if self._own_run else None
        report = report or own
        if report is None:
            raise lost or StoreUnreachable(f"{parts.store.path} does not answer.")
        return report

    def _stand_by(self, store: Store) -> None:
        """Have answers belong to a run of their own from now on. Called by the learner's thread."""
        models, meter = self._parts.models, self._parts.models.meter
        if not self._own_run:
            config = {
                "branch": store.branch_name,
                "models": dict(models.models),
                "process": mark_process(store.path),
            }
            self._earlier_feedback = store.newest_feedback()
            self._own_run = store.start_run("agent", self.task.name, config)
        if self._own_journal is None:
            self._own_journal = store.call_journal(self._own_run)
        if not self._seat.run:
            meter.begin_run(self._own_journal)
        elif self._seat.run != self._own_run:  # a cap bounds all that this process does
            meter.begin_run(self._own_journal, spent=meter.usage, seconds=meter.seconds)
        self._seat.run = self._own_run

    def _end_own_run(self, store: Store) -> Report:
        """Write the report of the answers that were given while another process learned, and return it."""
        run, stopped = self._own_run, self._seat.stopped
        answers = store.count_episodes(run, UNJUDGED.detail)
        rows = store.feedback(self.task.name, after=self._earlier_feedback)
        judged = {feedback.episode for feedback in rows if feedback.run == run}
        head = store.head().number
        notes = []
        leader = store.find_leader(self.task.name)
        if leader:
            notes.append(f"{leader} learns from feedback")
        left = store.count_unlearned(self.task.name)
        if left:
            notes.append(f"feedback that nobody has learned from yet: {left}")
        report = Report(
            kind="agent",
            task=self.task.name,
            model=self._parts.models.generator.model,
            models=self._parts.models.models,
            playbook=str(store.path),
            bullets=len(store.checkout(head)),
            seconds=self._parts.models.meter.seconds,
            usage=store.usage_since(run).usage,
            run=run,
            selected=head,
            stopped=stopped,
            unjudged=max(answers - len(judged), 0),
            notes=tuple(notes),
        )
        store.finish_run(run, "capped" if stopped else "done", report.to_json())
        return report

    def _open_bench(self, sample: Sample) -> tuple[Playbook, SampleBench]:
        """Return what it is answered with, and where it is recorded. Each answer has a purpose of its own."""
        self._answers += 1
        purpose = f"{sample.id} in run {self.run}, answer {self._answers}"
        version = self.store.head().number
        return self.store.checkout(version), SampleBench(self._place, version, ONLINE, purpose)

    def _keep(self, bench: SampleBench) -> None:
        """Write the attempts of a bench to the store. The playbook stays as it is."""
        commit = self.store.commit(
            (), author="generator", reason="served", run=self.run, episodes=bench.episodes
        )
        self._contexts.keep_vectors(commit.playbook)  # what was computed of a question is not kept for ever

    def _put(self, item: Item) -> None:
        """Hand an item to the learner. Wait for room, as long as somebody makes room."""
        while not self._learned.done():
            try:
                self._waiting.put(item, timeout=_LOOKS)
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
