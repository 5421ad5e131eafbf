"""Tables of short texts, and their forms: for a terminal, Markdown, CSV, and HTML for notebooks.

Any cell may hold what a model wrote. So each form writes it as text: nothing in it becomes markup, and
characters that nobody would see are shown as their codes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from ace.errors import InputError
from ace.text.unicode import reveal_hidden

_LAST_COLUMN = 12  # characters that the last column has at the least: a table may be wider than a terminal


@dataclass(frozen=True, slots=True)
class Table:
    """Hold a table whose cells are texts already."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    right: Collection[int] = ()
    """The numbers of the columns that are flush right, from 0."""


def render_text(tables: Iterable[Table], width: int = 100) -> str:
    """Render tables for a terminal of so many columns, one below the other; the last column wraps."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    texts = []
    for table in tables:
        grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(table.title), title_justify="left")
        room = width  # for the last column, which wraps; names and numbers never do
        last = len(table.head) - 1
        for place, name in enumerate(table.head):
            justify: Literal["left", "right"] = "right" if place in table.right else "left"
            if place < last:
                widest = max(map(len, (name, *(reveal_hidden(row[place]) for row in table.rows))))
                grid.add_column(Text(name), justify=justify, no_wrap=True, min_width=widest)
                room -= widest + 3
            else:
                grid.add_column(Text(name), justify=justify, overflow="fold", min_width=_LAST_COLUMN)
        for row in table.rows:
            grid.add_row(*(Text(reveal_hidden(cell)) for cell in row))
        least = width + max(0, _LAST_COLUMN + 3 - room)
        console = Console(file=io.StringIO(), width=least, color_system=None, legacy_windows=False)
        with console.capture() as capture:
            console.print(grid)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        texts.append("\n".join(lines).strip("\n"))
    return "\n\n".join(texts)


def render_markdown(tables: Iterable[Table]) -> str:
    """Render tables as Markdown, each below its title."""
    texts = []
    for table in tables:
        rule = ["--:" if place in table.right else "---" for place in range(len(table.head))]
        lines = [f"## {_escape_markdown(table.title)}", ""]
        for row in (table.head, rule, *table.rows):
            cells = row if row is rule else [_escape_markdown(cell) for cell in row]
            lines.append(f"| {' | '.join(cells)} |")
        texts.append("\n".join(lines))
    return "\n\n".join(texts)


def _escape_markdown(cell: str) -> str:
    """Return a cell as one line of Markdown that shows it as it is."""
    line = " ".join(reveal_hidden(cell).split())
    for mark in "\\|`*[]<>":
        line = line.replace(mark, f"\\{mark}")
    return line


def render_html(tables: Iterable[Table], caption: str = "") -> str:
    """Render tables for a notebook. Every text is escaped."""
    parts = [f"<p>{_escape_html(caption)}</p>"] if caption else []
    for table in tables:
        parts.append(f"<table><caption>{_escape_html(table.title)}</caption><thead><tr>")
        parts += [f'<th scope="col">{_escape_html(name)}</th>' for name in table.head]
        parts.append("</tr></thead><tbody>")
        for row in table.rows:
            parts.append("<tr>")
            for place, cell in enumerate(row):
                align = "right" if place in table.right else "left"
                parts.append(f'<td style="text-align: {align}">{_escape_html(cell)}</td>')
            parts.append("</tr>")
        parts.append("</tbody></table>")
    return "".join(parts)


def _escape_html(text: str) -> str:
    """Return a text that no browser reads as markup."""
    return escape(reveal_hidden(text))


def render_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Render rows with the same keys as CSV with a head; what is None is an empty cell."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().rstrip("\n")


def build_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a data frame of pandas. Raises InputError where pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise InputError(
            "A data frame needs pandas, which is not installed.",
            hint="Install the extra `frames`: pip install 'ace-engine[frames]'. Rows need nothing.",
        ) from error
    return pandas.DataFrame.from_records(list(rows))
