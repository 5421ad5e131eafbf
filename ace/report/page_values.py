"""Values that a run's page is made of. Pure: no file, no charts, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ace.llm.client import Usage
from ace.playbook.model import Bullet
from ace.runs.metrics import Flows
from ace.runs.records import Proposal
from ace.runs.report import Report, Score
from ace.runs.steps import Phase
from ace.task.types import Episode

WINDOW = 20  # answers that the moving accuracy of an online run counts


@dataclass(frozen=True, slots=True)
class Point:
    """Count right answers of one step, or of neighbouring steps of a phase added up."""

    step: int
    """The last of those steps, or the first step of a phase that only scores."""

    phase: Phase

    correct: int
    """How many answers are right."""

    total: int
    """How many samples were asked."""

    errors: int = 0
    """How many of them gave no answer."""

    @property
    def score(self) -> Score:
        """Return the same counts as a score, which has the interval."""
        return Score(self.correct, self.total, self.errors)


@dataclass(frozen=True, slots=True)
class Size:
    """Measure a version's playbook."""

    version: int

    active: int
    """How many bullets are in use."""

    waiting: int
    """How many are in quarantine."""

    tokens: int
    """What the bullets in use take."""


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """Hold a sample and its answers in two phases."""

    sample: str
    question: str

    before: str
    """The answer in the earlier phase; "" where no episode is at hand."""

    after: str
    """The answer in the later one; "" where no episode is at hand."""


@dataclass(frozen=True, slots=True)
class PhaseComparison:
    """Sort every sample that two phases scored by its fate."""

    before: str
    """The earlier phase, as text."""

    after: str
    """The later phase, as text."""

    flows: Flows
    """The ids of the samples, by fate."""

    samples: Mapping[str, SampleAnswers]
    """The answers, by the id of the sample."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Hold a bullet with its evidence."""

    bullet: Bullet

    new: bool
    """Whether this run added or changed it."""

    proves: tuple[str, ...]
    """The samples that prove it."""

    later: tuple[int, int]
    """The attempts at those samples after they had proven it, as (right, total)."""

    episodes: tuple[Episode, ...]
    """The episodes that the bullet names, as far as they are in the file."""

    unknown: tuple[str, ...]
    """Ids of episodes that are not in the file."""


@dataclass(frozen=True, slots=True)
class RejectedProposal:
    """Hold a rejected proposal, and what speaks against it."""

    proposal: Proposal

    changes: tuple[str, ...]
    """What it asked for, a text for each operation."""

    question: str
    """The question of its sample; "" where no episode of it is at hand."""

    attempt: Episode | None
    """The attempt that speaks against it; None where none is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Hold everything that the page of a run says."""

    file: str
    """The path of the playbook file."""

    run: int
    """The number of the run."""

    kind: str
    """The kind of the run: learn, online, eval or agent."""

    task: str
    """The name of the task."""

    model: str
    """The model of the generator; "" where the run does not name it."""

    status: str
    """How the run ended, or that it still runs."""

    report: Report | None
    """None until the run has ended, and for one that failed."""

    points: tuple[Point, ...]
    """Right answers of its steps, by phase."""

    moving: tuple[tuple[int, int], ...]
    """Accuracy over the last WINDOW answers of an online run, as (right, counted), after each answer."""

    sizes: tuple[Size, ...]
    """The first and the last version, and evenly spaced ones between."""

    changes: tuple[PhaseComparison, ...]
    """What became of samples from one scoring to the next."""

    lessons: tuple[Lesson, ...]
    """Bullets of the playbook it ended with."""

    refuted: tuple[RejectedProposal, ...]
    """What the run proposed in vain."""

    proposed: int
    """How many proposals there were, accepted ones included."""

    usage: Mapping[str, Usage]
    """What calls took, by role."""

    causes: Mapping[str, int]
    """How often the method noted each cause of a failure, the most frequent first."""

    command: str
    """The command that repeats the run."""

    settings: tuple[tuple[str, str], ...]
    """Names and values that decide the run or identify it."""
