"""Reads a log file. Its format is recognized by what is in it, not by its name.

A record that cannot be used is left out, with its place and the reason; the others are used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task.attempt import TurnKind
from ace.task.read_text import read_bytes
from ace.task.samples import normalize_question
from ace.task.traces.log_formats import FORMATS, JOINED_FORMATS, LOOSE_MESSAGES, Format, JoinedFormat
from ace.task.traces.record import Fault, Record
from ace.task.traces.trace import Trace, number_traces
from ace.text.plain_file import decode_text
from ace.text.unicode import SURROGATE, mend_surrogates

AnyFormat = Format | JoinedFormat

MOST_ABOVE = 0.1  # of the rewards of a file: with more above 1, they are on another scale
_BETWEEN = re.compile(r"[\s,\x1e]*")
_LEVELS = 4  # of objects in which records are looked for
_BAD_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Log:
    """Hold what was read of a log file."""

    traces: tuple[Trace, ...]
    """Those that can be used, each with an id of its own."""

    left_out: tuple[TaskError, ...] = ()
    """Why each of the other records was left out, by line."""

    def describe(self) -> tuple[str, ...]:
        """Return how many records were left out for which reason; nothing where none was."""
        counts = Counter(error.details["fault"] for error in self.left_out)
        if not counts:
            return ()
        reasons = ", ".join(f"{count} {fault}" for fault, count in counts.items())
        total = len(self.left_out) + len(self.traces)
        return (f"{len(self.left_out)} of {total} records of the log left out: {reasons}",)


def read_traces(path: Path) -> tuple[Trace, ...]:
    """Return the recorded attempts of a file, in order; `read_log` also says which records were left out.

    Raises TaskError as `read_log` does.
    """
    return read_log(path).traces


def read_log(path: Path) -> Log:
    """Return the recorded attempts of a file: JSON lines, a JSON list, or an object that holds records.

    A record of no known format is read as most of the others are, so that the reason says what it lacks.
    Raises TaskError, with file and line, for a file that cannot be read, one without a record that can be
    used, and one whose rewards are on another scale than 0 to 1.
    """
    records: list[Record] = []
    left_out: list[TaskError] = []
    for entry in _read_records(path):
        if isinstance(entry, Record):
            records.append(entry)
        else:
            left_out.append(entry)
    traces: list[tuple[Trace, AnyFormat]] = []
    for trace, form in _read_traces(records):
        if isinstance(trace, Trace):
            traces.append((trace, form))
        else:
            left_out.append(trace)
    left_out.sort(key=lambda error: error.details.get("line") or 0)
    _check_scale([trace for trace, _ in traces], left_out)
    if not traces and left_out:
        raise left_out[0]
    if not traces:
        raise TaskError("No recorded attempts.", hint="Write one JSON object a line.", file=str(path))
    return Log(number_traces(_drop_beginnings(_separate_questions(traces))), tuple(left_out))


def _read_traces(records: Sequence[Record]) -> Iterator[tuple[Trace | TaskError, AnyFormat]]:
    """Yield what records are read as, with their formats: an attempt, or the error of what is left out.

    Attempts that several records make stand where the first of these does. What only accompanies them is
    passed over.
    """
    formats = [_recognize_format(record) for record in records]
    joined: dict[JoinedFormat, list[Record]] = {}
    for record, form in zip(records, formats, strict=True):
        if isinstance(form, JoinedFormat):
            joined.setdefault(form, []).append(record)
    companions = [form.accompanies for form in joined]
    common = Counter(form for form in formats if isinstance(form, Format)).most_common(1)
    for record, form in zip(records, formats, strict=True):
        if isinstance(form, JoinedFormat):
            members = joined.pop(form, [])
            for trace in form.gather(members) if members else ():
                yield trace, form
        elif form is None and any(accompanies(record) for accompanies in companions):
            continue
        else:
            own_format = form or (common[0][0] if common else FORMATS[-1])
            try:
                if form is None and not common:
                    names = "; ".join(dict.fromkeys(known.name for known in (*FORMATS, *JOINED_FORMATS)))
                    keys = ", ".join(list(record.values)[:8]) or "no keys"
                    message = f"This is no log that can be read; the record has {keys}."
                    raise record.problem("", message, f"Known: {names}.", Fault.FORMAT)
                yield own_format.read(record), own_format
            except TaskError as error:
                yield error, own_format


def _read_records(path: Path) -> Iterator[Record | TaskError]:
    """Yield every record of a file, and an error for what is none.

    A file that begins with "[" is taken for a list. A single object is a record, or holds records.
    """
    file = str(path)
    text = decode_text(read_bytes(path), "surrogateescape").lstrip("\x1e")
    beginning = text.lstrip()[:1]
    if beginning == "[":
        yield from _read_list(text, file)
        return
    if beginning == "{":
        try:
            value, end = json.JSONDecoder().raw_decode(text, text.index("{"))
        except (ValueError, RecursionError):
            end = 0
        if end and not text[end:].strip():
            for number, (key, values) in enumerate(_find_records(value), start=1):
                line = text.count("\n", 0, text.index("{")) + 1 if values is value else 0
                yield _make_record(values, Record({}, file, number, line, key), text)
            return
        first_line = text.lstrip().partition("\n")[0]
        if end and "\n" in text[text.index("{") : end] and not first_line.rstrip().endswith("}"):
            yield from _read_list(text, file)  # objects over several lines, one behind the other
            return
    number = 0
    for line, row in enumerate(text.split("\n"), start=1):
        # JSON text sequences begin with a mark, and lines of a list without brackets end in a comma.
        row = row.strip().lstrip("\x1e").removesuffix(",")
        if row:
            number += 1
            place = Record({}, file, number, line)
            try:
                yield _make_record(json.loads(row), place, row)
            except (ValueError, RecursionError) as error:
                yield _make_syntax_error(place, error)


def _read_list(text: str, file: str) -> Iterator[Record | TaskError]:
    """Yield the records of a JSON list, or of objects one behind the other, one by one.

    What is broken costs itself and what follows it.
    """
    decoder = json.JSONDecoder()
    is_list = text.lstrip().startswith("[")
    place = text.index("[") + 1 if is_list else 0
    number = 0
    while True:
        between = _BETWEEN.match(text, place)
        place = between.end() if between else place
        if not is_list and place == len(text):
            return
        if is_list and text.startswith("]", place):
            rest = text[place + 1 :].strip()
            if rest:
                line = text.count("\n", 0, text.rindex(rest)) + 1
                message = f"Not valid JSON: there is more behind the list: {rest!r:.60}."
                yield Record({}, file, number + 1, line).problem("", message, fault=Fault.SYNTAX)
            return
        number += 1
        try:
            begin = place
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", text.count("\n", 0, place) + 1)
            yield _make_syntax_error(Record({}, file, number, line), error)
            return
        line = 0 if is_list else text.count("\n", 0, begin) + 1
        yield _make_record(value, Record({}, file, number, line), text[begin:place])


def _make_record(values: Any, place: Record, source: str) -> Record | TaskError:
    """Return an object as a record at a place; an error for any other value, and for broken UTF-8.

    Half of a pair that JSON wrote as an escape, as where a text was cut within an emoji, becomes U+FFFD.
    """
    if not isinstance(values, dict):
        return place.problem("", f"Expected an object, found {values!r:.60}.", fault=Fault.SHAPE)
    text = json.dumps(values, ensure_ascii=False)
    if SURROGATE.search(text):
        if _BAD_BYTE.search(source):
            return place.problem("", "Not valid UTF-8.", "Save the file as UTF-8.", Fault.ENCODING)
        values = json.loads(mend_surrogates(text))
    return replace(place, values=values)


def _make_syntax_error(place: Record, error: Exception) -> TaskError:
    """Return an error for what is no JSON."""
    hint = "Write one object a line, or one list of objects."
    return place.problem("", f"Not valid JSON: {error}.", hint, Fault.SYNTAX)


def _find_records(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the records that an object holds, with their keys: by number, in a list, or some levels below.

    The object itself is the record where it has a known format, and where nothing in it has one.
    """
    if _fits_format(value):
        return [("", value)]
    level: list[Any] = [value]
    for _ in range(_LEVELS):
        below: list[Any] = []
        for holder in level:
            is_list = isinstance(holder, list)
            group = [("", entry) for entry in holder] if is_list else list(holder.items())
            are_objects = all(isinstance(entry, dict) for _, entry in group)  # else it is part of a record
            if any(_fits_format(entry) for _, entry in group) and (is_list or are_objects):
                return group
            below += [entry for _, entry in group if isinstance(entry, dict | list)]
        level = below
    return [("", value)]


def _fits_format(value: Any) -> bool:
    """Return whether a value is a record of a known format, and no message: many objects hold those."""
    form = _recognize_format(Record(value, "", 0)) if isinstance(value, dict) else None
    return form not in (None, LOOSE_MESSAGES)


def _recognize_format(record: Record) -> AnyFormat | None:
    """Return the first format that a record fits: one of those that join records, else by its keys."""
    for joined in JOINED_FORMATS:
        if joined.fits(record):
            return joined
    fields = {key: record.find(key) for form in FORMATS for key in form.keys}
    present = {key for key, (name, _) in fields.items() if name in record.values}
    lists = {key for key in present if isinstance(fields[key][1], list)}
    for form in FORMATS:
        if form.keys <= present and form.lists <= lists:
            return form
    return LOOSE_MESSAGES if LOOSE_MESSAGES.fits(record) else None


def _check_scale(traces: list[Trace], left_out: list[TaskError]) -> None:
    """Raise the first error for a reward above 1 where there are too many for single slips.

    On another scale a 1 would be taken for right, so nothing of the file can be used.
    """
    above = [error for error in left_out if error.details["fault"] is Fault.SCALE]
    labelled = sum(trace.correct is not None for trace in traces)
    if len(above) > MOST_ABOVE * (len(above) + labelled):
        raise above[0]


def _separate_questions(traces: Sequence[tuple[Trace, AnyFormat]]) -> list[Trace]:
    """Return the traces, with a sample of its own for each further question that an id was used for.

    So no answer to one question is shown as the right one of another. Its id has a number, as "7 (2)".
    """
    questions: dict[str, dict[str, int]] = {}
    separate: list[Trace] = []
    for trace, form in traces:
        if isinstance(form, JoinedFormat) or not form.names_tasks:
            numbers = questions.setdefault(trace.sample, {})
            place = numbers.setdefault(normalize_question(trace.question), len(numbers) + 1)
            if place > 1:
                trace = replace(trace, sample=f"{trace.sample} ({place})")
        separate.append(trace)
    return separate


def _drop_beginnings(traces: Sequence[Trace]) -> list[Trace]:
    """Return the traces without those that end in a tool call, and that the next one goes on from.

    An agent that asks a model for every step sends what came before each time, so a log of requests holds an
    attempt many times over. What has a label of its own is an attempt of its own.
    """
    following: dict[str, Trace] = {}
    whole: list[Trace] = []
    for trace in reversed(traces):
        later = following.get(trace.question)
        following[trace.question] = trace
        has_label = trace.correct is not None or trace.remark or trace.expected
        last = trace.turns[-1] if trace.turns else None
        is_cut = last is not None and last.kind is TurnKind.TOOL and not last.observation
        if has_label or not is_cut or later is None or not _goes_on(trace, later):
            whole.append(trace)
    return whole[::-1]


def _goes_on(trace: Trace, later: Trace) -> bool:
    """Tell whether all that is said and called in a trace is the beginning of another."""
    sequences = []
    for each in (trace, later):
        turns = [turn for turn in each.turns if turn.kind is not TurnKind.THOUGHT]
        sequences.append([(turn.kind, turn.text, turn.tool, turn.arguments) for turn in turns])
    shorter, longer = sequences
    return len(shorter) < len(longer) and longer[: len(shorter)] == shorter
