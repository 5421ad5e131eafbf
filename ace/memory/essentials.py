"""What a summary must not lose: names, numbers, dates, and what somebody still has to do. Pure.

Lists what a text holds of these, and what of it another text lacks. It reads English; in other languages it
finds numbers and names, and fewer commitments. A name at the start of a sentence counts only if it stands
elsewhere, too, or is followed by another; so a summary is asked for too much rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ace.memory.conversation import Conversation, sentences

What = Literal["commitment", "date", "number", "name"]

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_SHORT = "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_DATE = re.compile(
    rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS}|{_SHORT})\b\.?(?:,? \d{{4}})?"
    rf"|\b(?:{_MONTHS}|{_SHORT})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|\b(?:{_DAYS})s?\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])[#\u20ac$\u00a3]?(?=[\w-]*\d)[A-Za-z]{0,4}-?\d[\w-]*(?:[.,:/]\d+)*%?")
_NAME = re.compile(
    r"\b[A-Z][\w'\u2019&-]*[a-z\d&][\w'\u2019&-]*(?: (?:of |de |van |von )?[A-Z][\w'\u2019&-]+)*"
)
_COMMITMENT = re.compile(
    r"\b(?:I|we|you|they|he|she|the \w+|somebody|someone)"
    r"(?:['\u2019]ll| will| shall| promise[sd]?| (?:have|has|am|is|are) going to|['\u2019](?:m|re|s) going to"
    r"| needs? to| must| (?:have|has) to| (?:am|are|is) to)\b"
    r"|\b(?:let me|remind me|please (?:call|send|write|refund|replace|return|cancel|confirm|let))\b"
    rf"|\b(?:by|until|before|no later than) (?:tomorrow|tonight|noon|next|end of|the end|{_DAYS}|\d)"
    r"|\b(?:promised|agreed|deadline|due|follow[- ]up|call(?:s|ed)? back)\b",
    re.IGNORECASE,
)
_FORMS: tuple[tuple[What, re.Pattern[str]], ...] = (("date", _DATE), ("number", _NUMBER), ("name", _NAME))
_WORD = re.compile(r"[^\W_]+")
_COMMON_WORDS = "i i'm i'll ok okay yes no hi hello dear thanks the please sorry good fine"
_COMMON = frozenset(_COMMON_WORDS.split())
ENOUGH = 0.6  # of the words of a commitment that are no small words: in a summary it may be put otherwise
_SMALL_WORDS = """a an and are as at be been but by can could do for from have has he her his i if in is it
its just let me my of on or our please shall she so than that the their them then they this to us was we
will with would you your i'll we'll you'll ll"""
_SMALL = frozenset(_SMALL_WORDS.split())


@dataclass(frozen=True, slots=True)
class Essential:
    """`text` as it was said, and the sentence it stands in, with who said it: "agent: I will call you."."""

    what: What
    text: str
    sentence: str


def essentials(conversation: Conversation) -> tuple[Essential, ...]:
    """All of them, in order; a name or number once, where it was said first."""
    seen: set[tuple[str, str]] = set()
    found: list[Essential] = []
    inside = _names_inside(conversation)
    for turn in conversation.turns:
        for sentence in sentences(turn.text):
            for what, text in _of_sentence(sentence, inside):
                key = (what, _plain(text))
                if key not in seen:
                    seen.add(key)
                    found.append(Essential(what, text, f"{turn.speaker}: {sentence}"))
    return tuple(found)


def lacking(conversation: Conversation, summary: str) -> tuple[Essential, ...]:
    """What the summary does not say. A commitment is there if most of its words are, and its numbers."""
    said, words = f" {_plain(summary)} ", {_stem(word) for word in _plain(summary).split()}
    return tuple(each for each in essentials(conversation) if not _said(each, said, words))


def _said(each: Essential, said: str, words: set[str]) -> bool:
    if each.what != "commitment":
        return f" {_plain(each.text)} " in said
    wanted = [word for word in _plain(each.text).split() if word not in _SMALL]
    there = [_stem(word) in words for word in wanted]
    figures = all(here for word, here in zip(wanted, there, strict=True) if any(c.isdigit() for c in word))
    return figures and sum(there) >= ENOUGH * len(wanted)


def _of_sentence(sentence: str, inside: set[str]) -> Iterator[tuple[What, str]]:
    if _COMMITMENT.search(sentence) and not sentence.endswith("?"):
        yield "commitment", sentence
    taken: list[re.Match[str]] = []
    for what, pattern in _FORMS:
        for match in pattern.finditer(sentence):
            inner = any(other.start() <= match.start() < other.end() for other in taken)
            if not inner and (what != "name" or _is_name(match, inside)):
                taken.append(match)
                yield what, match[0]


def _is_name(match: re.Match[str], inside: set[str]) -> bool:
    name = match[0]
    return name.casefold() not in _COMMON and (match.start() > 0 or " " in name or name in inside)


def _names_inside(conversation: Conversation) -> set[str]:
    """Words with a capital that stand inside a sentence: at its start every word has one."""
    found: set[str] = set()
    for turn in conversation.turns:
        for sentence in sentences(turn.text):
            found.update(match[0] for match in _NAME.finditer(sentence) if match.start() > 0)
    return found


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _stem(word: str) -> str:
    for end in ("ing", "ed", "es", "s"):
        if len(word) - len(end) >= 3 and word.endswith(end):
            return word[: -len(end)]
    return word
