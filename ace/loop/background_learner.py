"""The learner behind a server: takes what was answered and judged, in order, and learns from it.

Runs in a thread of its own with a store of its own. What it is handed is a hint to look; what it learns from
is in the file, so feedback of another process, or left over from an earlier run, is found too. An answer
counts as it was given; it is not learned from what the playbook has come to know since.
"""

from __future__ import annotations

import logging
import queue
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from ace.errors import (
    AceError,
    CapReached,
    ContextError,
    ModelNameError,
    ModelUnavailable,
    StoreBusy,
    StoreConflict,
    StoreUnwritable,
    describe_error,
)
from ace.llm.window import longest_of
from ace.loop import steps
from ace.loop.answer_stream import ONLINE, AnswerStream
from ace.loop.election import Seat
from ace.loop.lab import RunStopped, locate_label
from ace.loop.run import Run, RunParts, StepWork, start_run
from ace.loop.run_outcome import finish
from ace.methods.protocol import Trial
from ace.runs.records import AnswerFeedback, Proposal, Reason
from ace.runs.report import Report
from ace.runs.run_text import format_count
from ace.runs.setbacks import Setback
from ace.runs.steps import Phase, PhaseKind
from ace.safety.secrets import hide_secrets
from ace.settings import FeedbackKind
from ace.task.environments.scorers import score_exact
from ace.task.guarded_scoring import score_attempt
from ace.task.samples import find_twin, with_label
from ace.task.traces.trace import Trace
from ace.task.types import Environment, Episode, Sample, Verdict

UNJUDGED = Verdict(False, 0.0, "no feedback yet")
_AGAIN = Phase(PhaseKind.REPLAY, detail="feedback")  # of feedback on an answer that has been judged before
_SETBACK = Phase(PhaseKind.SETBACK)
_MOST_FAILURES = 3  # to learn from one piece of feedback, after which it is set aside
_LEAST_PATIENCE = 1800.0  # seconds for which anything may be waited for
_LONGEST_ERROR = 500  # characters of its error that are kept
_ALMOST = 0.99  # the most that a wrong answer scores
_PAGE = 500  # rows of feedback that are read together
_LOOKS = 0.5  # seconds between looks for feedback of other processes
_STOPPED = "The run has ended; what waits is in the file."
_LOG = logging.getLogger("ace.learner")


@dataclass(frozen=True, slots=True)
class FeedbackCame:
    """Says that there is feedback in the file: what it is, the learner reads there."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Says that nothing more will come, which the seat says as well."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Holds an answer that has been scored, and its record."""

    trial: Trial
    """What a method may see of it."""

    episode: Episode
    """What is kept."""

    judge_error: str = ""
    """Why the environment could not score it; "" where it could."""


Item = Judged | FeedbackCame | Ended
"""Reaches the learner through its queue."""


def learn_behind(parts: RunParts, waiting: queue.Queue[Item], seat: Seat) -> Report:
    """Learn in a run of its own from what comes until it ends, and return the report of the run.

    `parts.store` belongs to this thread, and leads. `waiting` holds what is left to learn from, oldest first.
    The run's number goes to the seat. A cap ends the run cleanly, with a report. Raises what ended it early.
    """
    with start_run("online", parts) as run:
        seat.pulse.patience = bound_wait(parts)
        seat.pulse.beat()
        parts.models.meter.on_progress = seat.pulse.beat
        seat.run = run.id
        seat.taken.set()
        learner, stopped = BackgroundLearner(run, seat), ""
        try:
            stopped = learner.work_off(waiting)
        except CapReached as cap:
            stopped = str(cap)
        unjudged = learner.count_unjudged()
        return finish(run, PhaseKind.ONLINE, stopped=stopped, unjudged=unjudged)


def bound_wait(parts: RunParts) -> float:
    """Return for how many seconds a learner may wait for one thing before it counts as hanging.

    It is twice the longest limit that a request of a model or an attempt has, and half an hour at least.
    """
    models = parts.models
    limits = [longest_of(client) for client in (models.generator, models.reflector, models.curator)]
    return max(_LEAST_PATIENCE, 2 * max(*limits, parts.task.solver.seconds or 0.0))


class BackgroundLearner:
    """Learns from judged answers and from feedback, one step each. Lives in the learner's thread."""

    def __init__(self, run: Run, seat: Seat) -> None:
        self._run, self._seat, self._stream = run, seat, AnswerStream(run)
        self._last_number: int | None = None  # of the feedback that was looked at last
        self._judged: set[str] = set()  # episodes
        self._judged_here = 0  # of those: answers of this run
        self._early: list[AnswerFeedback] = []  # on episodes that have not ended
        self._failures = defaultdict[int, list[Setback]](list)  # feedback -> those of earlier runs
        self._learned = 0  # pieces of feedback

    def work_off(self, waiting: queue.Queue[Item]) -> str:
        """Learn from what comes until it ends; return why it ended early, if it did.

        When nothing comes, it is time to look at the store. Raises RunStopped when the run was ended from
        outside, CapReached when a cap ends it, and LeadLost when others learn in its place.
        """
        seat = self._seat
        self.look()
        while not self._run.parts.stop.is_set():
            seat.pulse.beat()
            try:
                item = waiting.get(timeout=_LOOKS)
            except queue.Empty:
                is_last = seat.leaving.is_set()  # a learner that lost its lead may have taken what said so
                if self._run.parts.stop.is_set():
                    break
                self.look()
                if is_last:
                    return seat.stopped
                continue
            match item:
                case Ended():
                    self.look()
                    return seat.stopped
                case FeedbackCame():
                    self.look()
                case Judged():
                    self._step(item, ONLINE)
        raise RunStopped(_STOPPED)

    def look(self) -> None:
        """Take in the feedback that has come; at first also what earlier runs of the task left over.

        Over a task's own samples nobody looks, and feedback is a label: not without labels.
        """
        settings = self._run.settings
        if settings.behind or settings.feedback is not FeedbackKind.LABELS:
            return
        for feedback in self._read_news():
            self._seat.pulse.beat()
            episodes = self._run.store.episodes(ids=[feedback.episode])
            if not episodes:  # somebody else's agent is still at it
                self._early.append(feedback)
                continue
            if self._is_hopeless(feedback):
                self._set_aside(feedback, episodes[-1])
            else:
                with self._record_failure(feedback):
                    judged = _judge_by(feedback, self._run, episodes[-1])
                    is_judged = judged.trial.feedback.passed is not None
                    is_first = is_judged and feedback.episode not in self._judged
                    self._step(judged, ONLINE if is_first else _AGAIN, feedback)
                self._learned += 1
                self._seat.count_learned()
            if feedback.episode not in self._judged:
                self._judged.add(feedback.episode)
                self._judged_here += feedback.run == self._run.id

    def _read_news(self) -> Iterator[AnswerFeedback]:
        """Yield what came too early and what has come since, and keep only some hundred rows in memory.

        What learners have failed at before comes last, so that it keeps nothing else waiting.
        """
        store, name = self._run.store, self._run.task.name
        early, self._early = self._early, []
        yield from early
        is_first = self._last_number is None
        newest = store.newest_feedback()  # of any task: what others get is not gone over again
        if is_first:
            for setback in store.setbacks(name):
                self._failures[setback.feedback].append(setback)
        last = self._last_number or 0
        failed_before = []
        while page := store.feedback(name, after=last, unlearned=is_first, limit=_PAGE):
            last = page[-1].number
            for feedback in page:
                if feedback.number in self._failures:
                    failed_before.append(feedback)
                else:
                    yield feedback
        yield from failed_before
        self._last_number = max(newest, last)

    @contextmanager
    def _record_failure(self, feedback: AnswerFeedback) -> Iterator[None]:
        """Record an error of the block as a failure to learn from one piece of feedback, and raise it.

        A store that is busy or cannot be written, caps, a closed server and a missing key have nothing to do
        with the piece. A model out of reach has, where the same run has learned from another piece before.
        """
        try:
            yield
        except (StoreBusy, StoreConflict, StoreUnwritable, CapReached, RunStopped, ModelNameError):
            raise
        except Exception as error:  # whoever learns next must know that it failed at this one
            self._seat.failed_on = feedback
            counts = not isinstance(error, ModelUnavailable) or self._learned > 0
            setback = {
                "feedback": feedback.number,
                "error": hide_secrets(describe_error(error))[:_LONGEST_ERROR],
                "counts": counts,
            }
            failure = StepWork(reason="", author="learner", notes={"setback": setback})
            self._run.step(_SETBACK, lambda: failure)
            raise

    def _is_hopeless(self, feedback: AnswerFeedback) -> bool:
        """Tell whether learning from a piece of feedback failed so often that it is the fault of the piece.

        It is not, where nothing was learned from since another piece was set aside.
        """
        failures = sum(setback.counts for setback in self._failures.get(feedback.number, ()))
        return failures >= _MOST_FAILURES and self._run.store.learned_since_set_aside(self._run.task.name)

    def _set_aside(self, feedback: AnswerFeedback, episode: Episode) -> None:
        """Record that a piece of feedback is not learned from, and why: it does not come again."""
        number, failures = feedback.number, self._failures[feedback.number]
        error = failures[-1].error
        times = format_count(len(failures), "time")
        why = f"feedback {number} is set aside: learning from it failed {times}, the last: {error}"
        proposal = Proposal(
            sample_id=episode.sample_id,
            author="learner",
            delta=(),
            outcome="rejected",
            why=why,
            episodes=(episode.id,),
            reason=Reason.SET_ASIDE,
        )
        setback = {"feedback": number, "error": error, "failures": len(failures)}
        work = StepWork(
            reason=why,
            author="learner",
            proposals=[proposal],
            notes={"feedback": [number], "set_aside": setback},
        )
        self._run.step(_SETBACK, lambda: work)
        _LOG.warning("%s Give it again to have it tried again.", why)

    def count_unjudged(self) -> int:
        """Return how many answers of this run nobody has given feedback on."""
        served = self._run.store.count_episodes(self._run.id, UNJUDGED.detail)
        return served - self._judged_here

    def _step(self, judged: Judged, phase: Phase, feedback: AnswerFeedback | None = None) -> None:
        """Learn from one answer and tell of the progress; `feedback` is what judged it, if any did.

        Raises RunStopped when the run was ended from outside.
        """
        run = self._run
        if run.parts.stop.is_set():
            raise RunStopped(_STOPPED)
        samples = [judged.trial.sample] if judged.trial.provable else []
        self._stream.step(samples, partial(self._study, judged, phase, feedback))
        answers = len(self._stream.right)
        total = len(run.task.train) if run.settings.behind else answers
        run.progress(str(ONLINE), answers, total, self._stream.note())

    def _study(self, judged: Judged, phase: Phase, feedback: AnswerFeedback | None) -> StepWork:
        """Learn from one answer as the work of a step, whose result says how the answer scored as given.

        A wrong answer that was given with an older version is attempted once more: what is known by now need
        not be learned.
        """
        run = self._run
        trial = judged.trial
        episode = judged.episode
        word = ""  # each attempt has an id, whoever asks again
        if feedback is not None:
            word = f", word {feedback.number}"
        lab = run.lab(ONLINE)
        purpose = f"{trial.sample.id} {trial.episode}{word}"
        bench = lab.bench(purpose, phase=phase, calls_for=trial.sample.id)
        bench.episodes.append(episode)
        bench.judge_error = judged.judge_error
        with lab.counting_for(trial.sample.id):
            newest = trial
            outdated = episode.context_version != run.version
            if outdated and trial.provable and not trial.feedback.is_solved:
                newest = bench.solve(trial.sample, run.playbook)
        again = [replace(newest, recorded=True)]
        # Feedback can wait until the model is back; an answer that is examined cannot.
        work = steps.learn_from(run, lab, again, skip_episodes=1, must_reach=feedback is not None)
        notes = {"feedback": [feedback.number]} if feedback else {}
        (learned,) = work.results
        answer = replace(bench.result(trial), notes=learned.notes)  # it counts as it was given
        return replace(work, notes={**work.notes, **notes}, results=[answer])


def _judge_by(feedback: AnswerFeedback, run: Run, episode: Episode) -> Judged:
    """Return what the learner may see of an answer, now that there is feedback on it.

    The person's word decides what is right, then the score, then the environment, then whether the answer is
    the right one to the letter; nothing does where there is only a text. With the right answer, the
    environment adds what it can explain. It can be proven by further attempts where the task has a sample
    with the same question.
    """
    environment = run.task.environment
    attempt = episode.attempt
    twin = find_twin(run.task, episode.question, episode.sample_id)
    sample = Sample(episode.sample_id, episode.question, twin.data if twin else {})
    shown = " or ".join(feedback.alternatives)
    labels = feedback.alternatives or ((attempt.answer,) if feedback.right and attempt.answer else ())
    if labels:
        sample = with_label(environment, sample, labels)
    provable = bool(sample.data) and _is_usable(environment, sample)
    right = feedback.right
    if right is None and feedback.score is not None:
        right = feedback.score == 1.0
    if provable:
        view = score_attempt(environment, sample, attempt).shown(FeedbackKind.LABELS)
        right = view.passed if right is None else right
    elif attempt.turns:  # shown as those of a log are
        trace = Trace(
            sample=sample.id,
            question=sample.question,
            answer=attempt.answer,
            error=attempt.error,
            turns=attempt.turns,
            expected=shown,
        )
        view = trace.outcome().shown(FeedbackKind.LABELS)
    else:
        view = replace(
            episode.feedback,
            kind=FeedbackKind.LABELS,
            expected=shown,
            expected_kind="answer",
        )
    if right is None and shown:
        right = any(score_exact(label, attempt.answer) == 1.0 for label in labels)
    text = "\n".join(filter(None, (view.text, feedback.text)))
    score = float(bool(right))
    if right is False and feedback.score is not None:
        score = min(feedback.score, _ALMOST)
    view = replace(view, passed=right, score=None if right is None else score, text=text)
    verdict = Verdict(bool(right), score, f"said by {feedback.author}")
    beginning = run.store.episode_beginning(episode.id)
    sample = replace(sample, data={**beginning.get("data", {}), **sample.data})
    trial = Trial(sample, attempt, view, episode.id, provable, sources=attempt.observations)
    sources = ""
    if run.contexts.sources:  # the answer had what they find before it, and that vouches for nothing
        with suppress(ContextError):  # then the answer had nothing either
            sources = run.contexts.assemble_for(sample, run.playbook).found
    trial = locate_label(trial, sources)
    return Judged(trial, replace(episode, feedback=view, verdict=verdict))


def _is_usable(environment: Environment, sample: Sample) -> bool:
    """Tell whether further attempts at a sample can be judged."""
    try:
        environment.check(sample)
    except (AceError, LookupError, TypeError, ValueError):  # it may miss what only tasks' rows have
        return False
    return True
