"""Conversations as values: who said what, and when. Memories and summaries come from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ace.errors import InputError
from ace.memory.memory_value import parse_instant
from ace.text.message_content import read_message

USER = "user"
_SILENT = ("_call", "_call_output", "reasoning")
_OF_A_SILENT = {"content", "parts", "tool_calls", "function_call"}  # fields of a message that may say nothing
_MOST_SECONDS = 10**11  # the year 5138: what is more are milliseconds


@dataclass(frozen=True, slots=True)
class Turn:
    """Hold what one speaker says."""

    speaker: str
    """The role: "user" for the one that memories are about."""

    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Hold one session of a user with an agent."""

    id: str
    """What memories name as where they come from."""

    user: str
    """The id of the user."""

    session: str
    """The id of the session."""

    time: str
    """An instant, as `parse_instant` returns it: what a user says holds from then on."""

    turns: tuple[Turn, ...]
    """One for each message. The text is empty where a message only calls tools."""

    @property
    def spoken(self) -> tuple[Turn, ...]:
        """Return the turns in which something is said."""
        return tuple(turn for turn in self.turns if turn.text.strip())


def parse_conversation(
    row: Mapping[str, Any], *, user: str = "", session: str = "", place: str = ""
) -> Conversation:
    """Read {"id", "user", "session", "time", "messages": [{"role", "content"}]}, messages as OpenAI has them.

    A content is a text, a list of parts, of which the texts count, or null beside tool calls. Other names for
    roles and contents are understood (`ace.text.message_content`). A time may be seconds or
    milliseconds from 1970.

    `user` and `session` are taken where the row has none. Ids may be whole numbers, and become texts.
    Raises InputError, which names `place` (a file and a line) and the field.
    """
    owner: dict[str, str] = {}
    for name, default in (("id", ""), ("user", user), ("session", session)):
        value = row.get(name, default)
        is_text = isinstance(value, str | int) and not isinstance(value, bool)
        if not is_text or (name != "session" and not str(value).strip()):
            raise _make_error(place, name, f"expected text, found {value!r:.60}")
        owner[name] = str(value)
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _make_error(place, "messages", f"expected a list of messages, found {messages!r:.60}")
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        spoken = read_message(message)
        kind = str(message.get("type") or "") if isinstance(message, Mapping) else ""
        if spoken is None and kind.endswith(_SILENT):  # an item of OpenAI's responses has no role
            spoken = "assistant", ""
        elif spoken is None or not (spoken[1] or set(message) & _OF_A_SILENT):
            problem = f'expected {{"role", "content"}}, found {message!r:.60}'
            raise _make_error(place, f"messages.{number}", problem)
        turns.append(Turn(*spoken))
    instant = row.get("time", "")
    try:
        if isinstance(instant, int | float) and not isinstance(instant, bool):
            seconds = instant / 1000 if instant > _MOST_SECONDS else instant
            instant = datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        pass  # it is named below
    try:
        time = parse_instant(str(instant))
    except InputError as error:
        problem = error.message.partition(": ")[2].rstrip(".")
        raise _make_error(place, "time", problem, error.hint) from error
    return Conversation(**owner, time=time, turns=tuple(turns))


def _make_error(place: str, field: str, problem: str, hint: str = "") -> InputError:
    """Return an error that names the place and the field: "log.jsonl:3 [time]: ..."."""
    where = f"{place} [{field}]" if place else field
    return InputError(f"{where}: {problem}.", hint=hint, field=field)
