"""Reads a log file. Its format is recognized by what is in it, not by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task.read_text import read_text
from ace.task.traces.chat import Chat
from ace.task.traces.intercode import InterCode
from ace.task.traces.plain_rows import Rows
from ace.task.traces.record import Format, Record
from ace.task.traces.tau import Tau
from ace.task.traces.trace import Trace, number_traces

# The first one that claims a record reads it, so the more particular come first.
FORMATS: tuple[Format, ...] = (Tau(), InterCode(), Chat(), Rows())


def read_traces(path: Path) -> tuple[Trace, ...]:
    """Return the recorded attempts of a file, in order: JSON lines, or one JSON list of objects.

    Raises TaskError, with file and line, for what cannot be read: no attempt is dropped silently.
    """
    records = list(_read_records(path))
    if not records:
        raise TaskError("No recorded attempts.", hint="Write one JSON object a line.", file=str(path))
    form = _recognize_format(records[0])
    return number_traces([form.read(record) for record in records])


def _read_records(path: Path) -> Iterator[Record]:
    text = read_text(path)
    if text.lstrip().startswith("["):
        rows = _parse_json(text, str(path), 1)
        for number, values in enumerate(rows, start=1):
            yield _to_record(values, str(path), number)
        return
    number = 0
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            number += 1
            values = _parse_json(row, str(path), line)
            yield _to_record(values, str(path), number, line)


def _parse_json(text: str, file: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = line + getattr(error, "lineno", 1) - 1
        hint = "Write one object a line, or one list of objects."
        raise TaskError(f"Not valid JSON: {error}.", hint=hint, file=file, line=place) from error


def _to_record(values: Any, file: str, number: int, line: int = 0) -> Record:
    if isinstance(values, dict):
        return Record(values, file, number, line)
    raise Record({}, file, number, line).problem("", f"Expected an object, found {values!r:.60}.")


def _recognize_format(first: Record) -> Format:
    for form in FORMATS:
        if form.claims(first.values):
            return form
    known = "; ".join(form.name for form in FORMATS)
    keys = ", ".join(list(first.values)[:8]) or "no keys"
    raise first.problem(
        "", f"This is no log that can be read; its first record has {keys}.", f"Known: {known}."
    )
