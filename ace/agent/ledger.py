"""What a long text has said so far: the sentences with figures and names in them, and where two disagree.

A later part is written with the ledger before it, and the finished text is checked against it. Pure, and of
form only: a sentence is known by its words, a figure by the words beside it. It finds figures that disagree
about the same thing; it does not understand what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ace.refine.words import stem

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\d)[^.!?\n]*)*[.!?]?")
_LISTED = re.compile(r"^[ \t]*[-*\u2022][ \t]+(\S.*)$", re.MULTILINE)
_FIGURE = re.compile(r"(?<![\w.,-])[-+]?\d+(?:[.,:]\d+)*%?")
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
_WORD = re.compile(r"[A-Za-z][\w'-]*")
_SMALLEST = """
a about all also an and are as at be been by for from had has have in is it its more no not of on
or our out over per so than that the their them there these they this to under up was we were which who will
with year years month months day days"""
_SMALL = frozenset(_SMALLEST.split())
_NEAR = 3  # content words on either side of a figure that say what it counts
_ALIKE = 0.6  # of the words beside two figures, for them to count the same thing

GIVEN = -1  # the part that facts of the question belong to


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence that states something. `part` is its place in the text, or GIVEN."""

    part: int
    sentence: str
    figures: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """Two facts that give the same thing different figures."""

    one: Fact
    other: Fact
    about: str

    @property
    def places(self) -> tuple[int, int]:
        return self.one.part, self.other.part


def facts(text: str, part: int) -> tuple[Fact, ...]:
    """The sentences of a text with a figure or a name in them, in order."""
    found = []
    for match in _SENTENCE.finditer(text):
        sentence = " ".join(match[0].split())
        figures, names = tuple(_FIGURE.findall(sentence)), tuple(_NAME.findall(sentence))
        if figures or names:
            found.append(Fact(part, sentence, figures, names))
    return tuple(found)


def listed(text: str) -> tuple[Fact, ...]:
    """What a question gives as a list, one fact a line; what else it says tells how to answer."""
    lines = (" ".join(line.split()) for line in _LISTED.findall(text))
    return tuple(
        Fact(GIVEN, line, tuple(_FIGURE.findall(line)), tuple(_NAME.findall(line))) for line in lines
    )


def figures(text: str) -> frozenset[str]:
    """The figures of a text, "1,204" as 1204."""
    return frozenset(_plain(figure) for figure in _FIGURE.findall(text))


def clashes(known: Sequence[Fact]) -> Iterator[Clash]:
    """Pairs that disagree, from different parts or from one. Quadratic in the facts that hold figures."""
    counted = [(fact, dict(_counted(fact.sentence))) for fact in known if fact.figures]
    for (one, mine), (other, theirs) in combinations(counted, 2):
        for about, figure in mine.items():
            same = next((near for near in theirs if _same(about, near)), None)
            if same is not None and theirs[same] != figure:
                yield Clash(one, other, " ".join(sorted(about & same)))
                break


def lacking(text: str, points: Iterable[str]) -> list[str]:
    """Those of `points` that a text does not make: it lacks a figure of theirs, or most of their words."""
    said, told = _words(text), figures(text)
    return [
        point
        for point in points
        if not figures(point) <= told
        or (_words(point) and 2 * len(_words(point) & said) < len(_words(point)))
    ]


def nearest(sentence: str, texts: Sequence[str]) -> int:
    """The place of the text that shares most words with a sentence, the first of several."""
    shared = [len(_words(sentence) & _words(text)) for text in texts]
    return shared.index(max(shared))


def _counted(sentence: str) -> Iterator[tuple[frozenset[str], str]]:
    """The words beside each figure, and the figure. One with fewer than two such words says too little."""
    for match in _FIGURE.finditer(sentence):
        before = _stems(sentence[: match.start()])[-_NEAR:]
        after = _stems(sentence[match.end() :])[:_NEAR]
        about = frozenset(before + after)
        if len(about) > 1:
            yield about, _plain(match[0])


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) / len(one | other) >= _ALIKE


def _words(text: str) -> frozenset[str]:
    return frozenset(_stems(text))


def _stems(text: str) -> list[str]:
    words = (word.lower() for word in _WORD.findall(text))
    return [stem(word) for word in words if word not in _SMALL]


def _plain(figure: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3})", "", figure).rstrip(".,:")
