"""Reads files whose records are the messages of a conversation, or items of OpenAI's responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ace.errors import TaskError
from ace.task.traces.chat_record import read_conversation
from ace.task.traces.codex import mark_failure
from ace.task.traces.record import Record, load_names
from ace.task.traces.trace import Trace
from ace.text.message_content import is_thought, read_message


def fits_message_rows(record: Record) -> bool:
    """Tell whether a record is a message or an item: it has a role and says something, or is a call."""
    values = record.values
    spoken = read_message(values)
    if spoken is not None:
        is_known = spoken[0] in ("user", "assistant", "tool", "system")
        return is_known and any(name in values for name in ("role", "from")) and bool(
            spoken[1] or "content" in values or "tool_calls" in values
        )  # fmt: skip
    kind = str(values.get("type"))
    is_call = kind.endswith(("_call", "_call_output")) and ("call_id" in values or "id" in values)
    return is_call or (is_thought(values) and "summary" in values)


def accompanies_message_rows(record: Record) -> bool:
    """Tell whether a record describes the session, as in the older files of Codex."""
    values = record.values
    return "record_type" in values or {"id", "timestamp", "instructions"} <= values.keys()


def gather_message_rows(records: Sequence[Record]) -> Iterator[Trace | TaskError]:
    """Yield an attempt for each conversation: by its id where messages have one, else all are of one."""
    conversations: dict[str, list[Record]] = {}
    for record in records:
        names = (record.values.get(name) for name in load_names("conversation")["ids"])
        conversation = next((str(name) for name in names if name not in (None, "")), "")
        conversations.setdefault(conversation, []).append(record)
    for name, messages in conversations.items():
        values = {"messages": [mark_failure(record.values) for record in messages]}
        first = replace(messages[0], values=values)
        try:
            fields = read_conversation(first, "messages")
            yield first.trace(**fields, sample=name or first.name("id"), score=None)
        except TaskError as error:
            yield error
