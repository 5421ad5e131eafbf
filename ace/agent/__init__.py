"""Solvers: how an attempt is made."""

from __future__ import annotations

from ace.agent.longform import LongForm
from ace.agent.solver import Ask, SingleCall, Solver

__all__ = ["Ask", "LongForm", "SingleCall", "Solver"]
