"""The report of a finished run: scores before and after, what was learned, what it took.

A value that turns into JSON and back. Knows nothing of how the run was made or where it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ace.llm.client import Usage
from ace.playbook.model import Bullet, Status
from ace.runs.metrics import EpochChange
from ace.runs.run_text import render_report
from ace.runs.score import Score as Score

_SCORES = ("before", "after", "recorded", "recent")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compare version `new` with `old`, which was selected so far, in validation `phase`.

    `wins` are samples that only the new version got right, `losses` those that only the old one did, of
    `compared` samples. `asked` of `total` validation samples were enough to decide.
    """

    phase: str
    new: int
    old: int
    wins: int
    losses: int
    compared: int
    asked: int
    total: int
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold the result of one learn, online or eval run.

    Scores: `before` is None where nothing was measured before learning. `after` is the score of version
    `selected`; for online, of the answers as they were served. `recorded` is the score of the recorded
    attempts that were learned from, if any were; `skipped` others belong to held-out samples.

    Selection: `validated` says that a validation set chose `selected`. `comparisons` say how versions came
    to be selected or rejected, in order. `verified`: a lesson was kept only if solving its sample again with
    it succeeded. `stopped` is why the run ended early, else empty.

    Playbook: `playbook` is the path of its file. `learned` are the bullets that this run added or changed;
    `quarantined` of its `bullets` wait for proof and are not used. `versions` counts those that the run
    committed, `proposed` the deltas that asked to be kept. `epochs` summarise training samples that were
    asked more than once.

    Online: `recent` is the score of the last answers, as many as the run's window. `changes` are the numbers
    of answers after which a change for the worse was detected. `unjudged` answers have no feedback yet.

    `notes` say what else went wrong: why samples gave no answer, which documents were left out. `seconds` is
    wall-clock time, `usage` what calls took by role, `models` the model of each role.
    """

    kind: str
    task: str
    model: str
    playbook: str
    before: Score | None = None
    after: Score | None = None
    p_value: float | None = None
    bullets: int = 0
    versions: int = 0
    proposed: int = 0
    accepted: int = 0
    rejected: int = 0
    seconds: float = 0.0
    usage: Mapping[str, Usage] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    run: int = 0
    selected: int = 0
    validated: bool = False
    verified: bool = False
    stopped: str = ""
    learned: tuple[Bullet, ...] = ()
    quarantined: int = 0
    recorded: Score | None = None
    skipped: int = 0
    comparisons: tuple[Comparison, ...] = ()
    epochs: tuple[EpochChange, ...] = ()
    recent: Score | None = None
    changes: tuple[int, ...] = ()
    unjudged: int = 0
    notes: tuple[str, ...] = ()

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
