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
    """Right answers of one step, or of neighbouring steps of a phase added up.

    `step` is the last of those steps, or the first step of a phase that only scores.
    """

    step: int
    phase: Phase
    correct: int
    total: int
    errors: int = 0

    @property
    def score(self) -> Score:
        """Return the same counts as a score, which has the interval."""
        return Score(self.correct, self.total, self.errors)


@dataclass(frozen=True, slots=True)
class Size:
    """A version's bullets in use, its bullets in quarantine, and the tokens that the former fill."""

    version: int
    active: int
    waiting: int
    tokens: int


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """A sample and its answers in two phases; an answer is empty where no episode is at hand."""

    sample: str
    question: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PhaseComparison:
    """Every sample that two phases scored, by its fate; `samples` are keyed by id."""

    before: str
    after: str
    flows: Flows
    samples: Mapping[str, SampleAnswers]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A bullet with its evidence."""

    bullet: Bullet
    new: bool
    """This run added or changed it. `proves` are the samples that prove it, `later` their attempts after that
    as (right, total). `unknown` are ids of episodes that are not in the file.
    """

    proves: tuple[str, ...]
    later: tuple[int, int]
    episodes: tuple[Episode, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RejectedProposal:
    """A rejected proposal: the changes it asked for, and the attempt that speaks against it."""

    proposal: Proposal
    changes: tuple[str, ...]
    question: str
    attempt: Episode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Hold everything that the page of a run says."""

    file: str
    """The path of the playbook file."""

    run: int

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
