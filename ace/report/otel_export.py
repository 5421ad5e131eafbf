"""Sends the spans of a run to a file, to a collector of OpenTelemetry, or to an exporter of its SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError
from ace.playbook.model import Status
from ace.report.run_history import RunHistory, read_run_history
from ace.report.run_spans import RunSpan, list_run_spans, make_ids
from ace.store.store import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_EVENT = "gen_ai.evaluation.result"
_HINT = "Install the extra `otel`: pip install 'ace-engine[otel]'."


def export_run(
    store: Store, target: str | SpanExporter, run: int | None = None, *, content: bool = False
) -> int:
    """Send the spans of a run, by default of the last one, and return how many they are.

    `target` is a file, which becomes OTLP in JSON, the address of a collector ("http://127.0.0.1:4318"), or
    an exporter of OpenTelemetry. `content` adds texts: questions, answers, thoughts, what tools were given
    and returned, and labels as far as the learner was shown them. Secrets are hidden in all of it.

    Raises UnknownVersion without such a run, and InputError where nothing takes the spans, or where they need
    OpenTelemetry and it is not installed.
    """
    history = read_run_history(store, run)
    versions = {episode.context_version for episode in history.episodes}
    bullets = {
        version: [bullet.id for bullet in store.checkout(version) if bullet.status is Status.ACTIVE]
        for version in versions
    }
    calls = store.calls(history.run.id, replies=True)
    spans = list_run_spans(history, calls, bullets, content=content)
    if isinstance(target, str) and not target.startswith(("http://", "https://")):
        text = json.dumps(_render_otlp(history, spans), ensure_ascii=False)
        try:
            Path(target).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"Cannot write {target}: {error.strerror or error}.") from error
        return len(spans)
    try:
        from opentelemetry.sdk.trace.export import SpanExportResult

        if isinstance(target, str):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            base = target.rstrip("/").removesuffix("/v1/traces")
            target = OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=10)  # seconds
        result = target.export(_make_sdk_spans(history, spans))
    except ImportError as error:
        raise InputError("OpenTelemetry is not installed.", hint=_HINT) from error
    if result is not SpanExportResult.SUCCESS:
        hint = "Look whether a collector listens there, and what it says."
        raise InputError("The collector did not take the spans.", hint=hint)
    return len(spans)


def _make_sdk_spans(history: RunHistory, spans: Sequence[RunSpan]) -> list[ReadableSpan]:
    """Return spans as OpenTelemetry's SDK has them."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, StatusCode, TraceFlags
    from opentelemetry.trace import Status as SpanStatus

    trace, ids = make_ids(history, len(spans))
    contexts = [SpanContext(trace, number, False, TraceFlags(TraceFlags.SAMPLED)) for number in ids]
    made = []
    for span, context in zip(spans, contexts, strict=True):
        status = SpanStatus(StatusCode.ERROR, span.problem or None) if span.is_failure else SpanStatus()
        events = [Event(_EVENT, span.evaluation, span.end)] if span.evaluation else []
        made.append(
            ReadableSpan(
                name=span.name,
                context=context,
                parent=None if span.parent is None else contexts[span.parent],
                resource=Resource({"service.name": "ace"}),
                attributes=span.attributes,
                events=events,
                status=status,
                start_time=span.start,
                end_time=span.end,
                instrumentation_scope=InstrumentationScope("ace"),
            )
        )
    return made


def _render_otlp(history: RunHistory, spans: Sequence[RunSpan]) -> dict[str, Any]:
    """Return spans as OTLP has them in JSON: ids in hexadecimal digits, times in nanoseconds as text."""
    trace, ids = make_ids(history, len(spans))
    rows = []
    for span, number in zip(spans, ids, strict=True):
        row: dict[str, Any] = {
            "traceId": format(trace, "032x"),
            "spanId": format(number, "016x"),
            "name": span.name,
            "kind": 1,  # internal
            "startTimeUnixNano": str(span.start),
            "endTimeUnixNano": str(span.end),
            "attributes": _to_pairs(span.attributes),
        }
        if span.parent is not None:
            row["parentSpanId"] = format(ids[span.parent], "016x")
        if span.evaluation:
            pairs = _to_pairs(span.evaluation)
            row["events"] = [{"timeUnixNano": str(span.end), "name": _EVENT, "attributes": pairs}]
        if span.is_failure:
            row["status"] = {"code": 2, "message": span.problem}
        rows.append(row)
    resource = {"attributes": _to_pairs({"service.name": "ace"})}
    scope = {"scope": {"name": "ace"}, "spans": rows}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def _to_pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as OTLP's list of keys and values."""
    return [{"key": key, "value": _to_value(value)} for key, value in attributes.items()]


def _to_value(value: Any) -> dict[str, Any]:
    """Return a value with the name of its type."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [_to_value(entry) for entry in value]}}
