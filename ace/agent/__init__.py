"""Solvers: how an attempt is made."""

from __future__ import annotations

from ace.agent.generator import Answer, Generator
from ace.agent.outline import LongForm
from ace.agent.solver import Ask, SingleCall, Solver
from ace.agent.writer import Writer

__all__ = ["Answer", "Ask", "Generator", "LongForm", "SingleCall", "Solver", "Writer"]
