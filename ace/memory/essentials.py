"""List what a summary must not lose: names, numbers, dates, and what somebody still has to do. Pure.

It reads English; in other languages it finds numbers and names, and fewer commitments. A name at the start of
a sentence counts only if it stands elsewhere, too, or is followed by another; so a summary is asked for too
much rather than too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ace.memory.conversation import Conversation
from ace.memory.rules import compile_rule
from ace.text.mentions import MentionKind, find_mentions
from ace.text.splitting import split_sentences, split_words
from ace.text.stems import stem_word
from ace.text.word_lists import stop_words, word_list

ENOUGH = 0.6  # of the content words of a commitment: a summary may put it in other words


class EssentialKind(StrEnum):
    """Say what an essential is. In this order they are appended to a summary that lacks them."""

    COMMITMENT = "commitment"
    DATE = "date"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Essential:
    """Hold an essential as it was said, and its sentence with the speaker: "agent: I will call you."."""

    what: EssentialKind
    text: str
    sentence: str


def list_essentials(conversation: Conversation) -> tuple[Essential, ...]:
    """Return all essentials, in order; a name or number once, where it was said first."""
    sentences = [(turn.speaker, text) for turn in conversation.turns for text in split_sentences(turn.text)]
    names_inside: set[str] = set()
    for _, sentence in sentences:
        mentions = (mention for mention in find_mentions(sentence) if mention.start > 0)
        names_inside.update(mention.text for mention in mentions if mention.kind is MentionKind.NAME)
    essentials: dict[tuple[EssentialKind, str], Essential] = {}
    for speaker, sentence in sentences:
        for kind, text in _read_sentence(sentence, names_inside):
            essential = Essential(kind, text, f"{speaker}: {sentence}")
            essentials.setdefault((kind, _join_words(text)), essential)
    return tuple(essentials.values())


def find_missing_essentials(conversation: Conversation, summary: str) -> tuple[Essential, ...]:
    """Return the essentials that a summary lacks. It has a commitment if it has most of its words."""
    text = f" {_join_words(summary)} "
    stems = {stem_word(word) for word in split_words(summary)}
    missing: list[Essential] = []
    for essential in list_essentials(conversation):
        if essential.what is EssentialKind.COMMITMENT:
            is_there = _has_commitment(essential.text, stems)
        else:
            is_there = f" {_join_words(essential.text)} " in text
        if not is_there:
            missing.append(essential)
    return tuple(missing)


def _has_commitment(commitment: str, stems: set[str]) -> bool:
    """Return whether the stems of a summary cover a commitment: all of its numbers, and most of its words."""
    small_words = stop_words()
    words = [word for word in split_words(commitment) if word not in small_words]
    missing = [word for word in words if stem_word(word) not in stems]
    if any(character.isdigit() for word in missing for character in word):
        return False
    return len(words) - len(missing) >= ENOUGH * len(words)


def _read_sentence(sentence: str, names_inside: set[str]) -> Iterator[tuple[EssentialKind, str]]:
    if compile_rule("commitments").search(sentence) and not sentence.endswith("?"):
        yield EssentialKind.COMMITMENT, sentence
    for mention in find_mentions(sentence):
        if mention.kind is MentionKind.NAME:
            # At the start of a sentence every word has a capital.
            is_sure = mention.start > 0 or " " in mention.text or mention.text in names_inside
            if not is_sure or mention.text.casefold() in word_list("openers"):
                continue
        yield EssentialKind(mention.kind), mention.text


def _join_words(text: str) -> str:
    return " ".join(split_words(text))
