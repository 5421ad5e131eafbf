"""Memories as values: what is known of a user, and from when until when it held. Pure.

Knows nothing about files or models, nor how a memory came to be believed (`acceptance`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from ace.errors import InputError
from ace.text.splitting import split_words
from ace.text.stems import singularize

# Words of a name that do not tell two attributes apart: "my current address" is "the address".
_DROPPED = frozenset(
    ["a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "preferred", "current"]
)
_LONGEST_NAME = 100  # characters


class Scope(StrEnum):
    """Say whom a memory is for: one user, one session of a user, or everyone."""

    USER = "user"
    SESSION = "session"
    EVERYONE = "everyone"


class Kind(StrEnum):
    """Say what a memory is: a preference and feedback are shown whatever the question."""

    FACT = "fact"
    PREFERENCE = "preference"
    FEEDBACK = "feedback"


Line = tuple[str, str, str, str, str]
"""Scope, user, session, subject and attribute, normalized: at any time at most one memory holds for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Say that `value` holds for `attribute` of `subject`, from `since` on and before `until` and `expires`.

    Times are ISO 8601 in UTC, as `parse_instant` gives them.
    """

    attribute: str
    """What is remembered: "delivery address"."""

    value: str
    """What holds for it: "12 Mill Lane"."""

    user: str = ""
    """Whom it is for; "" in the scope of everyone."""

    session: str = ""
    """Set in the scope of a session only."""

    scope: Scope = Scope.USER
    """Who may be shown it."""

    kind: Kind = Kind.FACT

    subject: str = "user"
    """Whom or what it is about."""

    since: str
    """When it began to hold."""

    until: str | None = None
    """When a newer memory took its place."""

    expires: str | None = None
    """The end that was announced beforehand."""

    conversation: str = ""
    """The id of the conversation that it comes from."""

    turn: int | None = None
    """The turn of the conversation, from 1."""

    quote: str = ""
    """The sentence there, with secrets hidden."""

    author: str = ""
    """Who wrote it down."""

    created: str = ""
    """When it was written down."""

    id: str = ""
    """Given by the file that keeps it."""

    @property
    def text(self) -> str:
        """Return the memory as it is shown: "Delivery address: 12 Elm Street"."""
        about = self.attribute
        if normalize_name(self.subject) != "user":
            about = f"{self.subject}, {self.attribute}"
        return f"{about[:1].upper()}{about[1:]}: {self.value}"

    @property
    def line(self) -> Line:
        """Return the line of time that it stands on."""
        subject = normalize_name(self.subject)
        attribute = normalize_name(self.attribute)
        return (self.scope, self.user, self.session, subject, attribute)

    @property
    def end(self) -> str | None:
        """Return the first instant at which it no longer holds; None for never."""
        return min(filter(None, (self.until, self.expires)), default=None)

    def holds(self, at: str) -> bool:
        """Return whether it holds at an instant; no longer at that of its end."""
        return self.since <= at and (self.end is None or at < self.end)


def normalize_name(name: str) -> str:
    """Return a name without case, punctuation, articles and plurals: such names are the same.

    "My current addresses" becomes "address". A name of such words alone keeps them.
    """
    words = [singularize(word) for word in split_words(name) if word not in _DROPPED]
    return " ".join(words) or " ".join(name.casefold().split())


def parse_instant(text: str, *, field: str = "time") -> str:
    """Return a date or time in ISO 8601 as an instant in UTC, which it is without an offset.

    Instants have milliseconds and compare as texts: "2026-03-31T14:00:00.000+00:00".
    Raises InputError with the `field`.
    """
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except (ValueError, AttributeError) as error:
        hint = "Write a date as 2026-03-31, or a time as 2026-03-31T14:00:00Z."
        raise InputError(f"{field}: {text!r:.60} is no date.", hint=hint, field=field) from error
    try:
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise InputError(f"{field}: {text!r:.60} is out of range.", field=field) from error
    return moment.isoformat(timespec="milliseconds")


def check_memory(memory: Memory) -> Memory:
    """Return a memory with its times as instants.

    Raises InputError, with the `field`, for a memory that could not be kept or found again: one without
    words, with a name that is too long, without an owner as its scope asks, or that ends before it begins.
    """
    problems: list[tuple[str, str]] = []
    for field in ("attribute", "value", "subject"):
        if not split_words(getattr(memory, field)):
            problems.append((field, "is empty"))
    for field in ("attribute", "subject", "user", "session"):
        if len(getattr(memory, field)) > _LONGEST_NAME:
            problems.append((field, f"is longer than {_LONGEST_NAME} characters"))
    needed = {"user": memory.scope is not Scope.EVERYONE, "session": memory.scope is Scope.SESSION}
    for field, is_needed in needed.items():
        if bool(getattr(memory, field).strip()) != is_needed:
            problem = "is needed" if is_needed else "has no place"
            problems.append((field, f"{problem} in scope {memory.scope}"))
    for field, problem in problems:
        raise InputError(f"{field}: it {problem}.", field=field)

    times: dict[str, str] = {}
    for field in ("since", "until", "expires", "created"):
        if text := getattr(memory, field):
            times[field] = parse_instant(text, field=field)
    if not memory.since:
        raise InputError("since: it is missing.", field="since")
    timed = replace(memory, **times)  # type: ignore[arg-type]
    for field in ("until", "expires"):
        end = getattr(timed, field)
        if end is not None and end < timed.since:
            order = f"{end} is before {timed.since}"
            raise InputError(f"{field}: it is before since: {order}.", field=field)
    return timed
