"""Pages of runs: all of them, one with its progress and cost, its report, and accuracy over time."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from ace.errors import InputError
from ace.report import build_run_page, read_run_history, render_page
from ace.report.accuracy_chart import draw_accuracy_over_time
from ace.report.charts import draw_charts
from ace.report.pictures import Chart
from ace.report.run_progress import list_scores
from ace.runs.report import Report
from ace.runs.score import Score
from ace.servers.review.view import View

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE_SIZE = 50
_MOST_RUNS = 200  # in the chart
_SILENT = 120  # seconds without a sign after which a run that has not ended may be dead

_draw_accuracy = lru_cache(maxsize=8)(draw_accuracy_over_time)  # a second for four pictures


def list_runs(view: View) -> Response:
    """Return the runs, newest first."""
    page = view.read_number("page", 1)
    with view.open() as store:
        runs = store.run_summaries(page * PAGE_SIZE + 1)[::-1]
        shown = runs[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        scores = {run.id: Score.from_json(run.after) for run in shown if run.after}
        return view.render(
            "runs.html.j2",
            store,
            runs=shown,
            scores=scores,
            page=page,
            has_more=len(runs) > page * PAGE_SIZE,
        )


def show_run(view: View) -> Response:
    """Return one run: how far it is, what it took, how it scored. It says so anew while it goes on."""
    number = int(view.request.path_params["run"])
    with view.open() as store:
        progress = view.library.read_progress(store, number)
        run = progress.run
        silence = time.time() - progress.last_sign if progress.last_sign else 0.0
        return view.render(
            "run.html.j2",
            store,
            progress=progress,
            run=run,
            report=Report.from_json(run.report) if run.report else None,
            is_live=run.status == "running",
            silence=silence if silence > _SILENT else 0,
        )


def show_report(view: View) -> Response:
    """Return the report of a run, as `ace report` writes it. Without matplotlib it has no charts."""
    from starlette.responses import HTMLResponse

    with view.open() as store:
        page = build_run_page(read_run_history(store, int(view.request.path_params["run"])))
    try:
        charts = draw_charts(page)
    except InputError:
        charts = ()
    # The page brings its style with it, runs nothing and loads nothing.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return HTMLResponse(render_page(page, charts), headers={"content-security-policy": policy})


def show_accuracy(view: View) -> Response:
    """Return how runs scored over time, with intervals: as a chart, and as a table."""
    with view.open() as store:
        scores = list_scores(store.runs(_MOST_RUNS))
        charts: tuple[Chart, ...] = ()
        problem = ""
        try:
            charts = _draw_accuracy(scores) if scores else ()
        except InputError as error:
            problem = str(error)
        return view.render("accuracy.html.j2", store, scores=scores[::-1], charts=charts, problem=problem)
