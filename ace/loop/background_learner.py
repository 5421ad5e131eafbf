"""The learner behind a server: takes what was answered and judged, in order, and learns from it.

Runs in a thread of its own with a store of its own. What it is handed is a hint to look; what it learns
from is in the file, so feedback of another process, or left over from an earlier run, is found too. An answer
counts as it was given; it is not learned from what the playbook has come to know since.
"""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from ace.errors import AceError, CapReached, ContextError
from ace.llm import Team
from ace.loop import steps
from ace.loop.answer_stream import PHASE, Stream
from ace.loop.group_merging import Lesson
from ace.loop.lab import Bench, RunStopped, with_found
from ace.loop.options import Progress, Settings
from ace.loop.run import Session, Work, session
from ace.loop.run_outcome import finish
from ace.methods.ace.proof import solved
from ace.methods.protocol import Trial
from ace.runs.report import Report
from ace.store import Said, Store
from ace.task.types import Attempt, Environment, Episode, Feedback, FeedbackKind, Sample, Task, Verdict

UNJUDGED = Verdict(False, 0.0, "no feedback yet")
_AGAIN = "replay feedback"  # the phase of what was said of an answer that has been judged before
_LOOKS = 0.5  # seconds between looks for feedback of other processes


@dataclass(frozen=True, slots=True)
class Told:
    """There is feedback in the file."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come. `stopped`: why the answers ended early."""

    stopped: str = ""


Judged = tuple[Trial, Episode]  # an answer that the task itself has scored
Item = Judged | Told | Ended


def learn_behind(
    task: Task,
    path: Path,
    branch: str,
    team: Team,
    options: Settings,
    progress: Progress,
    waiting: queue.Queue[Item],
    stop: Event,
    started: Future[int],
    learned: Future[Report],
) -> None:
    """The thread's whole life. Its run's number, its report, or what ended it, go to the two futures."""
    try:
        with (
            Store.open(path, branch=branch) as store,
            session(PHASE, task, store, team, options, progress, resume=False, stop=stop) as run,
        ):
            started.set_result(run.run)
            report = _learned(run, waiting)
        learned.set_result(report)
    except BaseException as error:  # for the thread that waits for it
        for future in (started, learned):
            if not future.done():
                future.set_exception(error)


def _learned(run: Session, waiting: queue.Queue[Item]) -> Report:
    behind = Behind(run)
    try:
        stopped = _until_the_end(run, behind, waiting)
    except CapReached as cap:
        stopped = str(cap)
    return finish(run, PHASE, stopped=stopped, unjudged=behind.unjudged())


def _until_the_end(run: Session, behind: Behind, waiting: queue.Queue[Item]) -> str:
    """Learn from what comes; when nothing does, it is time to look at the file. Why it ended early."""
    behind.look()
    while not run.stopped:
        try:
            item = waiting.get(timeout=_LOOKS)
        except queue.Empty:
            behind.look()
            continue
        match item:
            case Ended(stopped):
                behind.look()
                return stopped
            case Told():
                behind.look()
            case trial, episode:
                behind.judged(trial, episode)
        waiting.task_done()
    raise RunStopped("The run has ended; what waits is in the file.")


class Behind:
    """What the learner knows of its run."""

    def __init__(self, run: Session) -> None:
        self._run, self._stream = run, Stream(run)
        self._last: int | None = None  # number of the feedback that was looked at last
        self._seen: set[str] = set()  # episodes that have been judged

    def look(self) -> None:
        """Take in the feedback that has come; at first also what earlier runs of the task left over.

        Over a task's own questions nobody looks, and what is said is labels: not without them.
        """
        run = self._run
        if run.options.behind or run.options.feedback is not FeedbackKind.LABELS:
            return
        for said in self._left() if self._last is None else self._new(self._last):
            self._last = max(self._last or 0, said.number)
            self._said(said)

    def _left(self) -> list[Said]:
        """What nobody has learned from: once, since that goes through all steps of the file."""
        store, name = self._run.store, self._run.task.name
        self._last = max((said.number for said in store.feedback(name)), default=0)
        return store.feedback(name, unlearned=True)

    def _new(self, last: int) -> list[Said]:
        return self._run.store.feedback(self._run.task.name, after=last)

    def judged(self, trial: Trial, episode: Episode) -> None:
        """An answer that the task itself has scored."""
        self._step(trial, episode, PHASE)

    def unjudged(self) -> int:
        """How many answers of this run nobody has said anything about."""
        served = self._run.store.episodes(run=self._run.run)
        return sum(e.verdict == UNJUDGED and e.id not in self._seen for e in served)

    def _said(self, said: Said) -> None:
        found = self._run.store.episodes(ids=[said.episode])
        if found:
            trial, episode = _told(self._run, found[-1], said)
            again = _AGAIN if said.episode in self._seen else PHASE
            self._step(trial, episode, again, said)
            self._seen.add(said.episode)

    def _step(self, trial: Trial, episode: Episode, phase: str, said: Said | None = None) -> None:
        run = self._run
        self._stream.step(
            [trial.sample] if trial.provable else [], partial(self._study, trial, episode, phase, said)
        )
        done = len(self._stream.right)
        total = len(run.task.train) if run.options.behind else done
        run.progress(PHASE, done, total, self._stream.note())

    def _study(self, trial: Trial, episode: Episode, phase: str, said: Said | None) -> Work:
        run = self._run
        number = f", word {said.number}" if said else ""  # each attempt has an id, whoever asks for it again
        purpose = f"{trial.sample.id} {trial.episode}{number}"
        playbook, bench = run.playbook, run.bench(phase, run.version, purpose)
        bench.episodes.append(episode)

        def lessons(_: int) -> tuple[Lesson, ...]:
            now = self._now(trial, episode, bench)
            return ((bench, trial, self._stream.lessons(now, playbook, bench)),)

        (done,) = run.map(lessons, [0], lambda _: trial.sample.id)
        work = steps.learned(run, PHASE, done)
        noted = {"feedback": [said.number]} if said else {}
        return replace(work, episodes=bench.episodes[1:], noted=noted)

    def _now(self, trial: Trial, episode: Episode, bench: Bench) -> Trial:
        """A wrong answer of an older version is given again: what is known by now need not be learned."""
        if episode.context_version == self._run.version or not trial.provable or solved(trial.feedback):
            return trial
        return bench.solve(trial.sample, self._run.playbook)


def _told(run: Session, episode: Episode, said: Said) -> Judged:
    """What the learner may see of an answer, now that something was said of it."""
    known = next((s for s in run.task.train if s.id == episode.sample_id), None)
    known = known or next((s for s in run.task.train if s.question == episode.question), None)
    attempt, environment = episode.attempt, run.task.environment
    expected = said.expected or (attempt.answer if said.right else "")
    data = dict(known.data) if known else {}
    if expected:
        data |= {"answer": expected, "gold_sql": expected}
    sample = Sample(episode.sample_id, episode.question, data)
    provable = bool(data) and _usable(environment, sample)
    shown = _shown(environment, sample, attempt, episode.feedback, provable, said, expected)
    verdict = Verdict(said.right, float(said.right), f"said by {said.author}")
    if provable:
        run.evidence.meet(sample)
    trial = Trial(sample, attempt, shown, episode.id, provable)
    return with_found(trial, _found(run, sample)), replace(episode, feedback=shown, verdict=verdict)


def _found(run: Session, sample: Sample) -> str:
    """What the answer had before it: what sources find for its question. It vouches for nothing."""
    try:
        return run.contexts(sample, run.playbook).found if run.contexts.sources else ""
    except ContextError:  # then the answer had nothing either
        return ""


def _shown(
    environment: Environment,
    sample: Sample,
    attempt: Attempt,
    before: Feedback,
    provable: bool,
    said: Said,
    expected: str,
) -> Feedback:
    if provable:
        shown = environment.feedback(sample, attempt, FeedbackKind.LABELS)
    else:
        right = f"Right answer: {expected}" if said.expected else ""
        shown = replace(before, kind=FeedbackKind.LABELS, expected=right)
    text = "\n".join(filter(None, (shown.text, said.text)))
    return replace(shown, passed=said.right, text=text)


def _usable(environment: Environment, sample: Sample) -> bool:
    """Whether further attempts at a sample can be judged."""
    try:
        environment.check(sample)
    except (
        AceError,
        LookupError,
        TypeError,
        ValueError,
    ):  # its environment may miss what only tasks' rows have
        return False
    return True
