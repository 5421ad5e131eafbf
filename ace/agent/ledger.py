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

_LIST_ITEM = re.compile(r"^[ \t]*[-*\u2022][ \t]+(\S.*)$", re.MULTILINE)
_NEAR = 3  # content words on either side of a figure that say what it counts
_ALIKE = 0.6  # of the words beside two figures, for them to count the same thing

FROM_QUESTION = -1  # the part that statements of the question belong to


@dataclass(frozen=True, slots=True)
class Statement:
    """Hold a sentence that states something. `part` is its place in the text, or FROM_QUESTION."""

    part: int
    sentence: str
    figures: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """Hold two statements that give the same thing different figures."""

    one: Statement
    other: Statement
    about: str


def extract_statements(text: str, part: int) -> tuple[Statement, ...]:
    """Return the sentences of a text with a figure or a name in them, in order."""
    statements: list[Statement] = []
    for sentence in split_sentences(text):
        statement = _read_statement(sentence, part)
        if statement.figures or statement.names:
            statements.append(statement)
    return tuple(statements)


def extract_listed_statements(text: str) -> tuple[Statement, ...]:
    """Return what a question gives as a list, one statement a line; its other lines tell how to answer."""
    return tuple(_read_statement(line, FROM_QUESTION) for line in _LIST_ITEM.findall(text))


def extract_figures(text: str) -> frozenset[str]:
    """Return the figures of a text, "1,204" as 1204."""
    return frozenset(normalize_figure(figure[0]) for figure in find_figures(text))


def find_clashes(statements: Sequence[Statement]) -> Iterator[Clash]:
    """Yield pairs that disagree, from different parts or from one. Quadratic in statements with figures."""
    counts: list[tuple[Statement, dict[frozenset[str], str]]] = []
    for statement in statements:
        if statement.figures:
            counts.append((statement, _count_things(statement.sentence)))
    for (first, first_counts), (second, second_counts) in combinations(counts, 2):
        if shared := _find_disagreement(first_counts, second_counts):
            yield Clash(first, second, " ".join(sorted(shared)))


def find_missing_points(text: str, points: Iterable[str]) -> list[str]:
    """Return those points that a text does not make: it lacks a figure of theirs, or most of their words."""
    text_words, text_figures = set(_list_stems(text)), extract_figures(text)
    missing: list[str] = []
    for point in points:
        words = set(_list_stems(point))
        has_figures = extract_figures(point) <= text_figures
        if not has_figures or 2 * len(words & text_words) < len(words):
            missing.append(point)
    return missing


def find_nearest_text(sentence: str, texts: Sequence[str]) -> int:
    """Return the index of the text that shares most words with a sentence, the first of several."""
    words = set(_list_stems(sentence))
    shared = [len(words & set(_list_stems(text))) for text in texts]
    return shared.index(max(shared))


def _read_statement(text: str, part: int) -> Statement:
    sentence = " ".join(text.split())
    figures = tuple(figure[0] for figure in find_figures(sentence))
    names: list[str] = []
    for mention in find_mentions(sentence):
        if mention.kind is MentionKind.NAME and mention.start > 0:
            names.append(mention.text)
    return Statement(part, sentence, figures, tuple(names))


def _count_things(sentence: str) -> dict[frozenset[str], str]:
    """Map the words beside each figure to the figure; a figure beside fewer than two says too little."""
    counts: dict[frozenset[str], str] = {}
    for figure in find_figures(sentence):
        before = _list_stems(sentence[: figure.start()])[-_NEAR:]
        after = _list_stems(sentence[figure.end() :])[:_NEAR]
        about = frozenset(before + after)
        if len(about) > 1:
            counts[about] = normalize_figure(figure[0])
    return counts


def _find_disagreement(first: dict[frozenset[str], str], second: dict[frozenset[str], str]) -> frozenset[str]:
    """Return the words that both have beside different figures of one thing; empty where they agree."""
    for about, figure in first.items():
        for words, second_figure in second.items():
            if len(about & words) >= _ALIKE * len(about | words):
                if figure != second_figure:
                    return about & words
                break  # the first thing that is alike counts
    return frozenset()


def _list_stems(text: str) -> list[str]:
    """Return the stems of the words that say what a sentence is about: no numbers or amounts."""
    small_words = stop_words() | set(word_list("beside_figures"))
    words = [word for word in split_words(text) if not word[0].isdigit() and word not in small_words]
    return [stem_word(word) for word in words]
