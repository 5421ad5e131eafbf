"""Keep a ledger of a long text: its sentences with figures and names in them, and where two disagree.

A later part is written with the ledger before it, and the finished text is checked against it. Pure, and of
form only: a sentence is known by its words, a figure by the words beside it. It finds figures that disagree
about the same thing; it does not understand what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ace.text.mentions import MentionKind, find_figures, find_mentions, normalize_figure
from ace.text.splitting import split_sentences, split_words
from ace.text.stems import stem_word
from ace.text.word_lists import stop_words, word_list

# A line of a list in Markdown, without its mark.
_LIST_ITEM = re.compile(r"^[ \t]*[-*\u2022][ \t]+(\S.*)$", re.MULTILINE)
_NEAR = 3  # content words on either side of a figure that say what it counts
_ALIKE = 0.6  # of the words beside two figures, for them to count the same thing

FROM_QUESTION = -1
"""The part that statements of the question belong to."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Hold a sentence that states something."""

    part: int
    """The part of the text that it stands in, from 0; FROM_QUESTION for one of the question."""

    sentence: str
    """The sentence in one line."""

    figures: tuple[str, ...]
    """The figures in it, as they are written: "1,204", "8%"."""

    names: tuple[str, ...]
    """The names in it, but for one at its start, where any word has a capital."""


def extract_statements(text: str, part: int) -> tuple[Statement, ...]:
    """Return the sentences of a text with a figure or a name in them, in order.

    `part` is the place of the text, for `Statement.part`.
    """
    statements: list[Statement] = []
    for sentence in split_sentences(text):
        statement = _read_statement(sentence, part)
        if statement.figures or statement.names:
            statements.append(statement)
    return tuple(statements)


def extract_listed_statements(text: str) -> tuple[Statement, ...]:
    """Return what a question gives as a list, one statement a line; its other lines tell how to answer.

    A line of a list begins with "-", "*" or a bullet. Those without a figure or a name count as well.
    """
    return tuple(_read_statement(line, FROM_QUESTION) for line in _LIST_ITEM.findall(text))


def extract_figures(text: str) -> frozenset[str]:
    """Return the figures of a text without the marks between thousands: "1,204" as "1204"."""
    figures = [figure[0] for figure in find_figures(text)]
    return frozenset(map(normalize_figure, figures))


def find_clashes(statements: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """Yield pairs that give the same thing different figures, the earlier one first.

    They may stand in different parts or in one. Quadratic in statements with figures.
    """
    counts: list[tuple[Statement, dict[frozenset[str], str]]] = []
    for statement in statements:
        if statement.figures:
            counts.append((statement, _count_things(statement.sentence)))
    for (first, first_counts), (second, second_counts) in combinations(counts, 2):
        if _have_disagreement(first_counts, second_counts):
            yield first, second


def find_missing_points(text: str, points: Iterable[str]) -> list[str]:
    """Return those points that a text does not make: it lacks a figure of theirs, or most of their words.

    Words are compared by their stems. Numbers and small words do not count as words.
    """
    text_words = set(_list_stems(text))
    text_figures = extract_figures(text)
    missing: list[str] = []
    for point in points:
        words = set(_list_stems(point))
        has_figures = extract_figures(point) <= text_figures
        has_words = 2 * len(words & text_words) >= len(words)
        if not has_figures or not has_words:
            missing.append(point)
    return missing


def find_nearest_text(sentence: str, texts: Sequence[str]) -> int:
    """Return the index of the text that shares most words with a sentence, the first of several.

    Raises ValueError where there are no texts.
    """
    words = set(_list_stems(sentence))
    shared: list[int] = []
    for text in texts:
        shared.append(len(words & set(_list_stems(text))))
    return shared.index(max(shared))


def _read_statement(text: str, part: int) -> Statement:
    """Return a sentence, put in one line, with the figures and names in it; it may have neither."""
    sentence = " ".join(text.split())
    figures = tuple(figure[0] for figure in find_figures(sentence))
    names: list[str] = []
    for mention in find_mentions(sentence):
        if mention.kind is MentionKind.NAME and mention.start > 0:
            names.append(mention.text)
    return Statement(part, sentence, figures, tuple(names))


def _count_things(sentence: str) -> dict[frozenset[str], str]:
    """Map the words beside each figure to the figure; a figure beside fewer than two says too little.

    Words are stems, three on either side at the most. Of two figures beside the same words the last counts.
    """
    counts: dict[frozenset[str], str] = {}
    for figure in find_figures(sentence):
        before = _list_stems(sentence[: figure.start()])[-_NEAR:]
        after = _list_stems(sentence[figure.end() :])[:_NEAR]
        about = frozenset(before + after)
        if len(about) > 1:
            counts[about] = normalize_figure(figure[0])
    return counts


def _have_disagreement(first: dict[frozenset[str], str], second: dict[frozenset[str], str]) -> bool:
    """Return whether both have a figure of one thing, and another one.

    Two things are one where the words beside their figures are nearly the same.
    """
    for about, figure in first.items():
        for words, second_figure in second.items():
            is_same_thing = len(about & words) >= _ALIKE * len(about | words)
            if is_same_thing and figure != second_figure:
                return True
            if is_same_thing:
                break  # the first thing that is alike counts
    return False


def _list_stems(text: str) -> list[str]:
    """Return the stems of the words that say what a sentence is about, in order: no numbers or amounts."""
    small_words = stop_words() | set(word_list("beside_figures"))
    stems: list[str] = []
    for word in split_words(text):
        if not word[0].isdigit() and word not in small_words:
            stems.append(stem_word(word))
    return stems
