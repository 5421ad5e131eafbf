"""Makes attempts of spans: of the calls of models and tools that a tracer recorded one by one.

Knows no format of a tracer; readers of those make the spans. A model is sent what was said before with every
call, so of its messages only the new ones count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ace.errors import TaskError
from ace.task.attempt import to_plain_text
from ace.task.traces.chat_record import list_messages, read_conversation
from ace.task.traces.record import Fault, Record, load_names, parse_json
from ace.task.traces.scores import Score, read_scores
from ace.task.traces.trace import Trace
from ace.text.message_content import read_message


class SpanKind(StrEnum):
    """Name what a span records."""

    MODEL = "model"
    TOOL = "tool"
    AGENT = "agent"
    JUDGE = "judge"  # an evaluator, whose own calls of models are no part of the attempt
    OTHER = "other"


@dataclass(slots=True, kw_only=True)
class Span:
    """Hold one step that a tracer recorded. What is not known is empty."""

    record: Record
    """Where it was read."""

    trace: str
    """The id of the trace that it belongs to."""

    id: str
    """Its own, unique in its trace."""

    parent: str = ""
    """The id of the span above it; "" for the first of a trace."""

    start: float = 0.0
    """When it began, in seconds; 0 where nothing says so."""

    conversation: str = ""
    """The id of the conversation or session that it names; "" where none."""

    kind: SpanKind = SpanKind.OTHER

    inputs: Any = None
    """Messages, a text, or an object that holds either."""

    outputs: Any = None
    """What came of that, in the same forms."""

    tool: str = ""
    """The name of the tool; of any other span its own."""

    call: str = ""
    """The id of the tool call."""

    arguments: Any = None
    """What the tool was given: JSON, or text."""

    result: Any = None
    """What the tool returned."""

    failed: bool = False
    """Whether the tracer marked it as an error."""

    problem: str = ""
    """What is said of a failure."""

    scores: list[Score] = field(default_factory=list)
    """Labels: what evaluators say of the attempt."""

    expected: str = ""
    """A label: the right answer."""


def make_traces(spans: Sequence[Span]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each conversation, and an error for one without words.

    A conversation is what its spans, or those above them, name as such; else it is a trace. What has neither
    a call of a model nor one of a tool nor anything said is no attempt.
    """
    named = {span.trace for span in spans if span.conversation}
    below: dict[str, list[str]] = {}
    for span in spans:
        below.setdefault(span.parent, []).append(span.id)
    judges: set[str] = set()  # ids of evaluators, and of all that is below them
    waiting = [span.id for span in spans if span.kind is SpanKind.JUDGE]
    while waiting:
        name = waiting.pop()
        if name not in judges:
            judges.add(name)
            waiting += below.get(name, [])
    for name, members in _group_spans(spans).items():
        steps = (replace(span, kind=SpanKind.JUDGE) if span.id in judges else span for span in members)
        ordered = sorted(steps, key=lambda span: span.start)
        try:
            trace = _make_trace(name, ordered)
        except TaskError as error:
            if name not in named:  # else it is what its trace holds beside the conversations
                yield error
        else:
            if trace is not None:
                yield trace


def _group_spans(spans: Sequence[Span]) -> dict[str, list[Span]]:
    """Return spans by conversation, else by trace.

    A span that names none belongs to the one above it, or to the only one of its trace.
    """
    by_id = {(span.trace, span.id): span for span in spans}
    named: dict[str, set[str]] = {}
    for span in spans:
        if span.conversation:
            named.setdefault(span.trace, set()).add(span.conversation)
    groups: dict[str, list[Span]] = {}
    for span in spans:
        above: Span | None = span
        for _ in range(len(spans)):
            if above is None or above.conversation:
                break
            above = by_id.get((span.trace, above.parent)) if above.parent != above.id else None
        known = named.get(span.trace, set())
        name = above.conversation if above is not None else ""
        if not name:
            name = next(iter(known)) if len(known) == 1 else span.trace
        groups.setdefault(name, []).append(span)
    return groups


def _make_trace(name: str, spans: Sequence[Span]) -> Trace | None:
    """Return the attempt that spans of one conversation record, by time; None where they record none.

    Raises TaskError where a model was called and no words of it are known.
    """
    assembly = _Assembly()
    for span in spans:
        assembly.add(span)
    if not assembly.has_words:
        for span in spans:  # a step above says what was asked and answered
            is_whole = span.kind in (SpanKind.AGENT, SpanKind.OTHER)
            if is_whole and _list_words(span.outputs, "assistant"):
                assembly = _Assembly()
                assembly.add(span, spans)
                break
    assembly.mark_failures()
    record = spans[0].record
    roles = [spoken[0] for spoken in map(read_message, assembly.messages) if spoken]
    if "user" not in roles:
        called = (SpanKind.MODEL, SpanKind.TOOL, SpanKind.AGENT)
        if assembly.messages or any(span.kind in called for span in spans):
            hint = "Let the tracer record contents: most leave them out unless a setting asks for them."
            problem = "What was asked and answered is not recorded."
            raise record.problem("", f"Trace {name}: {problem}", hint, Fault.EMPTY)
        return None
    fields = read_conversation(replace(record, values={"messages": assembly.messages}), "messages")
    aside = (SpanKind.TOOL, SpanKind.JUDGE)
    failures = [span for span in spans if span.failed and span.kind not in aside]
    is_broken = any(failures[-1] is span for span in (spans[0], spans[-1])) if failures else False
    if is_broken and not fields["answer"]:
        fields["error"] = failures[-1].problem or fields["error"]
    scores = [score for span in spans for score in span.scores]
    expected = next((span.expected for span in spans if span.expected), "")
    return record.trace(
        **fields,
        **read_scores(record, scores),
        sample=name,
        ran=False if is_broken else None,
        expected=expected,
    )


class _Assembly:
    """Put the messages of spans together, each once, with what tools returned."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.has_words = False
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, tuple[str, str]] = {}  # id of a call -> its tool and arguments
        self._uses: set[str] = set()  # ids of calls
        self._results: set[str] = set()  # ids of calls that something has come back for
        self._failures: set[str] = set()  # ids of calls that failed

    def add(self, span: Span, within: Sequence[Span] = ()) -> None:
        """Add what a span records of the conversation; nothing for one that is about other things.

        With `within` it is taken for a call of a model, in which these spans call tools.
        """
        if span.kind is SpanKind.MODEL or within:
            messages = _list_words(span.inputs, "user")
            counts: Counter[str] = Counter()
            asked = [message for message in messages if (read_message(message) or ("",))[0] != "system"]
            last = read_message(self.messages[-1]) if self.messages else None
            is_answered = last is not None and last[0] == "assistant" and not self._waiting
            for message in messages:
                key, uses, results = _make_key(message), set(_list_uses(message)), _list_results(message)
                counts[key] += 1
                if (uses or results) and uses <= self._uses and results <= self._results:
                    continue
                if counts[key] > self._counts[key] or (is_answered and asked == [message]):
                    self._add_message(message)
            for inner in within:
                if inner.kind is SpanKind.TOOL:
                    self._add_tool(inner)
            answers = _list_words(span.outputs, "assistant")
            for message in answers:
                self._add_message(message)
            self.has_words = self.has_words or bool(answers)
        else:  # a span of no known kind may be named as a tool that a model called
            is_awaited = any(span.tool == tool for tool, _ in self._waiting.values())
            if span.kind is SpanKind.TOOL or (span.kind is SpanKind.OTHER and is_awaited):
                self._add_tool(span)

    def mark_failures(self) -> None:
        """Mark the results of calls whose spans say that they failed."""
        for place, message in enumerate(self.messages):
            if _list_results(message) & self._failures:
                parts = message.get("parts")
                marked = [{**part, "is_error": True} for part in parts] if isinstance(parts, list) else None
                self.messages[place] = {**message, "is_error": True} | ({"parts": marked} if marked else {})

    def _add_message(self, message: Any) -> None:
        """Add a message, and note the calls that it makes and those that it answers."""
        self._counts[_make_key(message)] += 1
        self.messages.append(message)
        uses = _list_uses(message)
        self._uses |= uses.keys()
        self._waiting.update(uses)
        for call in _list_results(message):
            self._results.add(call)
            self._waiting.pop(call, None)

    def _add_tool(self, span: Span) -> None:
        """Add what came back from a tool, to its call where a model made one, else with the call."""
        use = (span.tool, _normalize(span.arguments))
        same_use = [call for call, waiting in self._waiting.items() if waiting == use]
        same_tool = [call for call, (tool, _) in self._waiting.items() if tool == span.tool]
        call = span.call if span.call in self._waiting else ""
        if not call and not (span.call and self._waiting):
            call = next(iter(same_use or same_tool), "")
        if span.failed:
            self._failures.add(call or span.call)
        if not call:
            if span.call in self._results:
                return
            call = span.call or f"span {span.id}"
            arguments = to_plain_text(span.arguments)
            use_part = {"type": "tool_call", "id": call, "name": span.tool, "arguments": arguments}
            self._uses.add(call)
            self.messages.append({"role": "assistant", "content": [use_part]})
        result = to_plain_text(span.result) or span.problem
        if call in self._waiting and not result:
            return  # a message to the model may say what came back
        self._waiting.pop(call, None)
        self._results.add(call)
        self.messages.append(
            {"role": "tool", "tool_call_id": call, "content": result, "is_error": span.failed}
        )


def read_start(row: Mapping[str, Any]) -> float:
    """Return when a span began, in seconds; 0 where nothing says so."""
    for name in ("startTimeUnixNano", "start_time_unix_nano", "timeUnixNano", "observedTimeUnixNano"):
        if str(row.get(name) or "").isdecimal():
            return int(row[name]) / 1e9
    value = row.get("start_time") or row.get("startTime") or row.get("timestamp")
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0


def find_kind(word: str) -> SpanKind:
    """Return the kind of a span that a tracer's word stands for; OTHER for one that nobody here knows."""
    names = load_names("spans")
    kinds = {
        SpanKind.MODEL: names["models"],
        SpanKind.TOOL: names["tools"],
        SpanKind.AGENT: names["agents"],
        SpanKind.JUDGE: names["judges"],
    }
    return next((kind for kind, words in kinds.items() if word.lower() in words), SpanKind.OTHER)


def _list_words(value: Any, role: str) -> list[Any]:
    """Return the messages of a value; a text, or an object that holds one, is a message of `role`."""
    messages = list_messages(value, role)
    if messages or value in (None, "", [], {}):
        return messages
    text = Record({"question": parse_json(value)}, "", 0).text("question", "")
    return [{"role": role, "content": text}] if text.strip() else []


def _make_key(message: Any) -> str:
    """Return a text that is the same for messages that say and call the same."""
    spoken = read_message(message) or ("", "")
    uses = sorted(_list_uses(message).values())
    return json.dumps([*spoken, uses, sorted(_list_results(message))], ensure_ascii=False)


def _list_parts(message: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a message that are objects."""
    for name in ("content", "parts"):
        parts = parse_json(message.get(name)) if isinstance(message, Mapping) else None
        if isinstance(parts, list):
            yield from (part for part in parts if isinstance(part, Mapping))


def _list_uses(message: Any) -> dict[str, tuple[str, str]]:
    """Return the tool calls of a message: their ids, with tool and arguments."""
    names, uses = load_names("calls"), {}
    calls = [part for part in _list_parts(message) if part.get("type") in names["kinds"]]
    fields = parse_json(message.get("tool_calls")) if isinstance(message, Mapping) else None
    calls += [call for call in fields if isinstance(call, Mapping)] if isinstance(fields, list) else []
    for call in calls:
        inner = call.get("function")
        function = inner if isinstance(inner, Mapping) else call
        arguments = next((function[name] for name in names["arguments"] if name in function), None)
        uses[to_plain_text(call.get("id"))] = (to_plain_text(function.get("name")), _normalize(arguments))
    return uses


def _list_results(message: Any) -> set[str]:
    """Return the ids of the calls whose results a message holds."""
    kinds, ids = load_names("results")["kinds"], load_names("calls")["ids"]
    results = [part for part in _list_parts(message) if part.get("type") in kinds]
    found = {next((to_plain_text(part[name]) for name in ids if part.get(name)), "") for part in results}
    call = message.get("tool_call_id") if isinstance(message, Mapping) else None
    return (found | {to_plain_text(call)}) - {""}


def _normalize(arguments: Any) -> str:
    """Return arguments of a call as JSON with sorted keys."""
    return json.dumps(parse_json(arguments), ensure_ascii=False, sort_keys=True, default=str)
