"""A lab without a run: attempts come out as a function says, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from ace.methods.protocol import Trial
from ace.playbook import Playbook
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Sample, Verdict

T = TypeVar("T")
R = TypeVar("R")
Right = Callable[[str, str], bool]
"""Tells whether the attempt at a sample, by its id, is right with the contents of a playbook, in one text."""


def shown(right: bool | None, **more: object) -> Feedback:
    """What labels show of an attempt."""
    return Feedback(FeedbackKind.LABELS, "rows", right, **more)  # type: ignore[arg-type]


@dataclass
class FakeBench:
    """Answers are right where `right` says so. `asked` keeps the samples in order, `tried` the playbooks.

    `feedback` makes what is shown of an attempt at a sample, once it is right or wrong.
    """

    right: Right = lambda sample, contents: True
    feedback: Callable[[Sample, bool], Feedback] = lambda sample, right: shown(right)
    purpose: str = "bench"
    asked: list[str] = field(default_factory=list)
    tried: list[Playbook] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    @property
    def calls_for(self) -> str:
        return self.purpose

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        self.asked.append(sample.id)
        self.tried.append(playbook)
        right = self.right(sample.id, " ".join(bullet.content for bullet in playbook.active))
        return self.record(sample, self.feedback(sample, right))

    def record(self, sample: Sample, feedback: Feedback) -> Trial:
        """Keep an attempt with the feedback that it got."""
        attempt = Attempt(sample.id, "right" if feedback.is_solved else "wrong")
        name = f"ep-{self.purpose}-{len(self.episodes)}"
        verdict = Verdict(bool(feedback.is_solved), float(bool(feedback.is_solved)), "")
        made = Episode(name, sample.id, sample.question, attempt, feedback, verdict, context_version=0)
        self.episodes.append(made)
        return Trial(sample, attempt, feedback, name)

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        return ()

    def seed(self, *parts: Hashable) -> int:
        return 0


class FakeLab:
    """The lab of one step, with a bench for each purpose: all of them as `right` and `feedback` say."""

    def __init__(
        self,
        right: Right = lambda sample, contents: True,
        *,
        settings: Settings | None = None,
        feedback: Callable[[Sample, bool], Feedback] = lambda sample, right: shown(right),
        phase: Phase | None = None,
        online: bool = False,
    ) -> None:
        self.right, self.feedback = right, feedback
        self.settings = settings or Settings()
        self.phase = phase or Phase(PhaseKind.EPOCH, 1)
        self.online = online
        self.benches: dict[str, FakeBench] = {}

    @property
    def asked(self) -> list[str]:
        """The samples that were attempted, bench by bench."""
        return [name for bench in self.benches.values() for name in bench.asked]

    def bench(self, purpose: str, *, phase: Phase | None = None) -> FakeBench:
        if purpose not in self.benches:
            self.benches[purpose] = FakeBench(self.right, self.feedback, purpose)
        return self.benches[purpose]

    def bench_of(self, trial: Trial) -> FakeBench:
        return self.bench(trial.sample.id)

    def map(self, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str] = str) -> Iterator[R]:
        return map(work, items)

    def counting_for(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def episodes(self, ids: Iterable[str]) -> Sequence[Episode]:
        wanted, benches = set(ids), self.benches.values()
        return [episode for bench in benches for episode in bench.episodes if episode.id in wanted]
