"""Reads a log file. Its format is recognized by what is in it, not by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task.read_text import read_text
from ace.task.traces.log_formats import FORMATS, Format
from ace.task.traces.record import Record
from ace.task.traces.trace import Trace, number_traces


def read_traces(path: Path) -> tuple[Trace, ...]:
    """Return the recorded attempts of a file, in order: JSON lines, or one JSON list of objects.

    The first record decides which format all of them have. Raises TaskError, with file and line, for what
    cannot be read: no attempt is dropped silently.
    """
    records = []
    for number, (values, line) in enumerate(_read_values(path), start=1):
        if not isinstance(values, dict):
            place = Record({}, str(path), number, line)
            raise place.problem("", f"Expected an object, found {values!r:.60}.")
        records.append(Record(values, str(path), number, line))
    if not records:
        raise TaskError("No recorded attempts.", hint="Write one JSON object a line.", file=str(path))
    form = _recognize_format(records[0])
    return number_traces([form.read(record) for record in records])


def _read_values(path: Path) -> Iterator[tuple[Any, int]]:
    """Yield (record, line). In a JSON list, whose records need not begin a line, the line is 0.

    A file that begins with "[" is taken for a list. Records may be any JSON value. Raises TaskError.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        for values in _parse_json(text, str(path), 1):
            yield values, 0
        return
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            yield _parse_json(row, str(path), line), line


def _parse_json(text: str, file: str, line: int) -> Any:
    """Return the JSON value of a text that begins at `line`. Raises TaskError, with the line of the fault."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = line + getattr(error, "lineno", 1) - 1
        hint = "Write one object a line, or one list of objects."
        raise TaskError(f"Not valid JSON: {error}.", hint=hint, file=file, line=place) from error


def _recognize_format(first: Record) -> Format:
    """Return the format of a log by its first record: the first of FORMATS whose keys it has.

    Raises TaskError, which names the formats that are known, for any other.
    """
    lists = {key for key, value in first.values.items() if isinstance(value, list)}
    for form in FORMATS:
        if form.keys <= first.values.keys() and form.lists <= lists:
            return form
    names = "; ".join(form.name for form in FORMATS)
    keys = ", ".join(list(first.values)[:8]) or "no keys"
    message = f"This is no log that can be read; its first record has {keys}."
    raise first.problem("", message, f"Known: {names}.")
