"""Reads the rows of a file by its ending, and JSON itself: lines of objects, or one list of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any

from ace.errors import InputError, TaskError
from ace.task.new_task.delimited import choose_encoding, read_delimited
from ace.task.new_task.row_table import ReadOptions, RowCollector, RowTable
from ace.task.new_task.spreadsheets import read_spreadsheet
from ace.text.json_lines import read_json_lines
from ace.text.message_content import read_message
from ace.text.plain_file import find_obstacle
from ace.text.sizes import format_size

_MOST_BYTES = 100_000_000  # of a file that has to be read whole
_LISTS = ("data", "rows", "examples", "questions", "samples", "items")  # keys under which rows may stand


def read_rows(file: Path, options: ReadOptions) -> RowTable:
    """Return the rows of a table, which is read by its ending: .csv, .jsonl, .xlsx and their relatives.

    Raises InputError for a file that cannot be read, and for one that has no rows.
    """
    reader = READERS.get(file.suffix.lower())
    if reader is None and file.is_dir():
        raise InputError(f"{file} is a folder.", hint="Give the table in it.", file=str(file))
    if reader is None:
        hint = f"Save it as one of {', '.join(READERS)}."
        raise InputError(f"{file} is no table whose ending is known.", hint=hint, file=str(file))
    obstacle = find_obstacle(file)
    if obstacle:
        raise InputError(f"cannot read {file}: {obstacle}.", hint="Give a file.", file=str(file))
    _refuse_idle(file, options)
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES and file.suffix.lower() in _READ_WHOLE:
            message = f"{file} is read whole, and is larger than the {format_size(_MOST_BYTES)} that are."
            hint = "Save it as .csv or .jsonl, of which any size is read, or give a part of it."
            raise InputError(message, hint=hint, file=str(file))
        return reader(file, options)
    except OSError as error:
        message = f"cannot read {file}: {error.strerror or error}."
        raise InputError(message, hint="Check the path.", file=str(file)) from error


def _refuse_idle(file: Path, options: ReadOptions) -> None:
    """Raise InputError for an option that says nothing about a file of this kind."""
    readers: dict[str, tuple[bool, tuple[Callable[[Path, ReadOptions], RowTable], ...]]] = {
        "sheet": (bool(options.sheet), (read_spreadsheet,)),
        "delimiter": (bool(options.delimiter), (read_delimited,)),
        "encoding": (bool(options.encoding), (read_delimited, _read_json_lines, _read_json)),
        "no-header": (not options.header, (read_delimited, read_spreadsheet)),
    }
    ending = file.suffix.lower()
    for name, (is_given, using) in readers.items():
        if is_given and READERS[ending] not in using:
            endings = ", ".join(ending for ending, reader in READERS.items() if reader in using)
            message = f"{file}: --{name} is only for {endings}."
            raise InputError(message, hint=f"Leave out --{name}.", field=name)


def _read_json_lines(file: Path, options: ReadOptions) -> RowTable:
    """Return the rows of a file with one JSON object a line. One list of objects is read as well."""
    encoding, mark, _ = choose_encoding(file, options.encoding)
    with file.open("rb") as opened:
        opened.seek(mark)
        lines = TextIOWrapper(opened, encoding=encoding, newline="\n")
        beginning = next(lines, "")
        if beginning.lstrip().startswith("[") and file.stat().st_size <= _MOST_BYTES:
            return _read_json(file, options)
        collector = RowCollector(file.name, options.most, options.seed)
        objects = _parse_lines(chain([beginning], lines), collector)
        columns = _collect(objects, collector)
    return collector.finish(columns, ["JSON lines"])


def _read_json(file: Path, options: ReadOptions) -> RowTable:
    """Return the rows of a JSON file: a list of objects, alone or under a key such as "data"."""
    encoding, mark, _ = choose_encoding(file, options.encoding)
    text = file.read_bytes()[mark:].decode(encoding)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].lstrip().startswith("{") and lines[0].rstrip().endswith("}"):
            return _read_json_lines(file, options)
        message = f"{file} is not valid JSON: {error}."
        raise InputError(message, hint="Correct it, or save it as .csv.", file=str(file)) from error
    note = "one JSON list"
    if isinstance(value, dict):
        for key in _LISTS:
            if isinstance(value.get(key), list):
                note = f"the JSON list under {key!r}"
                value = value[key]
                break
    if not isinstance(value, list):
        message = f"{file} holds no list of rows."
        hint = 'Expected [{"question": ..., "answer": ...}, ...], alone or under the key "data".'
        raise InputError(message, hint=hint, file=str(file))
    collector = RowCollector(file.name, options.most, options.seed)
    columns = _collect(enumerate(value, start=1), collector)
    return collector.finish(columns, [note])


def _parse_lines(lines: Iterable[str], collector: RowCollector) -> Iterator[tuple[int, Any]]:
    """Yield the number of each line that is JSON, and its value; others are left out by name."""
    for number, line in enumerate(lines, start=1):
        try:
            yield from read_json_lines(line.removesuffix("\n"), collector.file, TaskError, first=number)
        except TaskError as error:
            collector.leave_out(number, error.message)


def _collect(values: Iterable[tuple[int, Any]], collector: RowCollector) -> list[str]:
    """Collect the objects among the values, and return the names of their fields as they come up."""
    columns: dict[str, None] = {}
    for number, value in values:
        if not isinstance(value, dict):
            collector.leave_out(number, f"expected an object, found {value!r:.40}")
            continue
        row = {name: "" if field is None else field for name, field in _read_chat(value).items()}
        columns.update(dict.fromkeys(row))
        collector.add(number, row)
    return list(columns)


def _read_chat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation as question and answer, and any other row as it is.

    It is one where `messages` or `conversations` is a list that ends with the assistant. The last thing that
    the user says is the question, what was said before stands above it; a system message is left to the
    instructions. Calls of tools, and what tools returned, are left out.
    """
    turns = row.get("messages") or row.get("conversations")
    if not isinstance(turns, list) or len(turns) < 2:
        return dict(row)
    spoken: list[tuple[str, str]] = []
    for turn in turns:
        message = read_message(turn)
        if message is None:
            return dict(row)
        if message[1].strip() and message[0] != "tool":
            spoken.append(message)
    system = "\n".join(text for role, text in spoken if role == "system")
    spoken = [turn for turn in spoken if turn[0] != "system"]
    asked = max((place for place, turn in enumerate(spoken) if turn[0] == "user"), default=-1)
    if asked < 0 or asked == len(spoken) - 1 or spoken[-1][0] != "assistant":
        return dict(row)
    earlier = "".join(f"{role}: {text}\n\n" for role, text in spoken[:asked])
    others = {name: value for name, value in row.items() if name not in ("messages", "conversations")}
    return {**others, "system": system, "question": f"{earlier}{spoken[asked][1]}", "answer": spoken[-1][1]}


READERS: Mapping[str, Callable[[Path, ReadOptions], RowTable]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".xlsx": read_spreadsheet,
    ".xls": read_spreadsheet,
    ".xlsb": read_spreadsheet,
    ".ods": read_spreadsheet,
}
"""The reader of each kind of file, by its ending."""

_READ_WHOLE = (".json", ".xlsx", ".xls", ".xlsb", ".ods")
