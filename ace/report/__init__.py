"""A run as a page to read: records from the store, their meaning as values, charts, and one HTML file."""

from __future__ import annotations

from ace.report.build_page import build_run_page
from ace.report.html_page import render_page, write_page
from ace.report.page_values import RunPage
from ace.report.run_history import RunHistory, read_run_history

__all__ = ["RunHistory", "RunPage", "build_run_page", "read_run_history", "render_page", "write_page"]
