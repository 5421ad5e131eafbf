"""The report of a finished run: scores before and after, what was learned, what it took.

A value that turns into JSON and back. Knows nothing of how the run was made or where it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from ace.llm.client import Usage
from ace.playbook.model import Bullet, Status
from ace.runs.metrics import EpochChange
from ace.runs.run_text import render_report
from ace.runs.score import Score as Score


class LearningEnd(StrEnum):
    """Say why learning ended. The values are stored."""

    COMPLETE = "complete"  # all samples were gone over, or the method saw no use in more
    BUDGET = "budget"  # its calls were used up (the setting `calls`)


_SCORES = ("before", "after", "recorded", "recent")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compare a version with the one that was selected so far, on validation samples."""

    phase: str
    """The validation phase that decided, as text."""

    new: int
    """The version that was tried."""

    old: int
    """The version that was selected so far."""

    wins: int
    """How many samples only the new version got right."""

    losses: int
    """How many only the old one got right."""

    compared: int
    """Of how many samples those are: the ones that could be compared."""

    asked: int
    """How many validation samples were enough to decide."""

    total: int
    """How many validation samples there are."""

    accepted: bool
    """Whether the new version was selected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold the result of one run: learn, online, eval or agent."""

    kind: str
    """The kind of the run: learn, online, eval or agent."""

    task: str
    """The name of the task."""

    model: str
    """The model that attempts samples, or "agent/" and the name of somebody's own agent."""

    playbook: str
    """The path of the playbook file."""

    before: Score | None = None
    """The score before learning; None where nothing was measured then."""

    after: Score | None = None
    """The score of version `selected`; for online, of the answers as they were served."""

    p_value: float | None = None
    """Of McNemar's test between both scores; None where their samples are not the same."""

    bullets: int = 0
    """How many bullets the playbook has, those in quarantine included."""

    versions: int = 0
    """How many versions the run committed."""

    proposed: int = 0
    """How many deltas asked to be kept."""

    accepted: int = 0
    """How many of them were kept."""

    rejected: int = 0
    """How many of them were not."""

    seconds: float = 0.0
    """Wall-clock time."""

    usage: Mapping[str, Usage] = field(default_factory=dict)
    """What calls took, by role."""

    models: Mapping[str, str] = field(default_factory=dict)
    """The model of each role."""

    run: int = 0
    """The run's number in the playbook file."""

    selected: int = 0
    """The version that it chose, or evaluated."""

    validated: bool = False
    """Whether a validation set chose `selected`."""

    verified: bool = False
    """Whether a lesson was kept only if solving its sample again with it succeeded."""

    stopped: str = ""
    """Why the run ended early; "" where it did not."""

    learning_calls: int = 0
    """How many calls learning took: those of all roles, without those that only scored or chose a version."""

    learning_end: LearningEnd = LearningEnd.COMPLETE
    """Why learning ended."""

    learned: tuple[Bullet, ...] = ()
    """The bullets in use that this run added or changed."""

    quarantined: int = 0
    """How many of `bullets` wait for proof and are not used."""

    recorded: Score | None = None
    """The score of the recorded attempts that were learned from; None where there were none."""

    skipped: int = 0
    """How many recorded attempts were left out because they belong to held-out samples."""

    comparisons: tuple[Comparison, ...] = ()
    """How versions came to be selected or rejected, in order."""

    epochs: tuple[EpochChange, ...] = ()
    """Summaries of training samples that were asked more than once."""

    recent: Score | None = None
    """For online, the score of the last answers, as many as the run's window; else None."""

    changes: tuple[int, ...] = ()
    """For online, the numbers of answers after which a change for the worse was detected."""

    unjudged: int = 0
    """How many answers have no feedback yet."""

    notes: tuple[str, ...] = ()
    """What else went wrong: why samples gave no answer, which documents were left out."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints and the store keeps."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in _SCORES:
            data[name] = data[name] and data[name].to_json()
        for name in ("learned", "comparisons", "epochs"):
            data[name] = [asdict(item) for item in data[name]]
        for name in ("changes", "notes"):
            data[name] = list(data[name])
        data["usage"] = {role: asdict(usage) for role, usage in self.usage.items()}
        data["models"] = dict(self.models)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Read what `to_json` wrote; keys that a later release added are ignored.

        What an earlier release did not write has its default. Raises TypeError where `kind`, `task`, `model`
        or `playbook` are missing.
        """
        names = {item.name for item in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in data.items() if name in names}
        for name in _SCORES:
            if values.get(name):
                values[name] = Score.from_json(values[name])
        values["learning_end"] = LearningEnd(values.get("learning_end", LearningEnd.COMPLETE))
        values["changes"] = tuple(values.get("changes", ()))
        values["notes"] = tuple(values.get("notes", ()))
        values["usage"] = {role: Usage(**usage) for role, usage in values.get("usage", {}).items()}
        learned = []
        for bullet in values.get("learned", ()):
            status = Status(bullet["status"])
            provenance = tuple(bullet["provenance"])
            learned.append(Bullet(**{**bullet, "status": status, "provenance": provenance}))
        values["learned"] = tuple(learned)
        values["epochs"] = tuple(EpochChange(**epoch) for epoch in values.get("epochs", ()))
        values["comparisons"] = tuple(Comparison(**pair) for pair in values.get("comparisons", ()))
        return cls(**values)

    def __str__(self) -> str:
        """Return the text that closes a run on the command line."""
        return render_report(self)

    def _repr_html_(self) -> str:
        """Return the report as tables for a notebook; every text is escaped."""
        from ace.runs.run_table import render_report_html

        return render_report_html(self)
