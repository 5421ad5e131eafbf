"""One HTML file that holds everything, and the charts beside it as PNG files.

Every text of a run may come from a model. So the template escapes all of it, characters that hide or reorder
text are shown as their codes, and no text becomes an address or an id. The page forbids itself scripts and
every other resource. It folds without a script, so that a long run opens as well.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError
from ace.report.charts import draw_charts
from ace.report.page_values import WINDOW, RunPage
from ace.report.pictures import Chart
from ace.runs.report import Score
from ace.runs.run_text import format_cost, format_count, name_scores
from ace.text.plain_file import name_faults
from ace.text.unicode import reveal_hidden

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "report.html"
_LONGEST = 1_500  # characters of one text; the playbook file has the rest


def write_page(page: RunPage, folder: Path) -> tuple[Path, ...]:
    """Write the page and its charts into `folder`, which is made; return their paths, the page first.

    Raises InputError where `folder` is a file, as `draw_charts` does, and OSError with the file's name where
    it cannot be written.
    """
    charts = draw_charts(page)
    contents = {PAGE: render_page(page, charts).encode("utf-8")}
    for chart in charts:
        contents[f"{chart.name}.png"] = chart.light
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{folder} is a file.", hint="Give a folder with --out.") from error
    for name, content in contents.items():
        with name_faults(folder / name):
            (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)


def render_page(page: RunPage, charts: Iterable[Chart] = ()) -> str:
    """Render the page as text; the same values and charts give the same page."""
    return render_template("page.html.j2", page=page, charts=tuple(charts), window=WINDOW)


def render_template(name: str, **values: Any) -> str:
    """Render a template of this package with the style of its pages. Every text is escaped."""
    return open_templates().get_template(name).render(style=read_style(), **values)


def read_style() -> str:
    """Return the style of our pages, with its colours for light and dark as variables."""
    return files("ace.report").joinpath("page.css").read_text("utf-8")


@cache
def open_templates(*packages: str) -> Environment:
    """Return the templates of these packages and of this one, compiled once. Every text is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, "ace.report")]),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        reveal=_reveal,
        reveal_all=_reveal_all,
        embed=_embed_png,
        format_count=format_count,
        format_cost=format_cost,
        format_rate=_format_rate,
        name_scores=name_scores,
        paginate=_paginate,
    )
    return templates


def _reveal_all(text: object) -> str:
    """Show characters that nobody would see as their codes."""
    return reveal_hidden(str(text).replace("\r\n", "\n"))


def _reveal(text: object) -> str:
    """Show characters that nobody would see as their codes, and cut endless texts."""
    plain = _reveal_all(text)
    more = len(plain) - _LONGEST
    if more <= 0:
        return plain
    return f"{plain[:_LONGEST]} [... {more:,} more characters]"


def _embed_png(png: bytes) -> str:
    """Return a picture as an address that holds it, since the page may load nothing."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _format_rate(correct: int, total: int) -> str:
    """Return an accuracy with its 95% interval."""
    score = Score(correct, total)
    low, high = score.ci95
    return f"{score.accuracy:.1%} (95% interval {low:.1%} to {high:.1%})"


def _paginate(items: Iterable[Any], size: int) -> Iterator[tuple[int, int, list[Any]]]:
    """Yield (first, last, items) of each page, counted from 1."""
    everything = list(items)
    for start in range(0, len(everything), size):
        part = everything[start : start + size]
        yield start + 1, start + len(part), part
