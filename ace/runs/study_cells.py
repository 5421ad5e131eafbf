"""A study as values: which methods were run with which seeds on the same samples, and how each answer fared.

Pure: knows no file and no model. What follows from the numbers is in `study_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ace.llm.client import Usage

FLOOR = "zero_shot"
"""The method that every study has, unless it is left out: what a model does without any learning."""


class CellState(StrEnum):
    """Say how far a cell is. The values are stored: add to them, and never rename one."""

    PLANNED = "planned"
    RUNNING = "running"  # or cut off
    FAILED = "failed"  # an error ended it; it goes on like one that was cut off
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SampleScore:
    """Record how one test sample was answered."""

    sample: str
    """The id of the sample."""

    right: bool
    """Whether the answer got the full score, without an error."""

    score: float
    """From 0 to 1; 0 where there was an error."""

    error: str = ""
    """Why there is no answer, or none that counts; "" where there is one."""

    usage: Usage = Usage()  # noqa: RUF009 (it is frozen)
    """What its calls took."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Record how answers fared at one step of learning."""

    calls: int
    """The calls of all roles up to the end of the step."""

    tokens: int
    """The tokens that they read and wrote."""

    right: int
    total: int

    validation: bool
    """Whether validation samples were scored; else training samples, before they were learned from."""

    version: int
    """The version of the playbook after the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Record one method with one seed."""

    method: str
    """The name of the method, with its options as in "ace+no-refine"."""

    seed: int
    state: CellState = CellState.PLANNED

    file: str = ""
    """The playbook file of the cell, from the study's folder."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of its runs, as JSON."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """Those of the program that made it, by name."""

    started: str = ""
    """ISO 8601, UTC; "" before the start."""

    ended: str = ""
    """ISO 8601, UTC; "" until the cell is done."""

    error: str = ""
    """What ended it, for a cell that failed."""

    # What follows is known once the cell is done.
    answers: tuple[SampleScore, ...] = ()
    """One for each test sample, in the order of the task."""

    learning: Mapping[str, Usage] = field(default_factory=dict)
    """What learning took, by role."""

    scoring: Mapping[str, Usage] = field(default_factory=dict)
    """What answering the test samples took, by role."""

    learning_seconds: float = 0.0
    scoring_seconds: float = 0.0
    """By the clock on the wall, without the time between a stop and a resumption."""

    bullets: int = 0
    """How many bullets the playbook has in use."""

    playbook_tokens: float = 0.0
    """What the playbook took in the prompt of a test sample, on average."""

    curve: tuple[CurvePoint, ...] = ()
    """How answers fared while it learned, in order."""

    notes: tuple[str, ...] = ()
    """What a reader has to know beside the numbers: why answers failed, what was cut off."""

    @property
    def name(self) -> str:
        """Return what tells it from others, as "ace, seed 1"."""
        return f"{self.method}, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyBasis:
    """Hold what all cells of a study share: with another of these no two cells could be compared."""

    task: str
    """The name of the task."""

    data: Mapping[str, str]
    """A hash of each part of the task, by what the part is called."""

    models: Mapping[str, str]
    """The model of each role."""

    settings: Mapping[str, Any]
    """The settings that all methods begin with, as JSON."""

    def list_changes(self, other: StudyBasis) -> list[str]:
        """Return what `other` has changed, each as a phrase for people: "seed (0, now 1)".

        A setting that one of the two does not know yet has not changed.
        """
        phrases = []
        if self.task != other.task:
            phrases.append(f"the task ({self.task}, now {other.task})")
        for name in sorted({*self.data, *other.data}):
            if self.data.get(name) != other.data.get(name):
                phrases.append(f"the task's {name}")
        for label, old, new in (
            ("model of the ", self.models, other.models),
            ("setting ", self.settings, other.settings),
        ):
            for name in sorted(old.keys() & new.keys()):
                if old[name] != new[name]:
                    phrases.append(f"the {label}{name} ({old[name]}, now {new[name]})")
        return phrases

    def to_json(self) -> dict[str, Any]:
        """Return the object that a study file keeps."""
        return asdict(self)
