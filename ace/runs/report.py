"""What a finished run reports: the scores before and after, what was learned, what it took.

A value that turns into JSON and back. Knows nothing of how the run was made or where it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ace.llm.client import Usage
from ace.playbook.model import Bullet, Status
from ace.runs.metrics import Turn, wilson


@dataclass(frozen=True, slots=True)
class Score:
    """Right answers of all that were asked. `errors` of them gave no answer, and count as wrong."""

    correct: int
    total: int
    errors: int = 0

    @property
    def accuracy(self) -> float:
        return self.correct / self.total if self.total else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        return wilson(self.correct, self.total)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "accuracy": self.accuracy, "ci95": list(self.ci95)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Score:
        return cls(data["correct"], data["total"], data["errors"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Version `new` met `old`, which was selected so far: `wins` samples only the new one got right, `losses`
    only the old one, of `compared`. `asked` of `total` samples were enough to decide. `phase` tells when.
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
    """One learn, online or eval run. `before` is None where nothing was measured before learning.

    `after` is the score of version `selected`; for online, of the answers as they were given. `validated`: a
    validation set chose `selected`. `verified`: a lesson was kept only if re-solving its sample with it
    succeeded. `stopped` is why the run ended early, else empty. `learned`: bullets this run added or changed;
    `quarantined`: how many of `bullets` wait for proof and are not used. `recorded`: the score of the
    recorded attempts that were learned from, if any were; `skipped` others are at held-out samples.
    `comparisons` are how versions came to be selected, or rejected, in order; `epochs` what
    became of training samples that were asked more than once.
    Online: `recent` is the score of the last answers, as many as the run's window; `changes` says after how
    many answers each change for the worse was found; `unjudged` answers have had no feedback yet.
    `notes` say what went wrong beside: why samples gave no answer, which documents were left out.
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
    epochs: tuple[Turn, ...] = ()
    recent: Score | None = None
    changes: tuple[int, ...] = ()
    unjudged: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints and the store keeps."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {
            "before": self.before and self.before.to_json(),
            "after": self.after and self.after.to_json(),
            "recorded": self.recorded and self.recorded.to_json(),
            "recent": self.recent and self.recent.to_json(),
            "changes": list(self.changes),
            "notes": list(self.notes),
            "usage": {role: asdict(usage) for role, usage in self.usage.items()},
            "models": dict(self.models),
            "learned": [asdict(bullet) for bullet in self.learned],
            "comparisons": [asdict(met) for met in self.comparisons],
            "epochs": [asdict(turn) for turn in self.epochs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Reads what `to_json` wrote; keys that a later release added are passed over."""
        known = {item.name for item in fields(cls)}
        plain = {name: value for name, value in data.items() if name in known}
        read: dict[str, Any] = {
            "before": plain.get("before") and Score.from_json(plain["before"]),
            "after": plain.get("after") and Score.from_json(plain["after"]),
            "recorded": plain.get("recorded") and Score.from_json(plain["recorded"]),
            "recent": plain.get("recent") and Score.from_json(plain["recent"]),
            "changes": tuple(plain.get("changes", ())),
            "notes": tuple(plain.get("notes", ())),
            "usage": {role: Usage(**usage) for role, usage in plain.get("usage", {}).items()},
            "learned": tuple(_bullet(bullet) for bullet in plain.get("learned", ())),
            "epochs": tuple(Turn(**turn) for turn in plain.get("epochs", ())),
            "comparisons": tuple(Comparison(**met) for met in plain.get("comparisons", ())),
        }
        return cls(**{**plain, **read})

    def __str__(self) -> str:
        from ace.runs.run_text import closing  # it imports this module

        return closing(self)


def _bullet(data: Mapping[str, Any]) -> Bullet:
    return Bullet(**{**data, "status": Status(data["status"]), "provenance": tuple(data["provenance"])})
