"""Reads spans of OpenTelemetry: OTLP in JSON, or one span in each record as an SDK prints it.

Names of attributes stand in `field_names.toml`: those of the conventions for generative AI, of OpenInference
and of others. Messages may also stand in events of a span, or in log records that name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ace.errors import TaskError
from ace.task.attempt import to_plain_text
from ace.task.traces.record import Record, find_field, load_names, parse_json
from ace.task.traces.scores import Score
from ace.task.traces.spans import Span, SpanKind, find_kind, make_traces, read_start
from ace.task.traces.trace import Trace

_LOG_FIELDS = ("body", "eventName", "event_name", "severityNumber", "observedTimeUnixNano")
_CONTAINERS = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")


@dataclass(frozen=True, slots=True)
class _Event:
    """Hold an event of a span, or a log record."""

    name: str
    """What it records; "" for the attributes of the span itself."""

    attributes: Mapping[str, Any]
    """Values by name; those of a nested object stand under names with dots, too."""

    body: Any
    """An object, whose fields count as attributes; any other value is not read."""


def fits_otel(record: Record) -> bool:
    """Tell whether a record is OTLP, or a span: it has the ids of a trace and of itself, and attributes."""
    values = record.values
    if any(isinstance(values.get(name), list) for name in _CONTAINERS):
        return True
    return bool(_read_ids(values)[1]) and "attributes" in values


def gather_otel(records: Sequence[Record]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each conversation that spans record, and an error for what cannot be used."""
    spans: dict[tuple[str, str], Span] = {}
    logs: list[tuple[Record, Mapping[str, Any]]] = []
    for record in records:
        for row in _list_rows(record.values):
            is_log = isinstance(row, Mapping) and any(name in row for name in _LOG_FIELDS)
            if not isinstance(row, Mapping) or not all(_read_ids(row, is_log=is_log)):
                yield record.problem("", f"Expected a span with the ids of a trace and itself: {row!r:.60}.")
            elif is_log:
                logs.append((record, row))
            else:
                span = _read_span(record, row)
                spans[span.trace, span.id] = span
    events: dict[tuple[str, str], list[_Event]] = {}
    for record, row in logs:
        trace, name = _read_ids(row, is_log=True)
        spans.setdefault((trace, name), Span(record=record, trace=trace, id=name, start=read_start(row)))
        events.setdefault((trace, name), []).append(_read_event(row))
    for place, said in events.items():
        _add_events(spans[place], said)
    yield from make_traces(list(spans.values()))


def _list_rows(values: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the spans and log records of OTLP, or the record itself where it is a span."""
    inner = {
        "resourceSpans": ("scopeSpans", "spans"),
        "resource_spans": ("scope_spans", "spans"),
        "resourceLogs": ("scopeLogs", "logRecords"),
        "resource_logs": ("scope_logs", "log_records"),
    }
    containers = [name for name in _CONTAINERS if name in values]
    if not containers:
        yield values
    for name in containers:
        scopes, rows = inner[name]
        for resource in _list(values[name]):
            older = "instrumentationLibrarySpans"
            for scope in _list(resource.get(scopes) or resource.get(older)) if _is_map(resource) else ():
                yield from _list(scope.get(rows)) if _is_map(scope) else ()


def _read_span(record: Record, row: Mapping[str, Any]) -> Span:
    """Read one span. Attributes that it lacks are empty."""
    names = load_names("spans")
    attributes = _read_attributes(row.get("attributes"))
    trace, name = _read_ids(row)
    status = row.get("status")
    status = status if isinstance(status, Mapping) else {}
    code = str(status.get("code") or status.get("status_code") or "").upper()
    events = [_read_event(event) for event in _list(row.get("events")) if isinstance(event, Mapping)]
    span = Span(
        record=record,
        trace=trace,
        id=name,
        parent=_strip(row.get("parentSpanId") or row.get("parent_span_id") or row.get("parent_id")),
        start=read_start(row),
        conversation=to_plain_text(find_field(attributes, names["conversation"])),
        kind=find_kind(to_plain_text(find_field(attributes, names["kind"]))),
        inputs=_read_messages(_find_tree(attributes, names["inputs"])),
        outputs=_read_messages(_find_tree(attributes, names["outputs"]), "assistant"),
        tool=to_plain_text(find_field(attributes, names["tool"])) or to_plain_text(row.get("name")),
        call=to_plain_text(find_field(attributes, names["call"])),
        arguments=find_field(attributes, names["arguments"]),
        result=find_field(attributes, names["result"]),
        failed=code in ("2", "ERROR", "STATUS_CODE_ERROR"),
        problem=to_plain_text(status.get("message") or status.get("description")),
        expected=to_plain_text(find_field(attributes, names["expected"])),
    )
    _add_events(span, [_Event("", attributes, None), *events])
    return span


def _add_events(span: Span, events: Sequence[_Event]) -> None:
    """Add what events say to their span: messages, scores, and what went wrong.

    Messages of events count where the span has none of its own.
    """
    names = load_names("spans")
    inputs: list[Any] = []
    outputs: list[Any] = []
    for event in events:
        body = event.body if isinstance(event.body, Mapping) else {}
        values = {**event.attributes, **body}
        if event.name in names["messages"]:
            calls = parse_json(values.get("tool_calls"))
            row = {"role": names["messages"][event.name], **values, "tool_calls": calls}
            if event.name == "gen_ai.tool.message":
                row["tool_call_id"] = values.get("id")
            inputs.append(row)
        elif event.name == names["choice"]:
            message = parse_json(values.get("message"))
            row = {"role": "assistant", **(message if isinstance(message, Mapping) else values)}
            outputs.append(row)
        elif event.name:
            inputs += _read_messages(_find_tree(values, names["inputs"])) or []
            outputs += _read_messages(_find_tree(values, names["outputs"]), "assistant") or []
        span.problem = span.problem or to_plain_text(find_field(values, names["failure"]))
        span.scores += _read_evaluation(event.name, values)
    if inputs or outputs:
        span.kind = SpanKind.MODEL if span.kind is SpanKind.OTHER else span.kind
    span.inputs = span.inputs or inputs
    span.outputs = span.outputs or outputs


def _read_evaluation(name: str, values: Mapping[str, Any]) -> list[Score]:
    """Return the score of an event, or of a span, that is an evaluation."""
    prefix = "gen_ai.evaluation."
    number, label = values.get(f"{prefix}score.value"), values.get(f"{prefix}score.label")
    if number is None and label is None:
        return []
    return [
        Score(
            name=to_plain_text(values.get(f"{prefix}name")) or name,
            value=number,
            label=to_plain_text(label),
            remark=to_plain_text(values.get(f"{prefix}explanation")),
        )
    ]


def _read_messages(value: Any, role: str = "") -> Any:
    """Return messages whose fields stand under names of their own, as OpenInference writes them.

    `role` is that of messages without one. Any other value is returned as it is.
    """
    value = parse_json(value)
    if isinstance(value, Mapping) and value and all(str(key).isdecimal() for key in value):
        value = [value[key] for key in sorted(value, key=int)]
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        return value
    messages = []
    for entry in value:
        entry = _nest(entry)
        inner = entry.get("message")
        message: Mapping[str, Any] = inner if isinstance(inner, Mapping) else entry
        row = {"role": role, **message} if role else dict(message)
        calls = _read_messages(message.get("tool_calls"))
        if isinstance(calls, list):
            row["tool_calls"] = [call.get("tool_call", call) for call in calls]
        parts = _read_messages(message.get("contents"))
        if isinstance(parts, list):
            row["content"] = [part.get("message_content", part) for part in parts]
        messages.append(row)
    return messages


def _find_tree(attributes: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of some attributes, or all that stand below its name; None where there is none."""
    for name in names:
        if attributes.get(name) not in (None, ""):
            return attributes[name]
        below = {
            key[len(name) + 1 :]: value for key, value in attributes.items() if key.startswith(f"{name}.")
        }
        if any(key.split(".")[0].isdecimal() for key in below):
            return _nest(below)
    return None


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values whose names have dots as objects within objects."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        node = tree
        *path, last = str(key).split(".")
        for name in path:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[last] = dict(value) if isinstance(value, Mapping) else value
    return tree


def _read_attributes(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return attributes by name: of OTLP's lists of key and value, or of an object, which may be nested."""
    value = parse_json(value) if not prefix else value
    if isinstance(value, list):
        pairs = [(row.get("key"), row.get("value")) for row in value if isinstance(row, Mapping)]
        return {str(key): _read_value(inner) for key, inner in pairs if key}
    attributes: dict[str, Any] = {}
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        attributes[f"{prefix}{key}"] = inner
        if isinstance(inner, Mapping):
            attributes |= _read_attributes(inner, f"{prefix}{key}.")
    return attributes


def _read_value(value: Any) -> Any:
    """Return what a value of OTLP holds; any other value as it is."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in ("arrayValue", "array_value"):
        return [_read_value(entry) for entry in _list(inner.get("values"))] if _is_map(inner) else []
    if kind in ("kvlistValue", "kvlist_value"):
        return _read_attributes(inner.get("values")) if _is_map(inner) else {}
    if kind in ("intValue", "int_value"):
        return int(inner) if str(inner).lstrip("-").isdecimal() else inner
    is_scalar = kind.lower().replace("_", "") in ("stringvalue", "doublevalue", "boolvalue", "bytesvalue")
    return inner if is_scalar else value


def _read_event(row: Mapping[str, Any]) -> _Event:
    """Read an event of a span, or a log record."""
    attributes = _read_attributes(row.get("attributes"))
    name = row.get("name") or row.get("eventName") or row.get("event_name") or attributes.get("event.name")
    body = _read_value(row.get("body"))
    return _Event(to_plain_text(name), attributes, parse_json(body))


def _read_ids(row: Mapping[str, Any], *, is_log: bool = False) -> tuple[str, str]:
    """Return the ids of the trace and of the span that a row is of; "" where there is none.

    A log record may name its trace only.
    """
    context = row.get("context") or row.get("span_context") or {}
    holders = [row, context] if isinstance(context, Mapping) else [row]
    for holder in holders:
        trace = holder.get("traceId") or holder.get("trace_id") or holder.get("context.trace_id")
        span = holder.get("spanId") or holder.get("span_id") or holder.get("context.span_id")
        if trace and (span or is_log):
            return _strip(trace), _strip(span) or "logs"
    return "", ""


def _strip(value: Any) -> str:
    """Return an id without the mark of a hexadecimal number."""
    return to_plain_text(value).removeprefix("0x")


def _list(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
