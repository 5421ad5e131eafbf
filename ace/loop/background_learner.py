"""The learner behind a server: takes what was answered and judged, in order, and learns from it.

Runs in a thread of its own with a store of its own. What it is handed is a hint to look; what it learns from
is in the file, so feedback of another process, or left over from an earlier run, is found too. An answer
counts as it was given; it is not learned from what the playbook has come to know since.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from ace.errors import AceError, CapReached, ContextError
from ace.loop import steps
from ace.loop.answer_stream import ONLINE, AnswerStream
from ace.loop.election import Seat
from ace.loop.lab import RunStopped, locate_label
from ace.loop.run import Run, RunParts, StepWork, start_run
from ace.loop.run_outcome import finish
from ace.methods.protocol import Trial
from ace.runs.records import AnswerFeedback
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind
from ace.settings import FeedbackKind
from ace.task.environments.scorers import score_exact
from ace.task.guarded_scoring import score_attempt
from ace.task.samples import find_twin, with_label
from ace.task.traces.trace import Trace
from ace.task.types import Environment, Episode, Sample, Verdict

UNJUDGED = Verdict(False, 0.0, "no feedback yet")
_AGAIN = Phase(PhaseKind.REPLAY, detail="feedback")  # of feedback on an answer that has been judged before
_ALMOST = 0.99  # the most that a wrong answer scores
_PAGE = 500  # rows of feedback that are read together
_LOOKS = 0.5  # seconds between looks for feedback of other processes
_STOPPED = "The run has ended; what waits is in the file."


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
        seat.run = run.id
        seat.taken.set()
        learner, stopped = BackgroundLearner(run), ""
        try:
            stopped = learner.work_off(waiting, seat)
        except CapReached as cap:
            stopped = str(cap)
        unjudged = learner.count_unjudged()
        return finish(run, PhaseKind.ONLINE, stopped=stopped, unjudged=unjudged)


class BackgroundLearner:
    """Learns from judged answers and from feedback, one step each. Lives in the learner's thread."""

    def __init__(self, run: Run) -> None:
        self._run, self._stream = run, AnswerStream(run)
        self._last_number: int | None = None  # of the feedback that was looked at last
        self._judged: set[str] = set()  # episodes
        self._judged_here = 0  # of those: answers of this run
        self._early: list[AnswerFeedback] = []  # on episodes that have not ended

    def work_off(self, waiting: queue.Queue[Item], seat: Seat) -> str:
        """Learn from what comes until it ends; return why it ended early, if it did.

        When nothing comes, it is time to look at the store. Raises RunStopped when the run was ended from
        outside, CapReached when a cap ends it, and LeadLost when others learn in its place.
        """
        self.look()
        while not self._run.parts.stop.is_set():
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
            episodes = self._run.store.episodes(ids=[feedback.episode])
            if not episodes:  # somebody else's agent is still at it
                self._early.append(feedback)
                continue
            judged = _judge_by(feedback, self._run, episodes[-1])
            is_first = feedback.episode not in self._judged and judged.trial.feedback.passed is not None
            self._step(judged, ONLINE if is_first else _AGAIN, feedback)
            if feedback.episode not in self._judged:
                self._judged.add(feedback.episode)
                self._judged_here += feedback.run == self._run.id

    def _read_news(self) -> Iterator[AnswerFeedback]:
        """Yield what came too early and what has come since, and keep only some hundred rows in memory."""
        store, name = self._run.store, self._run.task.name
        early, self._early = self._early, []
        yield from early
        is_first = self._last_number is None
        newest = store.newest_feedback()  # of any task: what others get is not gone over again
        last = self._last_number or 0
        while page := store.feedback(name, after=last, unlearned=is_first, limit=_PAGE):
            last = page[-1].number
            yield from page
        self._last_number = max(newest, last)

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
        work = steps.learn_from(run, lab, [replace(newest, recorded=True)], skip_episodes=1)
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
