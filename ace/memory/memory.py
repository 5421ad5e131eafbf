"""Memories: what is known of a user, and from when until when it held. Pure.

Two memories of one owner about the same subject and attribute stand on one line, of which at most one holds
at any time: the newer closes the older, which stays as history. What arrives late is put where it belongs in
time. Knows nothing about files or models, nor how a memory came to be believed (`acceptance`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise

from ace.errors import InputError

_WORD = re.compile(r"[^\W_]+")
_DROPPED = frozenset(
    ("a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "preferred", "current")
)
_LONGEST_NAME = 100


class Scope(StrEnum):
    """Whom a memory is for: one user, one session of a user, or everyone."""

    USER = "user"
    SESSION = "session"
    EVERYONE = "everyone"


class Kind(StrEnum):
    FACT = "fact"
    PREFERENCE = "preference"
    FEEDBACK = "feedback"


Line = tuple[str, str, str, str, str]
"""What at most one memory at a time holds for: scope, user, session, subject, attribute, in plain form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`value` holds for `attribute` of `subject`, from `since` on and before `until` and `expires`.

    Times are ISO 8601 in UTC, as `instant` gives them. `until` is where a newer memory took its place,
    `expires` what was said beforehand. `conversation` and `turn` (counted from 1) say where it comes from;
    `quote` is what was said there.
    """

    attribute: str
    value: str
    user: str = ""
    session: str = ""
    scope: Scope = Scope.USER
    kind: Kind = Kind.FACT
    subject: str = "user"
    since: str
    until: str | None = None
    expires: str | None = None
    conversation: str = ""
    turn: int | None = None
    quote: str = ""
    author: str = ""
    created: str = ""
    id: str = ""

    @property
    def text(self) -> str:
        """As it is shown: "Delivery address: 12 Elm Street"."""
        about = self.attribute if subject_key(self.subject) == "user" else f"{self.subject}, {self.attribute}"
        return f"{about[:1].upper()}{about[1:]}: {self.value}"

    @property
    def line(self) -> Line:
        return (self.scope, self.user, self.session, subject_key(self.subject), subject_key(self.attribute))

    @property
    def end(self) -> str | None:
        """The first instant at which it no longer holds; None for never."""
        return min(filter(None, (self.until, self.expires)), default=None)

    def holds(self, at: str) -> bool:
        return self.since <= at and (self.end is None or at < self.end)


def subject_key(name: str) -> str:
    """Names that differ in case, punctuation, articles and plurals of their words are the same."""
    words = [word for word in _WORD.findall(name.casefold()) if word not in _DROPPED]
    return " ".join(_singular(word) for word in words) or " ".join(name.casefold().split())


def _singular(word: str) -> str:
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    return re.sub(r"(?<=[^aeiou])ies$|(?<=x|z)es$|(?<=sh|ch|ss)es$|s$", lambda m: "y" * (m[0] == "ies"), word)


def instant(text: str, *, field: str = "time") -> str:
    """A date or time in ISO 8601 as an instant in UTC, which it is without an offset.

    Raises InputError with the `field`.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError) as error:
        hint = "Write a date as 2026-03-31, or a time as 2026-03-31T14:00:00Z."
        raise InputError(f"{field}: {text!r:.60} is no date.", hint=hint, field=field) from error
    try:
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise InputError(f"{field}: {text!r:.60} is out of range.", field=field) from error
    return moment.isoformat(timespec="milliseconds")


def checked(memory: Memory) -> Memory:
    """With times as instants. InputError, with the `field`, for what could not be kept or found."""
    for name in ("attribute", "value", "subject"):
        if not _WORD.search(getattr(memory, name)):
            raise _wrong(name, "is empty")
    for name in ("attribute", "subject", "user", "session"):
        if len(getattr(memory, name)) > _LONGEST_NAME:
            raise _wrong(name, f"is longer than {_LONGEST_NAME} characters")
    _check_owner(memory)
    times = {name: getattr(memory, name) for name in ("since", "until", "expires", "created")}
    given = {name: instant(time, field=name) for name, time in times.items() if time}
    if not memory.since:
        raise _wrong("since", "is missing")
    timed = replace(memory, **given)  # type: ignore[arg-type]
    for name in ("until", "expires"):
        if (end := getattr(timed, name)) is not None and end < timed.since:
            raise _wrong(name, f"is before since: {end} is before {timed.since}")
    return timed


def _check_owner(memory: Memory) -> None:
    named = {"user": memory.scope is not Scope.EVERYONE, "session": memory.scope is Scope.SESSION}
    for name, needed in named.items():
        if bool(getattr(memory, name).strip()) != needed:
            raise _wrong(name, f"{'is needed' if needed else 'has no place'} in scope {memory.scope}")


def _wrong(field: str, what: str) -> InputError:
    return InputError(f"{field}: it {what}.", field=field)


@dataclass(frozen=True, slots=True)
class Placed:
    """A new memory with its place in time, and the older one that it closes, as it is then."""

    memory: Memory
    closed: Memory | None = None


def place(line: Iterable[Memory], new: Memory) -> Placed:
    """Where a memory belongs among those of its line, which do not overlap. What came last wins a tie."""
    others = sorted(line, key=lambda memory: memory.since)
    later = next((memory.since for memory in others if memory.since > new.since), None)
    until = min(filter(None, (later, new.until)), default=None)
    before = next((m for m in reversed(others) if m.since <= new.since and _open_after(m, new.since)), None)
    never = until == new.since  # it held for no time, as what was corrected at once: it closes nothing
    closed = None if before is None or never else replace(before, until=new.since)
    return Placed(replace(new, until=until), closed)


def _open_after(memory: Memory, at: str) -> bool:
    return memory.until is None or memory.until > at


def held(memories: Iterable[Memory], at: str) -> list[Memory]:
    """Those that hold at an instant, in the order given."""
    return [memory for memory in memories if memory.holds(at)]


def overlaps(memories: Sequence[Memory]) -> list[tuple[Memory, Memory]]:
    """Pairs on one line that hold at the same time: none, if `place` put them there."""
    lines: dict[Line, list[Memory]] = {}
    for memory in sorted(memories, key=lambda memory: memory.since):
        if memory.since != memory.until:
            lines.setdefault(memory.line, []).append(memory)
    return [
        (one, other)
        for line in lines.values()
        for one, other in pairwise(line)
        if one.until is None or other.since < one.until
    ]
