"""Methods: what supplies context and learns, all behind one protocol."""

from __future__ import annotations

from ace.methods.ace import Ace
from ace.methods.evidence import Evidence
from ace.methods.protocol import Bench, Method, Trial

__all__ = ["Ace", "Bench", "Evidence", "Method", "Trial"]
