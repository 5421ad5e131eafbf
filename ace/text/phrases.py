"""Search for phrases: a few short expressions, one after the other, with a bounded gap between them. Pure.

A regular expression such as "send[^.]{0,40}password[^.]{0,30}to" takes time with the product of its gaps, and
an unbounded gap takes time with the square of the text. Here each short expression is looked for once in the
whole text, and places are joined afterwards, so the time is proportional to the length of the text.

Most expressions cannot match without one of a few words. Looking for words is some forty times as fast as
looking for an expression, so `Phrases` looks for words first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

_GAP = re.compile(r"(\[\^(?:\\.|[^\]\\])+\]|\[\\s\\S\]|\\S|\.)\{0,(\d{2,3})\}")
_PIECE = re.compile(
    r"\\(?:x..|u.{4}|U.{8}|N\{[^}]{0,90}\}|\d+|.)|\[\^?\]?(?:\\.|[^\]\\]){0,400}\]|\((?:\?(?:P?<\w+>|[a-zA-Z-]*[:)]|<?.))?"
    r"|[?*+][?+]?|\{\d*(?:,\d*)?\}[?+]?|.",
    re.DOTALL,
)
_FEW_LETTERS = re.compile(r"\[(?:[^\W_]|[ _]|(?<=\[)-|-(?=\])){1,3}\]")  # as in has[łl]o
_MOST_RUNS = 6  # ways to write a word
_DOTLESS = str.maketrans("\u0130\u0131", "ii")  # IGNORECASE takes these two for "i"; casefold does not


@dataclass(frozen=True, slots=True)
class Phrase:
    """Hold expressions, and before each but the first the gap that may precede it.

    A gap is written as in a regular expression, outside of any group: "[^.\\n]{0,40}". It counts from
    {0,10} on.
    """

    parts: tuple[re.Pattern[str], ...]
    """The expressions, in order."""

    gaps: tuple[tuple[re.Pattern[str], int], ...]
    """One fewer than parts: what may stand in it, and how many characters at most."""

    words: tuple[frozenset[str], ...]
    """For each part, words of which it needs one."""

    def search(self, text: str) -> tuple[int, int] | None:
        """Return the start and end of the first place where all parts stand in order, or None."""
        starts, ends = list[int](), list[int]()
        for match in self.parts[0].finditer(text):
            starts.append(match.start())
            ends.append(match.end())
            if len(self.parts) == 1:
                break
        for part, (allowed, most) in zip(self.parts[1:], self.gaps, strict=True):
            next_starts, next_ends = list[int](), list[int]()
            for match in part.finditer(text) if ends else ():
                nearest = bisect_right(ends, match.start()) - 1
                if nearest < 0 or match.start() - ends[nearest] > most:
                    continue
                if allowed.fullmatch(text, ends[nearest], match.start()):
                    next_starts.append(starts[nearest])
                    next_ends.append(match.end())
            starts, ends = next_starts, next_ends
        return (starts[0], ends[0]) if starts else None


def compile_phrase(expression: str, flags: re.RegexFlag = re.IGNORECASE | re.MULTILINE) -> Phrase:
    """Split a regular expression at its gaps, and compile what is between them.

    Raises re.PatternError for an expression that is none.
    """
    parts, gaps, depth = [""], list[tuple[re.Pattern[str], int]](), 0
    position = 0
    while position < len(expression):
        gap = _GAP.match(expression, position) if depth == 0 and parts[-1] else None
        if gap:
            gaps.append((re.compile(f"{gap[1]}*"), int(gap[2])))
            parts.append("")
            position = gap.end()
            continue
        piece = _PIECE.match(expression, position)
        assert piece  # noqa: S101 (it matches any character)
        depth += {"(": 1, ")": -1}.get(piece[0][0], 0)
        parts[-1] += piece[0]
        position = piece.end()
    words = map(list_needed_words, parts)
    return Phrase(tuple(re.compile(part, flags) for part in parts), tuple(gaps), tuple(words))


class Phrases:
    """Search for many phrases, each under a name. Several may have the same name."""

    def __init__(self, phrases: Iterable[tuple[str, Phrase]]) -> None:
        self._phrases = tuple(phrases)
        self._by_word: dict[str, list[int]] = {}  # places of phrases
        for place, (_, phrase) in enumerate(self._phrases):
            for word in frozenset[str]().union(*phrase.words):
                self._by_word.setdefault(word, []).append(place)

    def find(self, texts: Iterable[str], least: int = 1) -> str:
        """Return the name of the first phrase, in their order, that stands in any of the texts, or "".

        It counts where it is of at least so many words, as far as spaces part them.
        """
        nearest, name = len(self._phrases), ""
        for text in texts:
            folded = fold_case(text)
            present = {word for word in self._by_word if word in folded}
            for place in sorted({place for word in present for place in self._by_word[word]}):
                if place >= nearest:
                    break
                phrase = self._phrases[place][1]
                if any(map(present.isdisjoint, phrase.words)):
                    continue
                if (span := phrase.search(text)) and text.count(" ", *span) >= least - 1:
                    nearest, name = place, self._phrases[place][0]
        return name


def fold_case(text: str) -> str:
    """Return the text such that letters are equal where re.IGNORECASE takes them for equal."""
    return text.lower() if text.isascii() else text.translate(_DOTLESS).casefold()


def list_needed_words(expression: str) -> frozenset[str]:
    """Return words of which one stands, by `fold_case`, in whatever a regular expression matches.

    Where that cannot be said it is "", which stands in every text. No word holds another one of them. The
    expression is one without re.VERBOSE.
    """
    # A sequence is a list of the letters of which one stands in a place, and of the words of groups; an empty
    # set for what says nothing.
    outer: list[tuple[list[list[str | frozenset[str]]], str]] = []
    branches: list[list[str | frozenset[str]]] = [[]]
    for piece in _PIECE.findall(f"(?:{expression})"):
        if piece == ")":
            choices = [_choose_words(items) for items in branches]
            branches, opening = outer.pop()
            is_plain = opening in ("(", "(?:", "(?i:") or opening.startswith("(?P<")
            says_much = is_plain and all(choices)
            branches[-1].append(frozenset[str]().union(*choices) if says_much else frozenset())
        elif piece[0] == "(" and piece[-1] != ")":
            outer.append((branches, piece))
            branches = [[]]
        elif piece == "|":
            branches.append([])
        elif piece[0] in "?*" or piece.startswith(("{0", "{,")):
            branches[-1][-1] = frozenset()
        elif piece[0] == "\\" and len(piece) == 2 and not piece[1].isalnum():
            branches[-1].append(piece[1])
        elif _FEW_LETTERS.fullmatch(piece):
            branches[-1].append(piece[1:-1])
        else:
            says_nothing = len(piece) > 1 or piece in ".^$+"
            branches[-1].append(frozenset() if says_nothing else piece)
    words = {fold_case(word) for word in _choose_words(branches[0])}
    shortest = {word for word in words if not any(other in word for other in words - {word})}
    return frozenset(shortest or {""})


def _choose_words(items: Iterable[str | frozenset[str]]) -> frozenset[str]:
    """Return the words of a sequence that say most: long ones, and few. Letters in a row are one word."""
    choices, runs = [], frozenset({""})
    for item in (*items, frozenset[str]()):
        if isinstance(item, str) and len(runs) * len(item) <= _MOST_RUNS:
            runs = frozenset(run + letter for run in runs for letter in item)
            continue
        choices += [runs - {""}, item if isinstance(item, frozenset) else frozenset(item)]
        runs = frozenset({""})
    return max(reversed(choices), key=lambda words: (min(map(len, words), default=0), -len(words)))
