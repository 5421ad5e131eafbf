"""Methods: what supplies context and learns, all behind one protocol."""

from __future__ import annotations

from ace.methods.protocol import Bench, Method, Trial

__all__ = ["Bench", "Method", "Trial"]
