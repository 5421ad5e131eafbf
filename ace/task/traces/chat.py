"""Conversations in OpenAI's chat format: {"messages": [...], "reward": ...}, tool calls included.

The question is the first thing the user says, the answer the last thing the assistant says. System messages
are left out: they are the same for every record, and no part of what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class Chat:
    """`reward` or `correct` and `feedback` are labels."""

    name = "chat messages"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return isinstance(first.get("messages"), list)

    def read(self, record: Record) -> Trace:
        correct = record.values.get("correct")
        return record.trace(
            **conversation(record, "messages"),
            sample=record.name("id", f"record-{record.number}"),
            correct=correct if isinstance(correct, bool) else None,
            score=record.score("reward"),
            remark=record.text("feedback", ""),
            expected=record.text("expected", ""),
        )


def conversation(record: Record, key: str) -> dict[str, Any]:
    """Question, answer, and what was said and done in between."""
    messages = [_checked(record, key, message) for message in record.items(key)]
    asked = [_content(message) for message in messages if message["role"] == "user"]
    if not any(text.strip() for text in asked):
        raise record.problem(key, "Nobody asks anything: there is no message of a user.")
    said = [text for m in messages if m["role"] == "assistant" and (text := _content(m)).strip()]
    turns = tuple(turn for message in messages for turn in _turns(message))
    single = [message["role"] for message in messages if message["role"] != "system"] == ["user", "assistant"]
    return {
        "question": next(text for text in asked if text.strip()),
        "answer": said[-1] if said else "",
        "error": "" if said else "the assistant says nothing",
        "turns": () if single else turns,
    }


def _checked(record: Record, key: str, message: Any) -> Mapping[str, Any]:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        hint = 'Write {"role": "user", "content": "..."}.'
        raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
    return message


def _content(message: Mapping[str, Any]) -> str:
    """Text, the text parts of several, or nothing beside tool calls."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _turns(message: Mapping[str, Any]) -> Iterator[str]:
    role = message["role"]
    if role in ("system", "developer"):
        return
    if text := _content(message).strip():
        name = message.get("name")
        yield f"{role}{f' {name}' if isinstance(name, str) else ''}: {text}"
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            yield f"{role} calls {function.get('name')}({function.get('arguments')})"
