"""The summarizer puts a conversation into few words without losing names, numbers, dates and commitments.

A model writes, a checker lists what is missing (`ace.memory.essentials`), the model tries once more, and
what is missing still is appended word for word. So a loss is known: only what the bound leaves no room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.llm.client import Client, Request, Role
from ace.llm.prompts import messages, quote_text, render
from ace.memory.conversation import Conversation
from ace.memory.essentials import Essential, EssentialKind, find_missing_essentials
from ace.text.tokens import CountTokens, estimate_tokens

NAME = "summarizer"
_LONGEST_TURN = 4_000  # characters
_MOST_NAMED = 20  # missing essentials that are named to the model


@dataclass(frozen=True, slots=True)
class Summary:
    """Hold a summary, and what became of what it must not lose."""

    text: str
    """With what was appended."""

    tokens: int
    """What the text takes: at most the bound that was asked for."""

    appended: tuple[str, ...] = ()
    """Sentences taken over word for word, with their speakers."""

    lost: tuple[Essential, ...] = ()
    """The essentials that there was no room for."""


@dataclass(frozen=True, slots=True)
class Summarizer:
    """Summarize conversations, with at most two model calls each."""

    client: Client
    """Connects to the model that writes."""

    count: CountTokens = estimate_tokens
    """Counts the tokens of the bound."""

    def __call__(self, conversation: Conversation, *, max_tokens: int = 300, seed: int = 0) -> Summary:
        """Return a summary of at most `max_tokens` tokens.

        The second draft is taken where it lacks less than the first. Raises ModelError as the client does.
        """
        draft = self._ask(conversation, (), max_tokens, seed)
        missing = find_missing_essentials(conversation, draft)
        if missing:
            second_draft = self._ask(conversation, missing, max_tokens, seed)
            still_missing = find_missing_essentials(conversation, second_draft)
            if len(still_missing) < len(missing):
                draft, missing = second_draft, still_missing
        return append_missing(conversation, draft, missing, max_tokens, self.count)

    def _ask(self, conversation: Conversation, missing: Sequence[Essential], size: int, seed: int) -> str:
        """Ask for a summary of at most `size` tokens, and name to the model what an earlier one lacked."""
        turns = [(turn.speaker, quote_text(turn.text, _LONGEST_TURN)) for turn in conversation.spoken]
        texts = list(dict.fromkeys(quote_text(essential.text) for essential in missing))[:_MOST_NAMED]
        user = render("ace.memory", f"{NAME}.user", turns=turns, missing=texts)
        request = Request(
            role=Role.SUMMARIZER,
            messages=messages(render("ace.memory", f"{NAME}.system"), user),
            seed=seed,
            max_tokens=size,
        )
        return self.client.complete(request).text.strip()


def append_missing(
    conversation: Conversation, draft: str, missing: Sequence[Essential], bound: int, count: CountTokens
) -> Summary:
    """Return the draft with the sentences that hold what it lacks, in at most `bound` tokens.

    Where not all has room, the draft is cut first, from its end: the sentences are what was said.
    """
    order = list(EssentialKind)
    by_kind = sorted(missing, key=lambda essential: order.index(essential.what))
    quotes = list(dict.fromkeys(essential.sentence for essential in by_kind))
    if count(_join_lines(draft, quotes)) > bound:
        sentences = draft.replace("\n", " ").split(". ")
        while sentences and count(_join_lines(". ".join(sentences), quotes)) > bound:
            sentences.pop()
        draft = ". ".join(sentences)
    appended: list[str] = []
    for quote in quotes:
        if count(_join_lines(draft, [*appended, quote])) <= bound:
            appended.append(quote)
    text = _join_lines(draft, appended)
    lost = find_missing_essentials(conversation, text)
    return Summary(text, count(text), tuple(appended), lost)


def _join_lines(draft: str, quotes: Sequence[str]) -> str:
    """Return the draft with the quotes below it as list items."""
    items = [f"- {quote}" for quote in quotes]
    return "\n".join(filter(None, [draft, *items]))
