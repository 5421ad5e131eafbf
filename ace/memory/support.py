"""Find where a user's own words hold what is proposed to be remembered of them. Pure."""

from __future__ import annotations

import re

from ace.memory.conversation import USER, Conversation
from ace.memory.rules import compile_rule
from ace.text.splitting import split_sentences, split_words
from ace.text.stems import stem_word
from ace.text.word_lists import stop_words, word_list

ENOUGH = 0.75  # of the words of a value; numbers and names must all be there

_CLAUSE = re.compile(r"[;:,\u2013]|\b(?:but|and now|now)\b")


def find_support(value: str, about: str, conversation: Conversation) -> tuple[int, str] | str:
    """Return the turn (from 1) and the sentence in which the user says a value, or the reason why not.

    Every number and name of the value, and most of its other words, must stand in one turn of the user's, in
    a sentence that does not take them back. Where several turns hold it, the last one counts. `about` says
    whom and what the value is about: a person named there must be one that the user spoke of.
    """
    turns = [(number, turn.text) for number, turn in enumerate(conversation.turns, 1) if turn.speaker == USER]
    heard = _collect_stems(" ".join(text for _, text in turns))
    persons = word_list("persons")
    for word in split_words(about):
        if word in persons and stem_word(word) not in heard:  # a date may be right, its owner made up
            return f"the user did not speak of a {word}"
    support: tuple[int, str] | None = None
    fewest: list[str] = []
    for number, text in turns:
        missing = _list_missing_words(value, text)
        if missing is None:
            support = (number, text)  # the last time it was said counts
        elif not fewest or len(missing) < len(fewest):
            fewest = missing
    if support is None:
        missing_words = ", ".join(fewest) or value
        return f"the user did not say {missing_words!r:.80}"
    number, text = support
    sentences = split_sentences(text)
    sentence = max(sentences, key=lambda sentence: _count_shared(value, sentence), default=text)
    if words := _find_taking_back(value, sentence):
        return f"the user takes it back ({words!r:.40})"
    return number, sentence


def _list_missing_words(value: str, text: str) -> list[str] | None:
    """Return the words of a value that a text lacks; None if it has enough of them.

    Every number and name must be there, and three quarters of all words; small words do not count. A word
    with a capital is a name, but for the first of a value.
    """
    heard = _collect_stems(text)
    small_words = stop_words() | set(word_list("negations"))
    words = [word for word in split_words(value, keep_case=True) if word.casefold() not in small_words]
    missing = [word for word in words if stem_word(word.casefold()) not in heard]
    for word in missing:
        is_name = word[0].isupper() and word != words[0]
        if is_name or any(character.isdigit() for character in word):
            return missing
    if not words or len(words) - len(missing) < ENOUGH * len(words):
        return missing
    return None


def _find_taking_back(value: str, sentence: str) -> str:
    """Return the words that take a value back, in the clause of the sentence that holds most of it, or "".

    Words of contrast ("instead of") take back only what stands behind them.
    """
    clause = max(_CLAUSE.split(sentence), key=lambda clause: _count_shared(value, clause))
    for match in compile_rule("taken_back").finditer(clause):
        if not compile_rule("contrasts").match(match[0]):
            return match[0]
        before, after = clause[: match.start()], clause[match.end() :]
        if _count_shared(value, after) > _count_shared(value, before):
            return match[0]
    return ""


def _count_shared(value: str, text: str) -> int:
    """Return how many words of a value stand in a text, in any form."""
    return len(_collect_stems(value) & _collect_stems(text))


def _collect_stems(text: str) -> set[str]:
    """Return the stems of all words of a text, small ones too."""
    return {stem_word(word) for word in split_words(text)}
