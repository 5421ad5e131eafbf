"""Where a run makes attempts: benches that solve samples and record every attempt as an episode, in one lab a
step.

Implements `ace.methods.protocol.Lab` and `Bench`. Each attempt is scored once; what a method sees of the
outcome is its feedback.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from ace.agent.generator import Draw, find_citations
from ace.agent.solver import Solver, failed_attempt
from ace.context.answer_location import locate_answer
from ace.context.assemble import Assembled
from ace.errors import AceError, ContextError, WorkspaceFailed, describe_error
from ace.llm.meter import mark_calls
from ace.methods.protocol import Trial
from ace.playbook.model import Playbook
from ace.runs.seeds import seed_of
from ace.runs.steps import Phase, SampleResult
from ace.settings import Settings
from ace.task.attempt import FinishReason
from ace.task.extraction import extract_answer
from ace.task.guarded_scoring import score_attempt
from ace.task.guarded_workspace import GuardedWorkspace, open_workspace
from ace.task.types import Attempt, Episode, Failure, Feedback, Outcome, Sample, Task, Verdict

if TYPE_CHECKING:
    from ace.loop.executor import Executor

T = TypeVar("T")
R = TypeVar("R")

_TEMPERATURE = 0.7  # of further attempts at a sample: at 0 they would only say the same again


class RunStopped(AceError):
    """Raised in the threads of a run that another thread has ended."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Hold what all benches of a run share: who attempts what, with which context, and how it is shown."""

    task: Task

    solver: Solver
    """Makes the attempts."""

    context: Callable[[Sample, Playbook], Assembled]
    """Puts together a sample's prompt with a playbook; raises ContextError for the sample's own fault."""

    settings: Settings

    stop: Event
    """Set once the run has ended: no attempt begins after that."""


@dataclass(slots=True)
class SampleBench:
    """Makes and records attempts for one purpose. Belongs to one thread at a time."""

    place: Workplace
    """What it shares with the other benches of its run."""

    version: int
    """The playbook version that attempts are recorded with."""

    phase: Phase
    """The stretch of the run that attempts are recorded under."""

    purpose: str
    """What attempts are made for: a sample's id, or a description that no other bench of the phase has."""

    calls_for: str = ""
    """The name that its model calls are counted for."""

    episodes: list[Episode] = field(default_factory=list)
    """In the order they were made."""

    context_tokens: int = 0
    """What the playbook took in the context of the first attempt."""

    left_out: tuple[str, ...] = ()
    """What there was no room for in that context, each with the reason."""

    retrieved: dict[str, int] = field(default_factory=dict)
    """The tokens of what was retrieved into that context, by source."""

    judge_error: str = ""
    """Why the first attempt could not be scored; "" where it was."""

    judge_failure: Failure | None = None
    """The same for programs; None where it was."""

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        """Attempt a sample, score the attempt once, and record it.

        Draw 0 is greedy; others differ in seed and temperature. What goes wrong with the attempt or its
        scoring is part of the trial. Raises RunStopped once the run has ended, CapReached at a cap.
        """
        if self.place.stop.is_set():
            raise RunStopped("The run has ended; this attempt was not made.")
        attempt, context = self.attempt(sample, playbook, draw=draw)
        if attempt.failure is Failure.CONTEXT:  # there is nothing to score
            outcome = Outcome(observed=attempt.summary, detail=attempt.error)
        else:
            outcome = score_attempt(self.place.task.environment, sample, attempt)
        trial = self.record(sample, attempt, outcome, context=context.shown)
        return locate_label(replace(trial, private=context.private), context.found)

    def attempt(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> tuple[Attempt, Assembled]:
        """Make an attempt that is not scored or recorded yet; return it with what it was shown.

        A sample for which there is no prompt gets an attempt without an answer, of failure CONTEXT.
        """
        try:
            context = self.place.context(sample, playbook)
        except ContextError as error:  # the sample's own fault: it counts as wrong, with its reason
            why = describe_error(error)
            return Attempt(sample.id, "", error=why, failure=Failure.CONTEXT), Assembled("", "", 0, 0)
        if not self.episodes:
            self.context_tokens = context.playbook_tokens
            self.left_out = tuple(f"{item.source}: {item.reason}" for item in context.left_out)
            for item in context.items:
                self.retrieved[item.source] = self.retrieved.get(item.source, 0) + item.tokens
        if draw:
            how = Draw(draw, self.seed("solve", sample.id, draw), _TEMPERATURE)
        else:
            how = Draw(seed=self.seed("solve", sample.id))
        try:
            with open_workspace(self.place.task.environment, sample) as workspace:
                attempt = self.place.solver.solve(sample, context, workspace, how)
                if workspace is not None:
                    attempt = _add_artifacts(attempt, workspace)
        except WorkspaceFailed as error:  # it counts as wrong, with its reason
            attempt = failed_attempt(sample, error)
        return extract_answer(attempt, self.place.task.extract), context

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        """Make the further attempts by which agreement is judged: one fewer than the setting `agreement`."""
        draws = range(1, self.place.settings.agreement)
        return tuple(self.solve(sample, playbook, draw=draw) for draw in draws)

    def record(self, sample: Sample, attempt: Attempt, outcome: Outcome, *, context: str = "") -> Trial:
        """Keep an attempt as an episode, and return what a method may see of it.

        `context` is the text of the playbook's part that it was shown; citations of other bullets do not
        count. What the method may see depends on the setting `feedback`.
        """
        if not self.episodes:
            self.judge_error = outcome.judge_error
            self.judge_failure = (outcome.judge_failure or Failure.OTHER) if outcome.judge_error else None
        feedback = outcome.shown(self.place.settings.feedback)
        return self.record_shown(sample, attempt, feedback, outcome.verdict, context=context)

    def record_shown(
        self,
        sample: Sample,
        attempt: Attempt,
        feedback: Feedback,
        verdict: Verdict,
        *,
        context: str = "",
        provable: bool = True,
    ) -> Trial:
        """Keep an attempt whose feedback is known already, such as one of a log, as an episode.

        Its id is a hash of the task, the sample, the phase, the purpose, the place on the bench, the context
        and the model's words. `provable`: further attempts at the sample can be scored.
        """
        # Two samples may try the same on a neighbour: the purpose and the place in it tell them apart.
        place = (str(self.phase), self.purpose, len(self.episodes))
        # The id depends on what happened only, so that the same work gives the same ids and hashes.
        identity = json.dumps((self.place.task.name, sample.id, *place, context, attempt.text))
        name = f"ep-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
        self.episodes.append(
            Episode(
                id=name,
                sample_id=sample.id,
                question=sample.question,
                attempt=attempt,
                feedback=feedback,
                verdict=verdict,
                context_version=self.version,
                phase=str(self.phase),
            )
        )
        # An attempt that was made without bullets used none.
        parts = feedback.parts if context and feedback.facts else ()
        bullets = tuple(bullet for bullet in find_citations(attempt.text) if f"[{bullet}]" in context)
        return Trial(
            sample,
            attempt,
            feedback,
            name,
            provable,
            parts=parts,
            cited=bullets,
            sources=attempt.observations,
        )

    def result(self, trial: Trial) -> SampleResult:
        """Return the journal's row for the first attempt, which is the one that counts; `trial` is its."""
        return SampleResult(
            phase=self.phase,
            sample=trial.sample.id,
            correct=self.episodes[0].verdict.correct,
            right=trial.feedback.is_solved,
            topics=tuple(sorted(trial.feedback.topics)),
            facts=tuple(fact.text for fact in trial.feedback.facts),
            error=trial.attempt.error,
            failure=trial.attempt.failure,
            judge_error=self.judge_error,
            context_tokens=self.context_tokens,
            left_out=self.left_out,
            retrieved=self.retrieved,
            cut_off=trial.attempt.finish_reason is FinishReason.LENGTH,
        )

    def seed(self, *parts: Hashable) -> int:
        """Return a number that depends on the run's seed, the phase and `parts` only."""
        return seed_of(self.place.settings.seed, str(self.phase), *parts)


class StepLab:
    """The lab of one step. `benches` are in the order they were first asked for, by phase and purpose.

    Its attempts are recorded with playbook `version`. `online` says that answers come in a stream, each of
    them once. Within `map` and `counting_for`, model calls are counted for a name.
    """

    def __init__(
        self,
        place: Workplace,
        phase: Phase,
        version: int,
        *,
        online: bool,
        executor: Executor,
        read_episodes: Callable[[Sequence[str]], Sequence[Episode]] | None,
    ) -> None:
        """Begin without benches. `read_episodes` reads the file by ids; None where there is no file."""
        self.place, self.phase, self.version, self.online = place, phase, version, online
        self.settings = place.settings
        self.benches: dict[tuple[str, str], SampleBench] = {}
        self.executor = executor
        self._read_episodes = read_episodes

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy in another process has: not the file, which has one writer, and no executor."""
        return {**self.__dict__, "executor": None, "_read_episodes": None}

    def bench(self, purpose: str, *, phase: Phase | None = None, calls_for: str = "") -> SampleBench:
        """Return the bench for a purpose, made if it is new.

        `phase` is the lab's by default. `calls_for`: whom its calls are counted for, the purpose by default.
        """
        at = phase or self.phase
        key = str(at), purpose
        if key not in self.benches:
            self.benches[key] = SampleBench(self.place, self.version, at, purpose, calls_for or purpose)
        return self.benches[key]

    def take_in(self, benches: Mapping[tuple[str, str], SampleBench]) -> None:
        """Add what copies of benches recorded in another process. A new purpose has a new bench."""
        for key, copy in benches.items():
            bench = self.benches.setdefault(key, copy)
            if bench is copy:
                continue
            if not bench.episodes:
                bench.context_tokens, bench.left_out = copy.context_tokens, copy.left_out
                bench.retrieved = copy.retrieved
                bench.judge_error, bench.judge_failure = copy.judge_error, copy.judge_failure
            bench.episodes += copy.episodes

    def bench_of(self, trial: Trial) -> SampleBench:
        """Return the bench that a trial of this step was made on. Raises KeyError for another step's."""
        for bench in self.benches.values():
            if any(episode.id == trial.episode for episode in bench.episodes):
                return bench
        raise KeyError(f"No bench of this step has episode {trial.episode}.")

    def episodes_made(self, *, skip: int = 0) -> list[Episode]:
        """Return every episode of the step, bench by bench, without the first `skip` of each bench."""
        episodes: list[Episode] = []
        for bench in self.benches.values():
            episodes += bench.episodes[skip:]
        return episodes

    def map(self, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str] = str) -> Iterator[R]:
        """Work on items in parallel; results in order. Model calls are counted for the item's name."""
        return self.executor.map(self, work, items, name)

    def counting_for(self, name: str) -> AbstractContextManager[None]:
        """Count the model calls of a block for `name`."""
        return mark_calls(name)

    def episodes(self, ids: Iterable[str]) -> Sequence[Episode]:
        """Return recorded episodes in the order they were made; ids that are not in the file are left out.

        Raises RuntimeError in a copy of the lab, which has no file.
        """
        wanted = sorted(set(ids))
        if not wanted:
            return ()
        if self._read_episodes is None:
            raise RuntimeError("A lab has no recorded episodes inside `map`: read them before.")
        return self._read_episodes(wanted)


def _add_artifacts(attempt: Attempt, workspace: GuardedWorkspace) -> Attempt:
    """Return an attempt with what is left of its workspace; a failed one where that cannot be told."""
    try:
        return replace(attempt, artifacts={**workspace.finish(), **attempt.artifacts})
    except WorkspaceFailed as error:
        return replace(attempt, error=attempt.error or str(error), failure=Failure.WORKSPACE)


def locate_label(trial: Trial, sources: str) -> Trial:
    """Add the text that sources found, and where the right answer stood in it.

    The place is known only where the feedback has the right answer, so labels are not told by it.
    """
    if not sources:
        return trial
    expected = trial.feedback.expected
    location = None
    if expected:
        location = locate_answer(sources, trial.sample.question, expected)
    return replace(trial, sources=(*trial.sources, sources), answer_location=location)
