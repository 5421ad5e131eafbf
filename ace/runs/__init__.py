"""Records and statistics of runs: metrics, cost, effects of bullets, and the report of a run."""

from __future__ import annotations

from ace.runs.metrics import mcnemar, wilson
from ace.runs.report import Report, Score

__all__ = ["Report", "Score", "mcnemar", "wilson"]
