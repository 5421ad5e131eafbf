"""A run as a page to read: what the store holds of it, what that says, the charts, one HTML file."""

from __future__ import annotations

from ace.runs.dossier.gather import Dossier, gather
from ace.runs.dossier.history import History, history
from ace.runs.dossier.page import render, write

__all__ = ["Dossier", "History", "gather", "history", "render", "write"]
