"""One HTML file that holds everything, and the charts beside it as PNG files.

Every text in a dossier may come from a model: the template escapes all of it, characters that hide or
reorder text are shown as their codes, no text becomes an address or an id, and the page forbids itself
scripts and every other resource. It folds and needs no script, so that a long run opens as well.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError
from ace.report.charts import Chart, charts
from ace.report.page_data import WINDOW, Dossier, interval
from ace.runs.run_text import cost_text, counted

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "report.html"
_LONGEST = 1_500  # characters of one text; the playbook file has the rest
# Controls but tab and line feed, marks that change the direction of text, halves of surrogate pairs.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def write(dossier: Dossier, folder: Path) -> tuple[Path, ...]:
    """The page and its charts, in `folder`, which is made. The page comes first in what is returned."""
    drawn = charts(dossier)
    contents = {PAGE: render(dossier, drawn).encode("utf-8")}
    contents |= {f"{chart.name}.png": chart.light for chart in drawn}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{folder} is a file.", hint="Give a folder with --out.") from error
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)


def render(dossier: Dossier, drawn: Iterable[Chart] = ()) -> str:
    """The page as text. The same dossier and charts give the same page."""
    style = files("ace.report").joinpath("page.css").read_text("utf-8")
    template = _templates().get_template("page.html.j2")
    return template.render(d=dossier, charts=tuple(drawn), style=style, window=WINDOW)


def visible(text: object) -> str:
    """Nothing hidden, nothing endless."""
    plain = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text).replace("\r\n", "\n"))
    more = len(plain) - _LONGEST
    return plain if more <= 0 else f"{plain[:_LONGEST]} [... {more:,} more characters]"


def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("ace.report", ".")
    found = Environment(
        loader=loader, undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    found.filters.update(
        visible=visible, data=_data, counted=counted, cost=cost_text, rate=_rate, folded=_folded
    )
    return found


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _rate(correct: int, total: int) -> str:
    share, low, high = interval(correct, total)
    return f"{share:.1%} (95% interval {low:.1%} to {high:.1%})"


def _folded(items: Iterable[Any], size: int) -> Iterator[tuple[int, int, list[Any]]]:
    """(first, last, items) of each page, counted from 1."""
    everything = list(items)
    for start in range(0, len(everything), size):
        part = everything[start : start + size]
        yield start + 1, start + len(part), part
