"""How many answers were right, with what follows from it. Knows nothing of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ace.runs.metrics import wilson


@dataclass(frozen=True, slots=True)
class Score:
    """Count right answers."""

    correct: int
    """How many are right."""

    total: int
    """How many were asked."""

    errors: int = 0
    """How many of all gave no answer; they count as wrong."""

    @property
    def accuracy(self) -> float:
        """Return the share that is right, from 0 to 1; 0 where nothing was asked."""
        if not self.total:
            return 0.0
        return self.correct / self.total

    @property
    def ci95(self) -> tuple[float, float]:
        """Return the ends of the accuracy's 95% Wilson interval."""
        return wilson(self.correct, self.total)

    def to_json(self) -> dict[str, Any]:
        """Return the counts with what is computed from them."""
        return {**asdict(self), "accuracy": self.accuracy, "ci95": list(self.ci95)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Score:
        """Read what `to_json` wrote; what can be computed is computed again."""
        return cls(data["correct"], data["total"], data["errors"])
