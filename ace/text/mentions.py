"""Numbers, dates and names that a text mentions, found by form: English dates, names in Latin script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from ace.text.word_lists import word_list

_FIGURE = re.compile(r"(?<![\w.,-])[-+]?\d+(?:[.,:]\d+)*%?")
_NUMBER = re.compile(r"(?<![\w.])[#\u20ac$\u00a3]?[A-Za-z]{0,4}-?\d[\w-]*(?:[.,:/]\d+)*%?")
_NAME = re.compile(
    r"\b[A-Z][\w'\u2019&-]{0,60}[a-z\d&][\w'\u2019&-]*(?: (?:of |de |van |von )?[A-Z][\w'\u2019&-]+)*"
)


class MentionKind(StrEnum):
    """Say what a mention is, by its form."""

    DATE = "date"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Mention:
    """Hold one mention in a text."""

    kind: MentionKind

    text: str
    """As it is written there."""

    start: int
    """The place of its first character there, from 0."""


def find_mentions(text: str) -> Iterator[Mention]:
    """Yield dates, then numbers and codes ("AB-1204", "$5"), then names; none inside an earlier one.

    A name is a word with a capital and those that follow it. At the start of a sentence (`start` 0) any word
    has one, so the caller must know better there.
    """
    is_taken = bytearray(len(text) + 1)  # by place
    patterns = (
        (MentionKind.DATE, _compile_date()),
        (MentionKind.NUMBER, _NUMBER),
        (MentionKind.NAME, _NAME),
    )
    for kind, pattern in patterns:
        for match in pattern.finditer(text):
            start, end = match.span()
            if not is_taken[start]:
                is_taken[start:end] = b"\1" * (end - start)
                yield Mention(kind, match[0], start)


def find_figures(text: str) -> list[re.Match[str]]:
    """Return the matches of plain figures: "47", "-3.5", "1,204", "12:30", "8%"; no codes and no units."""
    return list(_FIGURE.finditer(text))


def normalize_figure(figure: str) -> str:
    """Return a figure without the commas between thousands and without punctuation behind it."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", figure).rstrip(".,:")


@cache
def _compile_date() -> re.Pattern[str]:
    """Compile the forms of a date: in numbers, with a month's name, or a day of the week."""
    month = "|".join((*word_list("months"), *word_list("short_months")))
    day = r"\d{1,2}(?:st|nd|rd|th)?"
    forms = (
        r"\b\d{4}-\d\d-\d\d\b",
        r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b",
        rf"\b{day}(?: of)? (?:{month})\b\.?(?:,? \d{{4}})?",
        rf"\b(?:{month})\.? {day}\b(?:,? \d{{4}})?",
        rf"\b(?:{'|'.join(word_list('days'))})s?\b",
    )
    return re.compile("|".join(forms), re.IGNORECASE)
