"""What a run amounts to: its metrics, its report, and the report as text."""

from __future__ import annotations

from ace.runs.metrics import mcnemar, wilson
from ace.runs.report import Report, Score

__all__ = ["Report", "Score", "mcnemar", "wilson"]
