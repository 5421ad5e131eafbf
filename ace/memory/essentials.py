"""List what a summary must not lose: names, numbers, dates, and what somebody still has to do. Pure.

It reads English; in other languages it finds numbers and names, and fewer commitments. A name at the start of
a sentence counts only if it stands elsewhere, too, or is followed by another; so a summary is asked for too
much rather than too little.
"""

from __future__ import annotations

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
    """Hold an essential as it was said."""

    what: EssentialKind

    text: str
    """The name, number or date; of a commitment the whole sentence."""

    sentence: str
    """Its sentence with the speaker: "agent: I will call you."."""


def list_essentials(conversation: Conversation) -> tuple[Essential, ...]:
    """Return all essentials, in order; a name or number once, where it was said first.

    A question is no commitment. Two names are one where they differ in case or punctuation only.
    """
    sentences = []
    names_inside: set[str] = set()
    for turn in conversation.turns:
        for sentence in split_sentences(turn.text):
            mentions = list(find_mentions(sentence))
            sentences.append((turn.speaker, sentence, mentions))
            for mention in mentions:
                if mention.start > 0 and mention.kind is MentionKind.NAME:
                    names_inside.add(mention.text)

    essentials: dict[tuple[EssentialKind, str], Essential] = {}
    for speaker, sentence, mentions in sentences:
        items: list[tuple[EssentialKind, str]] = []
        if compile_rule("commitments").search(sentence) and not sentence.endswith("?"):
            items.append((EssentialKind.COMMITMENT, sentence))
        for mention in mentions:
            if mention.kind is MentionKind.NAME:
                # At the start of a sentence every word has a capital.
                is_sure = mention.start > 0 or " " in mention.text or mention.text in names_inside
                if not is_sure or mention.text.casefold() in word_list("openers"):
                    continue
            items.append((EssentialKind(mention.kind), mention.text))
        for kind, text in items:
            essential = Essential(kind, text, f"{speaker}: {sentence}")
            essentials.setdefault((kind, " ".join(split_words(text))), essential)
    return tuple(essentials.values())


def find_missing_essentials(conversation: Conversation, summary: str) -> tuple[Essential, ...]:
    """Return the essentials that a summary lacks.

    It has a commitment if it has all of its numbers, and most of its words, in any form; anything else must
    stand there word for word.
    """
    summary_words, small_words = split_words(summary), stop_words()
    text = f" {' '.join(summary_words)} "
    stems = {stem_word(word) for word in summary_words}
    missing: list[Essential] = []
    for essential in list_essentials(conversation):
        words = split_words(essential.text)
        if essential.what is EssentialKind.COMMITMENT:
            content = [word for word in words if word not in small_words]
            absent = [word for word in content if stem_word(word) not in stems]
            lacks_number = any(character.isdigit() for character in "".join(absent))
            has_most_words = len(content) - len(absent) >= ENOUGH * len(content)
            is_there = has_most_words and not lacks_number
        else:
            is_there = f" {' '.join(words)} " in text
        if not is_there:
            missing.append(essential)
    return tuple(missing)
