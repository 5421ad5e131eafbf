"""CSV and its relatives, as spreadsheets and databases write them: found out, and read row by row.

A file of any size is read in one go over its bytes and one over its rows; neither is kept whole.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from itertools import chain, islice
from pathlib import Path

from ace.errors import InputError
from ace.task.new_task.other_encodings import list_readings, sample_foreign_lines
from ace.task.new_task.row_table import ReadOptions, RowCollector, RowTable, fit_cells, name_columns
from ace.text.plain_file import find_encoding

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_TRIED = 30  # rows by which the separator is told
_BLOCK = 1 << 20  # bytes
_ENCODINGS = {
    "cp1250": "Windows-1250, of central Europe",
    "cp1251": "Windows-1251, of Cyrillic letters",
    "cp1252": "Windows-1252, as Excel writes it",
    "cp1254": "Windows-1254, of Turkey",
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}
_OPENS_JSON = ("{", "[{")


def read_delimited(file: Path, options: ReadOptions) -> RowTable:
    """Return the rows of a CSV or TSV file.

    Rows with too many cells and rows whose quotation marks do not match are left out by name. Raises
    InputError for bytes that are no text, and for a file without rows, with one column, or most of whose rows
    cannot be read.
    """
    encoding, mark, word = choose_encoding(file, options.encoding)
    collector = RowCollector(file.name, options.most, options.seed)
    with file.open("rb") as opened:
        opened.seek(mark)
        lines = TextIOWrapper(opened, encoding=encoding, newline="")  # a line break may stand in a cell
        beginning = list(islice(lines, _TRIED))
        skipped = 0
        delimiter = options.delimiter
        if beginning and beginning[0].lower().startswith("sep=") and len(beginning[0].rstrip("\r\n")) == 5:
            delimiter = delimiter or beginning[0][4]  # Excel's own way to say it
            beginning = beginning[1:]
            skipped = 1
        if beginning and beginning[0].lstrip().startswith(_OPENS_JSON):
            hint = "Give the file the ending .jsonl, or .json for one list."
            raise InputError(f"{file} holds JSON, not a table.", hint=hint, file=str(file))
        delimiter = delimiter or _choose_delimiter(beginning)
        rest = chain(beginning, lines)
        rows = _read_cells(rest, delimiter, collector, skipped)
        header = next(rows, (1, []))[1]
        width = len(header)
        if width == 1:
            hint = "A task needs a question and an answer. Say what stands between them with --delimiter."
            raise InputError(f"{file} has one column, {header[0]!r:.60}.", hint=hint, file=str(file))
        if not options.header:
            rows = chain([(1 + skipped, header)], rows)
            header = [""] * width
        names, repeated = name_columns(header)
        for line, cells in rows:
            values = fit_cells(names, list(cells))
            if isinstance(values, str):
                collector.leave_out(line, values)
            elif any(cell.strip() for cell in cells):
                collector.add(line, values)
    between = _DELIMITERS.get(delimiter, repr(delimiter))
    written = _ENCODINGS.get(encoding, encoding)
    if word:
        written = f"{written} (which reads {word!r}; if that is wrong, say --encoding)"
    notes = [f"{written}, cells between {between}"]
    notes += [f"several columns are called {name!r}: the second is {name + '.2'!r}" for name in repeated]
    return collector.finish(names, notes)


def choose_encoding(file: Path, chosen: str = "") -> tuple[str, int, str]:
    """Return the encoding of a text file, the length of its byte order mark, and a word if it was found out.

    It is the one that was `chosen`; else what its mark says, UTF-8, or, where it is none, the one that its
    letters tell: the word is the first that they change. Raises InputError for an encoding that nobody knows,
    a file that is binary, bytes that are no text, and where several encodings fit: it shows how each reads
    them.
    """
    word = ""
    with file.open("rb") as opened:
        encoding, mark = find_encoding(opened.read(_BLOCK))
    if chosen:
        try:
            TextIOWrapper(BytesIO(), encoding=chosen)  # which refuses those that make no text, as hex
            encoding = codecs.lookup(chosen).name
        except (LookupError, ValueError) as error:
            hint = "Give one that Python knows, as utf-8, cp1252, latin-1, cp1251, shift_jis or gb18030."
            raise InputError(f"Nobody knows the encoding {chosen!r:.40}.", hint=hint) from error
    line = _find_bad_line(file, encoding, mark)
    if line and encoding == "utf-8" and not chosen:
        _find_bad_line(file, "latin-1", mark)  # which has a character for each byte: is it text at all?
        readings = list_readings(sample_foreign_lines(file))
        if len(readings) > 1:
            listed = ", ".join(f"--encoding {name} reads {text!r}" for name, text in readings.items())
            hint = f"Choose how to read it: {listed}. Or save it as UTF-8."
            raise InputError(f"{file} is not UTF-8.", hint=hint, file=str(file), field="encoding")
        if readings:
            ((encoding, word),) = readings.items()
            line = _find_bad_line(file, encoding, mark)
    if line:
        hint = "Save it as UTF-8, or name its encoding with --encoding."
        raise InputError(f"{file}: line {line} is no text in {encoding}.", hint=hint, file=str(file))
    return encoding, mark, word


def _find_bad_line(file: Path, encoding: str, mark: int) -> int:
    """Return the number of the first line with bytes that are no text, after the byte order mark; 0 for none.

    Raises InputError for a file that is binary.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with file.open("rb") as opened:
        opened.seek(mark)
        while True:
            block = opened.read(_BLOCK)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return lines + error.object[: error.start].count(b"\n")
            except UnicodeError:
                return lines
            if "\0" in text:
                hint = "Give a table as .csv, .tsv, .jsonl, .json, .xlsx or .ods."
                raise InputError(f"{file} is binary, not text.", hint=hint, file=str(file))
            lines += text.count("\n")
            if not block:
                return 0


def _choose_delimiter(lines: list[str]) -> str:
    """Return the separator by which most rows have as many cells as the first; a comma where none has two."""
    scores: dict[str, tuple[float, int]] = {}
    for delimiter in _DELIMITERS:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        width = len(rows[0]) if rows else 0
        alike = sum(len(row) == width for row in rows)
        if width > 1:
            scores[delimiter] = (alike / len(rows), width)
    return max(scores, key=scores.__getitem__, default=",")


def _read_cells(
    lines: Iterator[str], delimiter: str, collector: RowCollector, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row begins, and its cells; rows that cannot be read are left out by name."""
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    except TypeError as error:
        hint = "Give one character, as --delimiter ';'."
        raise InputError(f"{delimiter!r:.20} cannot stand between cells.", hint=hint) from error
    while True:
        line = reader.line_num + 1 + skipped
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num + skipped
            until = f", up to line {last}" if last > line else ""
            reason = f"its quotation marks do not match ({error}{until})"
            collector.leave_out(line, reason)
            continue
        if cells:
            yield line, cells
