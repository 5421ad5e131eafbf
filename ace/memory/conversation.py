"""What was said, by whom and when: where memories and summaries come from. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ace.errors import InputError
from ace.memory.memory import instant

# The end of a sentence; not after a lone capital or a short title, as in "Mr. Finch" and "J. Doe".
_END = re.compile(
    r"(?<!\b[A-Z]\.)(?<!\bM[rs]\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bMrs\.)(?<!\bNo\.)(?<=[.!?])\s+|\n+"
)
USER = "user"


@dataclass(frozen=True, slots=True)
class Turn:
    """`speaker` is "user", or anybody else who is not the one that memories are about."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One session. `time` is an instant: what a user says holds from then on."""

    id: str
    user: str
    session: str
    time: str
    turns: tuple[Turn, ...]

    def text(self) -> str:
        return "\n".join(f"{turn.speaker}: {turn.text}" for turn in self.turns)


def sentences(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _END.split(text) if part.strip())


def conversation_of(
    row: Mapping[str, Any], *, user: str = "", session: str = "", place: str = ""
) -> Conversation:
    """From {"id", "user", "session", "time", "messages": [{"role", "content"}]}.

    `user` and `session` are taken where the row has none. InputError names `place` and the field.
    """
    given = {name: row.get(name, other) for name, other in (("id", ""), ("user", user), ("session", session))}
    for name, value in given.items():
        if (
            not isinstance(value, str | int)
            or isinstance(value, bool)
            or not (str(value).strip() or name == "session")
        ):
            raise _wrong(place, name, f"expected text, found {value!r:.60}")
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong(place, "messages", f"expected a list of messages, found {messages!r:.60}")
    turns = tuple(_turn(message, f"messages.{number}", place) for number, message in enumerate(messages))
    try:
        time = instant(str(row.get("time", "")))
    except InputError as error:
        raise _wrong(place, "time", error.message.partition(": ")[2].rstrip("."), error.hint) from error
    return Conversation(str(given["id"]), str(given["user"]), str(given["session"]), time, turns)


def _turn(message: Any, field: str, place: str) -> Turn:
    match message:
        case {"role": str(role), "content": str(content)} if role.strip():
            return Turn(role, content)
        case _:
            raise _wrong(place, field, f'expected {{"role", "content"}} as texts, found {message!r:.60}')


def _wrong(place: str, field: str, what: str, hint: str = "") -> InputError:
    where = f"{place} [{field}]" if place else field
    return InputError(f"{where}: {what}.", hint=hint, field=field)
