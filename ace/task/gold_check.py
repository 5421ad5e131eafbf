"""Score what must be right and what must be wrong: each row's own gold answer, and doing nothing.

A row whose gold answer fails measures nothing, and so does one that doing nothing gets right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from ace.errors import WorkspaceFailed
from ace.task.guarded_call import call_with_limit
from ace.task.guarded_scoring import score_attempt
from ace.task.guarded_workspace import CALL_SECONDS, open_workspace
from ace.task.samples import iterate_samples
from ace.task.types import Attempt, Outcome, Sample, Task


@runtime_checkable
class Answering(Protocol):
    """Environments that know a right attempt at a sample. From labels only."""

    def make_gold_attempt(self, sample: Sample) -> Attempt | None:
        """Return an attempt that has to get the full score; None where no right answer is known."""
        ...


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Hold how the gold answer of a row scores, and doing nothing."""

    split: str
    sample: Sample
    gold: Outcome
    nothing: Outcome

    @property
    def gold_problem(self) -> str:
        """Return why the gold answer is not right; "" where it is."""
        if self.gold.correct:
            return ""
        reason = self.gold.judge_error or self.gold.label_error or self.gold.detail
        return reason or f"it scores {self.gold.score or 0.0:g}"


def check_gold(task: Task) -> Iterator[RowCheck]:
    """Score the gold answer of every row, and an empty attempt, one row after another.

    Rows without a gold answer are left out: all of them where the environment is not `Answering`.
    """
    environment = task.environment
    if not isinstance(environment, Answering):
        return
    for split, sample in iterate_samples(task):
        try:
            attempt = call_with_limit(partial(environment.make_gold_attempt, sample), CALL_SECONDS)
        except (
            Exception,
            SystemExit,
        ) as error:  # of somebody's own code, or of a service that does not start
            gold = Outcome(judge_error=f"{type(error).__name__}: {error}")
        else:
            if attempt is None:
                continue
            gold = score_attempt(environment, sample, attempt)
        try:
            with open_workspace(environment, sample) as workspace:
                artifacts = workspace.finish() if workspace else {}
            idle = Attempt(sample.id, "", artifacts=artifacts)
        except WorkspaceFailed as error:
            idle = Attempt(sample.id, "", error=str(error))
        yield RowCheck(split, sample, gold, nothing=score_attempt(environment, sample, idle))
