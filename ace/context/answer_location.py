"""Where, in what was retrieved for a question, its right answer stands. Pure.

For whoever learns from a wrong answer: that the answer was on a page, and on which one, is what tells a name
that nobody explained from a fact that nobody knew. Knows an answer, so nothing here may reach the generator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 2
_ITEM = re.compile(r"^- \[([^\]\n]+)\] ", re.MULTILINE)
_HEADING = re.compile(r"^\s*#.*$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n(?=\s*\|)")
_LINES = re.compile(r":p?\d+(?:-\d+)?$")
_WORD = re.compile(r"\w+")
_ASKING = frozenset(
    ["how", "many", "much", "what", "which", "when", "where", "who", "whom", "whose", "why", "does", "did"]
)


@dataclass(frozen=True, slots=True)
class Standing:
    """`lines`: "[page] sentence" with the answer, two at most; `unsaid`: words of the question on no page."""

    lines: tuple[str, ...]
    unsaid: tuple[str, ...]


def stood(retrieved: str, question: str, answer: str) -> Standing:
    """Both, for an answer that was wrong."""
    return Standing(standing(retrieved, question, answer), unsaid(retrieved, question))


def standing(retrieved: str, question: str, answer: str, most: int = MOST) -> tuple[str, ...]:
    """Sentences with every word of the answer as "[page] sentence", those nearest the question first.

    `retrieved` is a list of items as they stand in a prompt, "- [label] text". A label that is a path loses
    its folders and line numbers: its last part is what people call a page by. Empty where the answer is
    worded differently, or was not found.
    """
    wanted, asked = _words(answer), _words(question)
    if not wanted:
        return ()
    _, *parts = _ITEM.split(retrieved)
    found = [
        (len(asked & (_words(text) | _words(label))), f"[{_page(label)}] {text}")
        for label, body in zip(parts[::2], parts[1::2], strict=True)
        for text in (" ".join(each.split()) for each in _SENTENCE.split(_HEADING.sub("", body)))
        if wanted <= _words(text)
    ]
    return tuple(text for _, text in sorted(found, key=lambda each: -each[0])[:most])


def unsaid(retrieved: str, question: str) -> tuple[str, ...]:
    """Words of the question, in its order, that nothing retrieved has: perhaps names that no page uses."""
    said = _words(retrieved)
    words = (word for word in _WORD.findall(question.casefold()) if len(word) > 2)
    return tuple(dict.fromkeys(word for word in words if word not in said and word not in _ASKING))


def _page(label: str) -> str:
    return _LINES.sub("", label.rpartition("/")[2])


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))
