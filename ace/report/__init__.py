"""A run as a page to read: what the store holds of it, what that says, the charts, one HTML file."""

from __future__ import annotations

from ace.report.html_page import render, write
from ace.report.page_data import Dossier, gather
from ace.report.run_history import History, history

__all__ = ["Dossier", "History", "gather", "history", "render", "write"]
