"""Solvers make the attempts at samples."""

from __future__ import annotations

from ace.agent.generator import Draw, Generator
from ace.agent.outline import LongForm
from ace.agent.solver import SingleCall, Solver
from ace.agent.writer import Writer

__all__ = ["Draw", "Generator", "LongForm", "SingleCall", "Solver", "Writer"]
