"""Reads sessions of Codex ("rollouts"): an attempt over many lines, each with a `type` and a `payload`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ace.errors import TaskError
from ace.task.traces.chat_record import read_conversation
from ace.task.traces.record import Record, load_names, parse_json
from ace.task.traces.trace import Trace
from ace.text.message_content import read_content, read_message, read_thought

_WORDS = ("user_message", "UserMessage")
_THOUGHTS = ("agent_reasoning", "agent_reasoning_raw_content", "Reasoning")


def fits_codex(record: Record) -> bool:
    """Tell whether a record is a line of a session."""
    values = record.values
    return values.get("type") in load_names("codex")["lines"] and isinstance(values.get("payload"), Mapping)


def accompanies_codex(record: Record) -> bool:
    """Tell whether a record is another line of such a file."""
    return "payload" in record.values and record.values.get("type") != "response_item"


def gather_codex(records: Sequence[Record]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each session, and an error for one that cannot be used.

    A session begins where its description stands; one that was copied from another begins with both.
    """
    sessions: list[list[Record]] = [[]]
    for record in records:
        is_beginning = record.values["type"] == "session_meta"
        if is_beginning and any(line.values["type"] == "response_item" for line in sessions[-1]):
            sessions.append([])
        sessions[-1].append(record)
    for lines in sessions:
        try:
            yield _read_session(lines)
        except TaskError as error:
            yield error


def _read_session(lines: Sequence[Record]) -> Trace:
    """Read one session. Raises TaskError where nobody asks anything.

    What the user wrote is taken from events, where there are some: the messages of the user are also what
    the program tells the model of files and instructions.
    """
    payloads = [(str(record.values["type"]), record.values["payload"]) for record in lines]
    events = [_unwrap(payload) for kind, payload in payloads if kind == "event_msg"]
    items = [payload for kind, payload in payloads if kind == "response_item"]
    codes = {str(event.get("call_id")): event["exit_code"] for event in events if "exit_code" in event}
    has_words = any(event.get("type") in _WORDS for event in events)
    has_thoughts = any(read_thought(item) for item in items if item.get("type") == "reasoning")
    messages: list[Any] = []
    error = ""
    for kind, payload in payloads:
        event = _unwrap(payload) if kind == "event_msg" else {}
        name = event.get("type")
        spoken = read_message(payload)
        if name in _WORDS:
            messages.append({"role": "user", "content": event.get("message") or event.get("content")})
        elif name in _THOUGHTS and not has_thoughts:
            thought = read_thought(event) or event.get("summary_text")
            messages += [{"type": "reasoning", "content": thought}] if thought else []
        elif name in load_names("codex")["failures"]:
            error = read_content(event.get("message")) or str(event.get("reason") or name)
        elif kind == "response_item" and not (has_words and spoken and spoken[0] == "user"):
            messages.append(mark_failure(payload, codes))
            error = "" if spoken and spoken[0] == "assistant" else error
    metas = [payload for kind, payload in payloads if kind == "session_meta"]
    first = lines[0]
    sample = replace(first, values=metas[0]).name("id") if metas else first.name("id")
    fields = read_conversation(replace(first, values={"messages": messages}), "messages")
    fields["error"] = error or fields["error"]
    return first.trace(**fields, sample=sample, ran=False if error else None, score=None)


def _unwrap(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event, or the item that it says is complete; the id of a command is that of its call."""
    item = event.get("item")
    if event.get("type") != "item_completed" or not isinstance(item, Mapping):
        return event
    return {**item, "call_id": item.get("id")}


def mark_failure(item: Mapping[str, Any], codes: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return what came back from a command as text that is marked where the command failed.

    Its exit code is told by an event, by JSON around the output, or by a line before it.
    """
    if not str(item.get("type")).endswith("_output"):
        return item
    output, code = parse_json(item.get("output")), (codes or {}).get(str(item.get("call_id")))
    if isinstance(output, Mapping):
        metadata = output.get("metadata")
        success = output.get("success")
        code = metadata.get("exit_code") if isinstance(metadata, Mapping) else code
        code = 1 if success is False else code
        text = output.get("output", output.get("content"))
        output = item.get("output") if text is None else text
    elif isinstance(output, str):
        line = re.search(load_names("codex")["exit_code"], output)
        code = int(line[1]) if line else code
    else:
        output = item.get("output")
    return {**item, "output": output, "is_error": code not in (None, 0)}
