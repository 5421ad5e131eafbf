"""Reads conversations in OpenAI's chat format: {"messages": [...], "reward": ...}, tool calls included.

The question is the first thing the user says, the answer the last thing the assistant says. System messages
are left out: they are the same for every record, and no part of what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class Chat:
    """Reads conversations. `reward` or `correct` and `feedback` are labels."""

    name = "chat messages"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return isinstance(first.get("messages"), list)

    def read(self, record: Record) -> Trace:
        correct = record.values.get("correct")
        return record.trace(
            **read_conversation(record, "messages"),
            sample=record.name("id", f"record-{record.number}"),
            correct=correct if isinstance(correct, bool) else None,
            score=record.score("reward"),
            remark=record.text("feedback", ""),
            expected=record.text("expected", ""),
        )


def read_conversation(record: Record, key: str) -> dict[str, Any]:
    """Return fields of a trace: question, answer, error and turns. Raises TaskError."""
    messages = [_require_message(record, key, message) for message in record.items(key)]
    questions, answers = _texts_of(messages, "user"), _texts_of(messages, "assistant")
    if not questions:
        raise record.problem(key, "Nobody asks anything: there is no message of a user.")
    roles = [message["role"] for message in messages if message["role"] != "system"]
    turns: tuple[str, ...] = ()
    if roles != ["user", "assistant"]:  # else the turns are question and answer once more
        turns = tuple(turn for message in messages for turn in _render_turns(message))
    return {
        "question": questions[0],
        "answer": answers[-1] if answers else "",
        "error": "" if answers else "the assistant says nothing",
        "turns": turns,
    }


def _texts_of(messages: Sequence[Mapping[str, Any]], role: str) -> list[str]:
    """Return what one role says, without messages that hold no text."""
    texts = (_read_content(message) for message in messages if message["role"] == role)
    return [text for text in texts if text.strip()]


def _require_message(record: Record, key: str, message: Any) -> Mapping[str, Any]:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        hint = 'Write {"role": "user", "content": "..."}.'
        raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
    return message


def _read_content(message: Mapping[str, Any]) -> str:
    """Return the text of a message, or its text parts; "" where there are only tool calls."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _render_turns(message: Mapping[str, Any]) -> Iterator[str]:
    role = message["role"]
    if role in ("system", "developer"):
        return
    text, name = _read_content(message).strip(), message.get("name")
    if text:
        yield f"{role} {name}: {text}" if isinstance(name, str) else f"{role}: {text}"
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            yield f"{role} calls {function.get('name')}({function.get('arguments')})"
