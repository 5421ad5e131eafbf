"""Reads sessions of Claude Code: the files that it keeps of each, and what it prints as `stream-json`.

A line holds one message, or a part of one; the lines of a session are one attempt. What a sub-agent did (a
"sidechain") is an attempt of its own, at what it was asked; its caller sees what came back as what a tool
returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ace.errors import TaskError
from ace.task.traces.chat_record import read_conversation
from ace.task.traces.record import Fault, Record, load_names
from ace.task.traces.trace import Trace
from ace.text.message_content import read_content, read_message


def fits_claude_code(record: Record) -> bool:
    """Tell whether a record is a line of a session that holds a message, or says how the session ended."""
    values = record.values
    kind = values.get("type")
    if not isinstance(kind, str) or _name_session(values) is None:
        return False
    is_message = kind in ("user", "assistant") and "message" in values
    return is_message or (kind == "result" and "is_error" in values)


def accompanies_claude_code(record: Record) -> bool:
    """Tell whether a record is another line of such a file: a title, a summary, a copy of a file, a hook."""
    kind = record.values.get("type")
    return isinstance(kind, str) and kind not in ("user", "assistant")


def gather_claude_code(records: Sequence[Record]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each session and each sidechain, and an error for what cannot be used.

    A line that stands there twice, as in a session that was taken up again, counts once.
    """
    chains: dict[str, list[Record]] = {}
    roots: dict[str, str] = {}  # the id of a line of a sidechain -> that of its first line
    known: set[str] = set()
    for record in records:
        line = str(record.values.get("uuid") or "")
        if line in known:
            continue
        known |= {line} if line else set()
        message = record.values.get("message")
        if message is not None and read_message(message) is None:
            yield record.problem("message", f"Expected a message with a role, found {message!r:.60}.")
            continue
        chains.setdefault(_name_chain(record.values, roots), []).append(record)
    for name, lines in chains.items():
        try:
            yield _read_chain(name, lines)
        except TaskError as error:
            yield error


def _name_session(values: Mapping[str, Any]) -> str | None:
    """Return the id of the session that a line belongs to; None without one."""
    names = (values.get(key) for key in ("sessionId", "session_id"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _name_chain(values: Mapping[str, Any], roots: dict[str, str]) -> str:
    """Return a name for the conversation that a line belongs to: its session, or its sidechain there.

    A sidechain has the id of its agent, of the call that began it, or else of its first line.
    """
    session = _name_session(values) or ""
    agent = values.get("agentId") or values.get("parent_tool_use_id")
    if not agent and values.get("isSidechain") is True:
        line, parent = str(values.get("uuid")), str(values.get("parentUuid"))
        agent = roots[line] = roots.get(parent, line)
    return f"{session}/{agent}" if agent else session


def _read_chain(name: str, lines: Sequence[Record]) -> Trace:
    """Read one conversation. Raises TaskError where nobody asks anything."""
    messages: list[Any] = []
    notes: list[Any] = []  # what the program, and not the user, wrote in the user's name
    error, ran = "", None
    for record in lines:
        values = record.values
        message = values.get("message")
        if not isinstance(message, Mapping):  # how the session ended
            ran = values.get("is_error") is not True
            error = "" if ran else read_content(values.get("result")) or str(values.get("subtype"))
        elif values.get("isApiErrorMessage") is True:
            error, ran = read_content(message.get("content")), False
        elif _is_note(values, message):
            notes.append(message)
        else:
            messages.append(drop_reminders(message))
            if message.get("role") == "assistant":
                error, ran = "", None
    first = lines[0]
    spoken = [read_message(message) or ("", "") for message in messages]
    if not any(role == "user" and text.strip() for role, text in spoken):
        messages = [*notes, *messages]
    if not any(message.get("role") == "assistant" for message in messages) and not error:
        raise first.problem("message", "The agent says nothing in this session.", fault=Fault.EMPTY)
    fields = read_conversation(replace(first, values={"messages": messages}), "messages")
    fields["error"] = error or fields["error"]
    return first.trace(**fields, sample=name, ran=ran, score=None)


def _is_note(values: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Tell whether the program wrote a message of the user: a command's output, a summary, an instruction."""
    if values.get("isMeta") is True or values.get("isCompactSummary") is True:
        return True
    text = read_content(message.get("content")).lstrip()
    return message.get("role") == "user" and text.startswith(tuple(load_names("claude_code")["notes"]))


def drop_reminders(message: Any) -> Any:
    """Return a message without the parts in which the program reminds the model of something."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list) or message.get("role") != "user":
        return message
    begin = load_names("claude_code")["reminder"]
    parts = [part for part in content if not read_content(part).lstrip().startswith(begin)]
    return {**message, "content": parts}
