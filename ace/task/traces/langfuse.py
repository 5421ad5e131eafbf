"""Reads exports of Langfuse: traces with their observations and scores, or observations one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ace.errors import TaskError
from ace.task.attempt import to_plain_text
from ace.task.traces.record import Record, load_names, parse_json
from ace.task.traces.scores import Score
from ace.task.traces.spans import Span, find_kind, make_traces
from ace.task.traces.trace import Trace


def fits_langfuse(record: Record) -> bool:
    """Tell whether a record is a trace that holds observations, or an observation that names its trace."""
    values = record.values
    if isinstance(values.get("observations"), list):
        return "id" in values and ("timestamp" in values or "scores" in values)
    is_observation = "traceId" in values or "trace_id" in values
    return is_observation and "type" in values and ("startTime" in values or "start_time" in values)


def gather_langfuse(records: Sequence[Record]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each trace, and an error for what cannot be used."""
    spans: list[Span] = []
    for record in records:
        values = record.values
        rows = values.get("observations")
        if not isinstance(rows, list):
            spans.append(_read_observation(record, values, ""))
            continue
        trace = to_plain_text(values["id"])
        spans.append(_read_trace(record, trace))
        for row in rows:
            if isinstance(row, Mapping):
                spans.append(_read_observation(record, row, trace))
            elif not isinstance(row, str):  # a list of traces names observations by their ids only
                yield record.problem("observations", f"Expected an observation, found {row!r:.60}.")
    yield from make_traces(spans)


def _read_trace(record: Record, trace: str) -> Span:
    """Read what a trace says itself: what was asked and answered, scores, and the right answer."""
    values = record.values
    metadata = values.get("metadata")
    holders = [values, metadata if isinstance(metadata, Mapping) else {}]
    names = ("expectedOutput", "expected", *load_names("fields")["expected"])
    expected = [holder[name] for holder in holders for name in names if holder.get(name)]
    scores = values.get("scores")
    return Span(
        record=record,
        trace=trace,
        id=f"trace {trace}",
        start=_read_time(values),
        inputs=parse_json(values.get("input")),
        outputs=parse_json(values.get("output")),
        scores=[_read_score(row) for row in _list(scores)],
        expected=to_plain_text(expected[0]) if expected else "",
    )


def _read_observation(record: Record, row: Mapping[str, Any], trace: str) -> Span:
    """Read an observation. One without a parent is a child of its trace."""
    trace = to_plain_text(row.get("traceId") or row.get("trace_id")) or trace
    inputs, outputs = parse_json(row.get("input")), parse_json(row.get("output"))
    return Span(
        record=replace(record, values=row),
        trace=trace,
        id=to_plain_text(row.get("id")),
        parent=to_plain_text(row.get("parentObservationId") or row.get("parent_observation_id")),
        start=_read_time(row),
        kind=find_kind(to_plain_text(row.get("type"))),
        inputs=inputs,
        outputs=outputs,
        tool=to_plain_text(row.get("name")),
        arguments=inputs,
        result=outputs,
        failed=to_plain_text(row.get("level")).upper() == "ERROR",
        problem=to_plain_text(row.get("statusMessage") or row.get("status_message")),
        scores=[_read_score(score) for score in _list(row.get("scores"))],
    )


def _read_score(row: Mapping[str, Any]) -> Score:
    """Read a score: a number, true or false as 1 and 0, or a word."""
    word = to_plain_text(row.get("stringValue") or row.get("string_value"))
    kind = to_plain_text(row.get("dataType") or row.get("data_type")).upper()
    value = word if kind == "CATEGORICAL" and word else row.get("value")
    remark = to_plain_text(row.get("comment"))
    return Score(name=to_plain_text(row.get("name")), value=value, label=word, remark=remark)


def _read_time(row: Mapping[str, Any]) -> float:
    """Return when something began, in seconds; 0 where nothing says so."""
    value = row.get("startTime") or row.get("start_time") or row.get("timestamp")
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0


def _list(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; none for anything else."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
