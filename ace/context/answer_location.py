"""Locate the right answer to a question in what was retrieved for it. Pure.

For whoever learns from a wrong answer: that the answer was on a page, and on which one, is what tells a name
that nobody explained from a fact that nobody knew. Knows an answer, so nothing here may reach the generator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ace.text.splitting import split_sentences, split_words
from ace.text.word_lists import stop_words, word_list

MOST = 2  # sentences
_ITEM = re.compile(r"^- \[([^\]\n]+)\] ", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_TABLE_ROW = re.compile(r"\n(?=[ \t]*\|)")
_LINE_NUMBERS = re.compile(r":p?\d+(?:-\d+)?$")
_SHORTEST_NAME = 3  # characters


@dataclass(frozen=True, slots=True)
class AnswerLocation:
    """Hold where a right answer stands in what was retrieved."""

    lines: tuple[str, ...]
    """Sentences with the answer, as "[page] sentence"."""

    unsaid: tuple[str, ...]
    """Words of the question that are on no page."""


def locate_answer(retrieved: str, question: str, answer: str) -> AnswerLocation:
    """Return where a right answer stands, and the words of its question that stand nowhere."""
    return AnswerLocation(
        find_answer_lines(retrieved, question, answer), list_unmatched_words(retrieved, question)
    )


def find_answer_lines(retrieved: str, question: str, answer: str) -> tuple[str, ...]:
    """Return sentences with every word of the answer as "[page] sentence", those nearest the question first.

    `retrieved` is a list of items as they stand in a prompt, "- [label] text". A label that is a path loses
    its folders and line numbers: its last part is what people call a page by. Returns nothing where the
    answer is worded differently, or is not there.
    """
    answer_words, question_words = set(split_words(answer)), set(split_words(question))
    if not answer_words:
        return ()
    matches: list[tuple[int, str]] = []
    _, *parts = _ITEM.split(retrieved)
    for label, body in zip(parts[::2], parts[1::2], strict=True):
        page = _LINE_NUMBERS.sub("", label.rpartition("/")[2])
        for block in _TABLE_ROW.split(_HEADING.sub("", body)):
            for sentence in split_sentences(" ".join(block.split())):
                words = set(split_words(sentence))
                if answer_words <= words:
                    near = len(question_words & (words | set(split_words(label))))
                    matches.append((near, f"[{page}] {sentence}"))
    matches.sort(key=lambda match: -match[0])
    return tuple(line for _, line in matches[:MOST])


def list_unmatched_words(retrieved: str, question: str) -> tuple[str, ...]:
    """Return words of the question, in order, that nothing retrieved has: perhaps names that no page uses."""
    words = set(split_words(retrieved))
    asking = stop_words("english", "questions", "more_questions") | set(word_list("asking"))
    unmatched: dict[str, None] = {}
    for word in split_words(question):
        if len(word) >= _SHORTEST_NAME and word not in words and word not in asking:
            unmatched[word] = None
    return tuple(unmatched)
