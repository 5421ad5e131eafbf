"""How the values of an argument are written, from the right calls of several tasks: codes, and forms.

A value is taken apart into runs of figures and letters. A run may repeat a word of the question, be always
the same, or be one of a few codes, each of which belongs to words of the questions it was right for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from ace.task.attempt import write_value
from ace.task.environments.tools.ways import Way, split_blocks, split_parts

_MOST_EXAMPLES = 3
_MOST_CODES = 8
_MOST_WORDS = 3  # for one code
_RARE = 0.15  # of the questions, at most, have a word that may belong to a value
_REPEATS = 1.5  # times that a value comes, on average, to be a code


@dataclass(frozen=True, slots=True)
class Use:
    """Hold a value that was right for an argument."""

    way: Way
    """The question and the calls that it was right in."""

    value: Any
    """As the call has it, a JSON value."""


def write_value_line(name: str, uses: Sequence[Use], ways: Sequence[Way]) -> str:
    """Return how values are written: codes with their words, or examples; "" if nothing shows.

    `uses` are all of the argument `name`, `ways` all tasks that are known. A value stands as in a call: a
    small model goes on from the name of the argument with what followed it before.
    """
    blocks = [split_blocks(use.value) for use in uses]
    codes: dict[str, list[Use]] = {}
    has_words = False  # of the questions, in a part of every value
    have_same_parts = len({len(runs) for runs in blocks}) == 1
    for runs in zip(*blocks, strict=True) if have_same_parts else ():
        is_stated = True  # whether figures or letters of each run repeat a word of its question
        for use, run in zip(uses, runs, strict=True):
            parts = [part for part in split_parts(run) if part.isalnum()]
            is_stated &= any(use.way.find_part(part) for part in parts)
        has_words |= is_stated
        if not is_stated and _are_codes(runs):
            for use, run in zip(uses, runs, strict=True):
                codes.setdefault(f'"{run}"', []).append(use)
    written = [write_value(use.value) for use in uses]
    if not has_words and _are_codes(written):
        whole: dict[str, list[Use]] = {}
        for use, text in zip(uses, written, strict=True):
            whole.setdefault(f"{name}={text}", []).append(use)
        return _write_codes(whole, ways)
    return "; ".join(filter(None, (_write_examples(name, uses, ways), _write_codes(codes, ways))))


def _are_codes(texts: Sequence[str]) -> bool:
    """Return whether a few texts come again and again."""
    return 1 < len(set(texts)) <= len(texts) / _REPEATS


def _write_codes(codes: Mapping[str, Sequence[Use]], ways: Sequence[Way]) -> str:
    """Return each code with the words that its questions have, and those of other codes have not."""
    texts = []
    for code, uses in list(codes.items())[:_MOST_CODES]:
        others = [use.way for name, having in codes.items() if name != code for use in having]
        words = _find_words([use.way for use in uses], others, ways)
        if words:
            texts.append(f"{code} for {', '.join(words)}")
    return "; ".join(texts)


def _find_words(having: Sequence[Way], others: Sequence[Way], ways: Sequence[Way]) -> list[str]:
    """Return words that tell some questions from others, those of most questions first.

    Of words that do so as well, the one that is rarest among all tasks is taken.
    """
    left = list(having)
    chosen: list[str] = []
    while left and len(chosen) < _MOST_WORDS:
        words = {word for way in left for word in way.kind_words}
        words -= {word for other in others for word in other.kind_words}
        if not words:
            break
        best = min(words, key=lambda word: (-_count(word, left), _count(word, ways), -len(word), word))
        chosen.append(best)
        left = [way for way in left if best not in way.kind_words]
    return chosen


def _write_examples(name: str, uses: Sequence[Use], ways: Sequence[Way]) -> str:
    """Return a few values, as different as can be, each with the words it is written from."""
    pairs = dict[str, str]()  # value -> words
    for use in uses:
        words = _find_span(use, ways)
        if words:
            pairs.setdefault(write_value(use.value), words)
    chosen = list(pairs)[:1]
    while len(chosen) < min(_MOST_EXAMPLES, len(pairs)):
        rest = [value for value in pairs if value not in chosen]
        likeness = {}
        for value in rest:
            ratios = [SequenceMatcher(None, value, other, autojunk=False).ratio() for other in chosen]
            likeness[value] = max(ratios)
        chosen.append(min(rest, key=likeness.__getitem__))
    return ", ".join(f"{name}={value} for {pairs[value]}" for value in chosen)


def _find_span(use: Use, ways: Sequence[Way]) -> str:
    """Return the words of a question that a value is written from; "" where nothing speaks for any.

    Those that it repeats, or else a number that shows in it or may be converted into it, with a word beside
    it that few other questions have.
    """
    way = use.way
    places: list[int] = []
    for part in split_parts(use.value):
        if part.isalnum():
            places += way.find_part(part)[:1]
    if not places:
        places = find_numbers(way, use.value)[:1]
        numbers = [place for place, word in enumerate(way.words) if word.isdecimal()]
        has_figures = any(part.isdigit() for part in split_parts(use.value))
        if not places and len(numbers) == 1 and has_figures:
            places = numbers  # it may be converted
        most = max(1, _RARE * len(ways))
        for place in [place + step for place in places for step in (-1, 1)]:
            if 0 <= place < len(way.words):
                word = way.words[place]
                if word.isalpha() and _count(word.casefold(), ways) <= most:
                    places.append(place)
    if not places:
        return ""
    words = way.words[min(places) : max(places) + 1]
    return " ".join(words) if len(words) <= 2 * len(places) + 2 else ""


def find_numbers(way: Way, value: Any) -> list[int]:
    """Return the places of the numbers that the figures of a value begin or end with, the longest first."""
    figures = [part for part in split_parts(value) if part.isdigit()]
    places = []
    for place, word in enumerate(way.words):
        number = word.lstrip("0") if word.isdecimal() else ""
        if number and any(figure.startswith(number) or figure.endswith(number) for figure in figures):
            places.append(place)
    return sorted(places, key=lambda place: -len(way.words[place]))


def _count(word: str, ways: Sequence[Way]) -> int:
    """Return how many questions have a word, in whatever case."""
    return sum(word in way.kind_words for way in ways)
