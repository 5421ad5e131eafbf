"""A run as a page to read: records from the store, their meaning as values, charts, and one HTML file.

Its modules:

    run_history   the records of a run, read once
    build_page    from records to values
    page_values   these values
    charts        pictures of them
    pictures      how these are drawn
    html_page     the page
    study_page    the page of a study, whose methods are compared
    study_charts  its pictures
    review_queue     what waits for a person, and what stands behind it
    version_changes  what a version changed, with the texts before and after
    run_progress     how far a run is, and scores of all runs
    accuracy_chart   a picture of these
    cost_table    what calls took, as text
    credit_table  what bullets are credited with, as text
    run_spans     a run as spans
    otel_export   these for a file, or for OpenTelemetry
    reproduce     the command that makes a run again
"""

from __future__ import annotations

from ace.report.build_page import build_run_page
from ace.report.html_page import render_page, write_page
from ace.report.otel_export import export_run
from ace.report.page_values import RunPage
from ace.report.run_history import RunHistory, read_run_history
from ace.report.study_page import build_study_page

__all__ = [
    "RunHistory",
    "RunPage",
    "build_run_page",
    "build_study_page",
    "export_run",
    "read_run_history",
    "render_page",
    "write_page",
]
