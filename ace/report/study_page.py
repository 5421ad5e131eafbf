"""A study as one HTML file with its charts inside: it loads nothing, and runs no script.

What a model or an endpoint said, such as the error of an answer, is escaped like every other text.
"""

from __future__ import annotations

from collections.abc import Iterable

from ace.report.html_page import render_template
from ace.report.pictures import Chart
from ace.report.study_charts import draw_study_charts
from ace.runs.study_cells import CellState
from ace.runs.study_report import Study
from ace.runs.text_tables import Table


def build_study_page(study: Study) -> str:
    """Return the page of a study with its charts. Raises InputError where matplotlib is not installed."""
    return render_study_page(study, draw_study_charts(study))


def render_study_page(study: Study, charts: Iterable[Chart] = ()) -> str:
    """Render the page as text; the same study and charts give the same page."""
    return render_template(
        "study.html.j2", study=study, charts=tuple(charts), samples=_tabulate_samples(study)
    )


def _tabulate_samples(study: Study) -> Table:
    """Return a row for each test sample: in how many seeds each method had it right, and the errors met."""
    cells = [cell for cell in study.cells if cell.state is CellState.DONE]
    methods = list(dict.fromkeys(cell.method for cell in cells))
    right: dict[str, dict[str, int]] = {}
    errors: dict[str, list[str]] = {}
    for cell in cells:
        for answer in cell.answers:
            counts = right.setdefault(answer.sample, dict.fromkeys(methods, 0))
            counts[cell.method] += answer.right
            if answer.error:
                errors.setdefault(answer.sample, []).append(f"{cell.name}: {answer.error}")
    rows = []
    for sample, counts in right.items():
        rows.append((sample, *map(str, counts.values()), "; ".join(errors.get(sample, ()))))
    return Table("Samples", ("sample", *methods, "errors"), tuple(rows), right=range(1, len(methods) + 1))
