"""Decide whether a proposed memory may be kept, by rules that need no model. Pure.

A model proposes what a user seems to have said. It is believed only where the user's own words hold it, and
it is kept only if it is no secret, no order to the agent, and new. The first rule that speaks against it is
the reason that is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ace.errors import InputError
from ace.memory.conversation import Conversation
from ace.memory.memory_value import Kind, Memory, Scope, check_memory
from ace.memory.rules import compile_rule, read_list
from ace.memory.support import find_support
from ace.memory.timeline import select_holding
from ace.safety.injection import find_suspicion, read_as_shown
from ace.safety.secrets import find_secrets, hide_secrets
from ace.text.splitting import split_words

LONGEST = 300  # characters of a value: what is longer is a text, not a fact
_SHORTEST_SECRET = 4  # characters: fewer of a card number may be a shoe size


@dataclass(frozen=True, slots=True)
class Proposal:
    """Hold what a model, or a person, thinks should be remembered."""

    attribute: str
    """What it is about: "delivery address"."""

    value: str
    """What would be remembered of it: "12 Mill Lane"."""

    kind: Kind = Kind.FACT

    subject: str = "user"
    """Whom or what it is about: the user, or somebody else that the user speaks of."""

    expires: str | None = None
    """A date or a time in ISO 8601 from which on it no longer holds."""

    scope: Scope = Scope.USER
    """Who may be shown it."""


class MemoryRule(StrEnum):
    """Name the rule that refused a proposed memory; NONE for an accepted one. The values are stored."""

    NONE = ""
    EMPTY = "empty"
    TOO_LONG = "too long"
    SECRET = "secret"  # noqa: S105 (the name of a rule)
    INSTRUCTION = "instruction"
    DUPLICATE = "duplicate"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"  # a rule that this release does not know


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say what speaks against a memory. Nothing does: it is false."""

    rule: MemoryRule = MemoryRule.NONE
    """The one that it breaks; NONE where nothing speaks against it."""

    detail: str = ""
    """The rest of the sentence, for people."""

    same_as: str = ""
    """The memory that a duplicate repeats: its id, or its text where it has none."""

    def __bool__(self) -> bool:
        return self.rule is not MemoryRule.NONE

    def __str__(self) -> str:
        """Return the sentence: "secret: it is a card number"."""
        return f"{self.rule}: {self.detail}" if self.detail else str(self.rule)


@dataclass(frozen=True, slots=True)
class MemoryProposal:
    """Record a memory that a model proposed from a conversation, and what was decided."""

    user: str
    """Whose conversation it was."""

    session: str
    """The session of the conversation."""

    conversation: str
    """The id of the conversation."""

    proposal: dict[str, Any]
    """The proposed fields."""

    outcome: Literal["accepted", "rejected"]

    why: str = ""
    """Why it was refused, as a sentence for people."""

    memory: str = ""
    """The id of the memory that an accepted proposal became."""

    author: str = ""
    """The role or person that proposed it."""

    rule: MemoryRule = MemoryRule.NONE
    """The rule that refused it."""

    same_as: str = ""
    """The id of the memory that already says what a refused duplicate said."""


def decide(
    proposal: Proposal, conversation: Conversation, memories: Iterable[Memory]
) -> tuple[Memory | None, Refusal]:
    """Return the memory that a proposal becomes, or None and what speaks against it.

    A memory holds from the time of the conversation on. `memories` are those that are kept already; only the
    user's own words in the conversation count as support. Never raises.
    """
    if not split_words(proposal.value) or not split_words(proposal.attribute):
        return None, Refusal(MemoryRule.EMPTY)
    if kind := _find_secret_kind(proposal.value, conversation):
        return None, Refusal(MemoryRule.SECRET, f"it is {kind}")
    support = find_support(proposal.value, f"{proposal.subject} {proposal.attribute}", conversation)
    if isinstance(support, str):
        return None, Refusal(MemoryRule.UNSUPPORTED, support)
    turn, sentence = support
    # A user speaks for nobody else: what is proposed for everyone is kept for the user.
    scope = Scope.USER if proposal.scope is Scope.EVERYONE else proposal.scope
    memory = Memory(
        attribute=" ".join(proposal.attribute.split()),
        value=" ".join(proposal.value.split()).rstrip("."),
        user=conversation.user,
        session=conversation.session if scope is Scope.SESSION else "",
        scope=scope,
        kind=proposal.kind,
        subject=" ".join(proposal.subject.split()) or "user",
        since=conversation.time,
        expires=proposal.expires or None,
        conversation=conversation.id,
        turn=turn,
        quote=hide_secrets(sentence),
    )
    try:
        memory = check_memory(memory)
    except InputError as error:
        return None, Refusal(MemoryRule.MALFORMED, error.message)
    refusal = find_flaw(memory, memories)
    return (None, refusal) if refusal else (memory, refusal)


def find_flaw(memory: Memory, memories: Iterable[Memory] = ()) -> Refusal:
    """Return what speaks against keeping a memory, whoever says so. `memories` are those of the file.

    The rules, the first of which counts: it says nothing, is too long, holds a secret, tells the agent what
    to do, or repeats a memory that holds at the same time. It is looked at as it will be shown.
    """
    value = " ".join(split_words(memory.value))
    if value in read_list("empty") or not split_words(memory.attribute):
        return Refusal(MemoryRule.EMPTY)
    if len(memory.value) > LONGEST:
        return Refusal(MemoryRule.TOO_LONG, f"{len(memory.value)} characters, at most {LONGEST}")
    for text in (memory.text, memory.value, f"{memory.subject} {memory.text}"):
        if secrets := find_secrets(text):
            return Refusal(MemoryRule.SECRET, f"it holds {secrets[0].kind}")
    for text in (memory.text, memory.attribute, memory.value, memory.subject):
        if order := compile_rule("orders").search(read_as_shown(text)):
            return Refusal(MemoryRule.INSTRUCTION, f"{order[0]!r:.60} tells the agent what to do")
        if suspicion := find_suspicion(text):
            return Refusal(
                MemoryRule.INSTRUCTION, f"{text!r:.60} holds what may act as an order: {suspicion}"
            )
    if duplicate := _find_duplicate(memory, memories):
        same_as = duplicate.id or duplicate.text
        return Refusal(MemoryRule.DUPLICATE, f"{same_as!r} says the same", same_as)
    return Refusal()


def _find_secret_kind(value: str, conversation: Conversation) -> str:
    """Return what kind of secret a value is, where the user's words around it give it away, or "".

    "4929" alone may be anything; in "my card number is 4929 ..." it is a part of a secret.
    """
    wanted = "".join(split_words(value))
    for turn in conversation.turns:
        for secret in find_secrets(turn.text):
            hidden = "".join(split_words(turn.text[secret.start : secret.end]))
            is_part = len(wanted) >= _SHORTEST_SECRET and wanted in hidden
            if hidden and (hidden in wanted or is_part):
                return secret.kind
    return ""


def _find_duplicate(memory: Memory, memories: Iterable[Memory]) -> Memory | None:
    """Return a memory of the same owner that holds at the same time and says the same, or None.

    Case, punctuation, articles and plurals do not count in names, case and punctuation not in values.
    """
    value, text = split_words(memory.value), split_words(memory.text)
    owner = (memory.scope, memory.user, memory.session)
    for candidate in select_holding(memories, memory.since):
        if (candidate.scope, candidate.user, candidate.session) != owner:
            continue
        same_text = candidate.line == memory.line or split_words(candidate.text) == text
        if same_text and split_words(candidate.value) == value:
            return candidate
    return None
