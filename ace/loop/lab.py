"""Solving samples on behalf of a method or an evaluation, and recording every attempt as an episode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from threading import Event

from ace.agent.citing import cited
from ace.agent.solver import Solver
from ace.context.answer_location import stood
from ace.context.assemble import Assembled
from ace.errors import AceError, ContextError
from ace.loop.options import seed_of
from ace.methods.protocol import Trial
from ace.playbook.model import Playbook
from ace.task.scoring import score_attempt
from ace.task.types import (
    Attempt,
    Episode,
    FeedbackKind,
    Outcome,
    Sample,
    Task,
    Verdict,
)

_TEMPERATURE = 0.7  # of further attempts at a sample: at 0 they would only say the same again


class RunStopped(AceError):
    """Raised in the threads of a run that another thread has ended."""


@dataclass(slots=True)
class Bench:
    """For one `purpose` (a sample, a subject) in one phase. `episodes` are in the order they were made.

    `context_tokens` (of the playbook), `left_out` and `retrieved` (tokens by source) tell of the context of
    the first attempt, `judge_error` why it could not be scored; `unlucky`: it was wrong, and another one
    right. The verdict goes into the record and the metrics; a trial, which a method sees, has none.
    """

    task: Task
    solver: Solver
    context: Callable[[Sample, Playbook], Assembled]
    feedback: FeedbackKind
    run_seed: int
    version: int
    phase: str
    purpose: str
    stop: Event
    agreement: int = 1
    episodes: list[Episode] = field(default_factory=list)
    context_tokens: int = 0
    left_out: tuple[str, ...] = ()
    retrieved: dict[str, int] = field(default_factory=dict)
    unlucky: bool = False
    judge_error: str = ""

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        """`draw` 0 is the attempt that counts; others differ in seed and temperature."""
        if self.stop.is_set():
            raise RunStopped("The run has ended; this attempt was not made.")
        attempt, context = self.attempt(sample, playbook, draw=draw)
        outcome = score_attempt(self.task.environment, sample, attempt)
        trial = self.record(sample, attempt, outcome, context=context.shown)
        return with_found(trial, context.found)

    def attempt(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> tuple[Attempt, Assembled]:
        """An attempt that is not judged or recorded yet, and what it was shown."""
        try:
            context = self.context(sample, playbook)
        except ContextError as error:  # the sample's own fault: it counts as wrong, with its reason
            return Attempt(sample.id, "", error=f"{type(error).__name__}: {error}"), Assembled("", "", 0, 0)
        if not self.episodes:
            self._note(context)
        if draw:
            seed = self.seed("solve", sample.id, draw)
            return self.solver(sample, context, temperature=_TEMPERATURE, seed=seed), context
        return self.solver(sample, context, seed=self.seed("solve", sample.id)), context

    def _note(self, context: Assembled) -> None:
        self.context_tokens = context.playbook_tokens
        self.left_out = tuple(f"{left.source}: {left.reason}" for left in context.left_out)
        for item in context.items:
            self.retrieved[item.source] = self.retrieved.get(item.source, 0) + item.tokens

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        return tuple(self.solve(sample, playbook, draw=draw) for draw in range(1, self.agreement))

    def record(
        self,
        sample: Sample,
        attempt: Attempt,
        outcome: Outcome,
        *,
        context: str = "",
        provable: bool = True,
    ) -> Trial:
        """Keep an attempt, made here or elsewhere, as an episode. One made without bullets used none."""
        place = (self.phase, self.purpose, len(self.episodes))  # two samples may try the same on a neighbour
        feedback, verdict = outcome.shown(self.feedback), outcome.verdict
        if not self.episodes:
            self.judge_error = outcome.judge_error
        name = _episode_id(self.task.name, sample.id, *place, context, attempt.text)
        self.episodes.append(
            Episode(name, sample.id, sample.question, attempt, feedback, verdict, self.version, self.phase)
        )
        parts = tuple(fact.text for fact in feedback.parts) if context and feedback.facts else ()
        named = tuple(bullet for bullet in cited(attempt.text) if f"[{bullet}]" in context)
        checked = provable and feedback.checked
        return Trial(sample, attempt, feedback, name, provable, parts, checked, named)

    def seed(self, *parts: Hashable) -> int:
        return seed_of(self.run_seed, self.phase, *parts)

    @property
    def verdict(self) -> Verdict:
        """Of the first attempt: the one that counts."""
        return self.episodes[0].verdict


def with_found(trial: Trial, found: str) -> Trial:
    """What sources found, and where the right answer stood in it, as far as labels may be shown."""
    if not found:
        return trial
    gold = trial.feedback.label_error or trial.feedback.expected
    standing = stood(found, trial.sample.question, gold) if gold else None
    return replace(trial, shown=(found,), found=standing)


def _episode_id(*parts: Hashable) -> str:
    """Depends on what happened only, so the same work gives the same ids and the same hashes."""
    return f"ep-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"
