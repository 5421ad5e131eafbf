"""Rows of somebody's file as they were read, with what was left out and why.

Knows no file format and no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ace.errors import InputError

MOST_ROWS = 20_000
"""Rows that are kept in memory: a sample of a larger file says as much about its columns."""

_MOST_REASONS = 1_000  # rows that are named with the reason why they were left out


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Hold what somebody says about a file, where it cannot be told from the file itself."""

    encoding: str = ""
    """Python's name of an encoding; "" to find out."""

    delimiter: str = ""
    """The character between cells; "" to find out."""

    sheet: str = ""
    """The sheet of a spreadsheet; "" for the first one with rows."""

    header: bool = True
    """Whether the first row holds the names of the columns."""

    most: int = MOST_ROWS
    """How many rows are kept; of more, a sample is drawn."""

    seed: int = 0
    """Draws that sample."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Hold one row: its values by column, and the line or row number where it begins, from 1."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTable:
    """Hold the rows of a file, in its order."""

    file: str
    """The name that messages call it by."""

    columns: tuple[str, ...]
    """The names of its columns, no two alike."""

    rows: tuple[SourceRow, ...]
    """All of them, or a sample where there are more than `ReadOptions.most`."""

    total: int
    """How many rows the file has that can be read."""

    notes: tuple[str, ...] = ()
    """How it was read, in sentences for people."""

    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why rows were left out, by place, as "tickets.csv:17"."""

    def column(self, name: str) -> list[Any]:
        """Return the values of one column, in the order of the rows; "" where a row has none."""
        return [row.values.get(name, "") for row in self.rows]


class RowCollector:
    """Collect the rows of a file as they are read, and draw a sample when they become too many.

    The sample is Algorithm R's (Vitter, ACM TOMS 11, 1985), so a file of any size takes as much memory as
    `most` rows. The same seed and file give the same sample.
    """

    def __init__(self, file: str, most: int, seed: int) -> None:
        self.file = file
        self.total = 0
        self.left_out: dict[str, str] = {}
        self._most = most
        self._random = Random(seed)  # noqa: S311 (a sample, no secret)
        self._rows: list[SourceRow] = []
        self._refused = 0

    def add(self, line: int, values: Mapping[str, Any]) -> None:
        """Take a row in, which may not become part of the sample."""
        self.total += 1
        row = SourceRow(line, values)
        if len(self._rows) < self._most:
            self._rows.append(row)
            return
        place = self._random.randrange(self.total)
        if place < self._most:
            self._rows[place] = row

    def leave_out(self, line: int, reason: str) -> None:
        """Note a row that cannot be used, with the reason. After a thousand they are only counted."""
        self._refused += 1
        if len(self.left_out) < _MOST_REASONS:
            self.left_out[f"{self.file}:{line}"] = reason

    def finish(self, columns: Iterable[str], notes: Iterable[str]) -> RowTable:
        """Return the table of what was collected.

        Raises InputError where there is no row, and where at least as many were left out as could be read:
        the file is another one than it was taken for.
        """
        first = next((f"The first: {place}: {why}." for place, why in self.left_out.items()), "")
        if not self.total and not self._refused:
            hint = "The first row names the columns, and each row after it is one question with its answer."
            raise InputError(f"{self.file} holds no rows.", hint=hint, file=self.file)
        if self._refused and self._refused >= self.total:
            every = self.total + self._refused
            message = f"{self.file}: {self._refused} of {every} rows cannot be read. {first}"
            hint = "Is it the right file, with the right --delimiter, --encoding and --sheet?"
            raise InputError(message, hint=hint, file=self.file)
        texts = list(notes)
        if self.total > len(self._rows):
            texts.append(
                f"it has {self.total:,} rows: {len(self._rows):,} of them, drawn by the seed, are looked at"
            )
        if self._refused > len(self.left_out):
            texts.append(f"{self._refused - len(self.left_out):,} more rows were left out and are not named")
        return RowTable(
            file=self.file,
            columns=tuple(columns),
            rows=tuple(sorted(self._rows, key=lambda row: row.line)),
            total=self.total,
            notes=tuple(texts),
            left_out=self.left_out,
        )


def name_columns(header: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return a name for each cell of a header, no two alike, and the names that stand there more than once.

    A cell without text becomes "column 3" by its place; the second "answer" becomes "answer.2".
    """
    names: list[str] = []
    repeated: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = " ".join(str(cell).split()) or f"column {place}"
        number = 1
        unique = name
        while unique in names:
            number += 1
            unique = f"{name}.{number}"
        if number > 1 and name not in repeated:
            repeated.append(name)
        names.append(unique)
    return names, repeated


def fit_cells(names: list[str], cells: list[Any]) -> dict[str, Any] | str:
    """Return the cells by the names of their columns, or why they do not fit.

    Cells that are missing at the end are empty, and empty ones too many do not count. So a row without an
    answer is refused for that, and not for its length.
    """
    while len(cells) > len(names) and not str(cells[-1]).strip():
        cells = cells[:-1]
    if len(cells) > len(names):
        return (
            f"{len(cells)} cells, and the header has {len(names)}: a separator within a text needs quotation "
            "marks around the text"
        )
    return dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=True))
