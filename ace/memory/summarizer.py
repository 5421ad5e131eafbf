"""The summarizer puts a conversation into few words without losing names, numbers, dates and commitments.

A model writes, a checker lists what is missing (`ace.memory.essentials`), the model tries once more, and
what is missing still is appended word for word. So what is lost is known: only what the bound leaves no
room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.llm.client import Client, Request, Role
from ace.llm.prompts import messages, render, shown
from ace.memory.conversation import Conversation
from ace.memory.essentials import Essential, lacking
from ace.text.tokens import CountTokens, estimate_tokens

NAME = "summarizer"
_LONGEST_TURN = 4_000  # characters
_MOST = 20  # missing things that are named to the model
_ORDER = ("commitment", "date", "number", "name")  # what is appended first, where not all fits


@dataclass(frozen=True, slots=True)
class Summary:
    """`tokens` is at most the bound. `appended`: sentences taken over word for word. `lost`: what the summary
    lacks, because there was no room.
    """

    text: str
    tokens: int
    appended: tuple[str, ...] = ()
    lost: tuple[Essential, ...] = ()


@dataclass(frozen=True, slots=True)
class Summarizer:
    """At most two model calls for a conversation."""

    client: Client
    count: CountTokens = estimate_tokens

    def __call__(self, conversation: Conversation, *, max_tokens: int = 300, seed: int = 0) -> Summary:
        """A summary of at most `max_tokens` tokens. Raises ModelError as the client does."""
        written = self._ask(conversation, (), max_tokens, seed)
        missing = lacking(conversation, written)
        if missing:
            again = self._ask(conversation, missing, max_tokens, seed)
            left = lacking(conversation, again)
            if len(left) < len(missing):
                written, missing = again, left
        return complete(conversation, written, missing, max_tokens, self.count)

    def _ask(self, conversation: Conversation, missing: Sequence[Essential], size: int, seed: int) -> str:
        turns = [(turn.speaker, shown(turn.text, _LONGEST_TURN)) for turn in conversation.turns]
        words = list(dict.fromkeys(shown(each.text) for each in missing))[:_MOST]
        user = render("ace.memory", f"{NAME}.user", turns=turns, missing=words)
        request = Request(
            role=Role.SUMMARIZER,
            messages=messages(render("ace.memory", f"{NAME}.system"), user),
            seed=seed,
            max_tokens=size,
        )
        return self.client.complete(request).text.strip()


def complete(
    conversation: Conversation, written: str, missing: Sequence[Essential], bound: int, count: CountTokens
) -> Summary:
    """The summary with the sentences that hold what it lacks, within the bound.

    Where not all has room, sentences go before what the model wrote: they are what was said.
    """
    wanted = sorted(missing, key=lambda each: _ORDER.index(each.what))
    quoted = list(dict.fromkeys(each.sentence for each in wanted))
    body = written if count(_joined(written, quoted)) <= bound else _cut(written, quoted, bound, count)
    kept: list[str] = []
    for sentence in quoted:
        if count(_joined(body, [*kept, sentence])) <= bound:
            kept.append(sentence)
    text = _joined(body, kept)
    return Summary(text, count(text), tuple(kept), lacking(conversation, text))


def _cut(written: str, quoted: Sequence[str], bound: int, count: CountTokens) -> str:
    """As many lines and sentences of it, from the first on, as leave room for all that is quoted."""
    parts = written.replace("\n", " ").split(". ")
    while parts and count(_joined(". ".join(parts), quoted)) > bound:
        parts.pop()
    return ". ".join(parts)


def _joined(written: str, quoted: Sequence[str]) -> str:
    return "\n".join(filter(None, (written, *(f"- {sentence}" for sentence in quoted))))
