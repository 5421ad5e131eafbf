"""Sheets of Excel and OpenDocument files, through the library calamine (the extra `spreadsheets`).

Cells hold what was computed when the file was saved; formulas are not computed here.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from ace.errors import InputError
from ace.task.new_task.row_table import ReadOptions, RowCollector, RowTable, fit_cells, name_columns


def read_spreadsheet(file: Path, options: ReadOptions) -> RowTable:
    """Return the rows of one sheet: the one that was named, or the first that has any.

    Raises InputError where the library is not installed, with the command that installs it; for a file that
    is no spreadsheet or has a password; and for a sheet that is not there.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError
    except ImportError as error:
        hint = "Install it: pip install 'ace-engine[spreadsheets]'. Or save the sheet as .csv."
        raise InputError(f"{file} needs the library python-calamine.", hint=hint, file=str(file)) from error
    try:
        with CalamineWorkbook.from_path(file) as book:
            names = list(book.sheet_names)
            if options.sheet and options.sheet not in names:
                hint = f"It has: {', '.join(names)}."
                raise InputError(f"{file} has no sheet {options.sheet!r:.40}.", hint=hint, file=str(file))
            chosen = ""
            rows: list[list[Any]] = []
            for name in [options.sheet] if options.sheet else names:
                rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                chosen = name
                if rows:
                    break
    except PasswordError as error:
        hint = "Save it without one."
        raise InputError(f"{file} is protected by a password.", hint=hint, file=str(file)) from error
    except CalamineError as error:
        hint = "Open it, and save it again as .xlsx or .csv."
        raise InputError(f"{file} is no spreadsheet that can be read ({error}).", hint=hint) from error
    collector = RowCollector(f"{file.name}[{chosen}]", options.most, options.seed)
    cells = [[_write_cell(value) for value in row] for row in rows]
    first = 0
    while first < len(cells) and not any(cells[first]):  # empty rows above the table
        first += 1
    width = len(cells[first]) if first < len(cells) else 0
    header = [""] * width
    if options.header and width:
        header = cells[first]
        first += 1
    while header and options.header and not header[-1] and not any(row[len(header) - 1] for row in cells):
        header = header[:-1]
    columns, repeated = name_columns(header)
    for number, row in enumerate(cells[first:], start=first + 1):
        values = fit_cells(columns, row)
        if isinstance(values, str):
            collector.leave_out(number, values)
        elif any(row):
            collector.add(number, values)
    notes = [f"sheet {chosen!r}"]
    if len(names) > 1 and not options.sheet:
        notes.append(f"its other sheets are not read: {', '.join(name for name in names if name != chosen)}")
    notes += [f"several columns are called {name!r}: the second is {name + '.2'!r}" for name in repeated]
    return collector.finish(columns, notes)


def _write_cell(value: Any) -> str:
    """Return a cell as people read it: 3 and not 3.0, true and not True, a date as 2026-11-28."""
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case _:
            return str(value).strip()
