"""Find the words of a question that a value is written from: those it repeats, or a number with its unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from ace.task.environments.tools.ways import Way, split_parts

_MOST_CHOICES = 1_000  # of places for the parts of a value
_RARE = 0.15  # of the questions, at most, have a word that may belong to a value


@dataclass(frozen=True, slots=True)
class Use:
    """Hold a value that was right for an argument."""

    way: Way
    """The question and the calls that it was right in."""

    value: Any
    """As the call has it, a JSON value."""


def find_spans(uses: Sequence[Use], ways: Sequence[Way]) -> list[str]:
    """Return the words that each value of an argument is written from; "" where nothing speaks for any.

    Those that it repeats, or else a number that shows in it or may be converted into it. A number has the
    word beside it that belongs to it.
    """
    repeated = _find_repeated(uses)
    places = [own or _find_converted(use) for use, own in zip(uses, repeated, strict=True)]
    pairs = [(use.way, own) for use, own in zip(uses, places, strict=True)]
    beside = _find_beside(pairs, ways)
    spans = []
    for (way, own), is_repeated, near in zip(pairs, repeated, beside, strict=True):
        if own and not is_repeated and not near and _are_numbers(way, own):
            near = [place for place in (max(own) + 1, min(own) - 1) if _is_rare(way, place, ways)][:1]
        every = [*own, *near]
        words = way.words[min(every) : max(every) + 1] if every else []
        spans.append(" ".join(words) if len(words) <= 2 * len(every) + 2 else "")
    return spans


def describe_form(uses: Sequence[Use]) -> str:
    """Return what the parts of values are made of, in order; "" where they have no form in common.

    A small model goes by such a sentence where examples alone would let it guess another form.
    """
    parts = [split_parts(use.value) for use in uses]
    if len(uses) < 2 or len(set(map(len, parts))) != 1:
        return ""
    texts, fixed = list[str](), ""
    for column in zip(*parts, strict=True):
        if len(set(column)) == 1:
            fixed += column[0]
            continue
        part, rest = _describe_part(uses, column)
        if not part:
            return ""
        texts += [f'"{fixed}"', part] if fixed else [part]
        fixed = rest
    return ", then ".join([*texts, f'"{fixed}"'] if fixed else texts) if texts else ""


def find_numbers(way: Way, value: Any) -> list[int]:
    """Return the places of the numbers that the figures of a value begin or end with, the longest first."""
    figures = [part for part in split_parts(value) if part.isdigit()]
    places = []
    for place, word in enumerate(way.words):
        number = word.lstrip("0") if word.isdecimal() else ""
        if number and any(figure.startswith(number) or figure.endswith(number) for figure in figures):
            places.append(place)
    return sorted(places, key=lambda place: -len(way.words[place]))


def count_ways(word: str, ways: Sequence[Way]) -> int:
    """Return how many questions have a word, in whatever case."""
    return sum(word in way.kind_words for way in ways)


def _describe_part(uses: Sequence[Use], column: Sequence[str]) -> tuple[str, str]:
    """Return what one part of all values is made of, and what always follows it; "" where that differs."""
    sizes = set(map(len, column))
    if all(use.way.find_part(part) for use, part in zip(uses, column, strict=True)):
        size = f" {sizes.pop()} " if len(sizes) == 1 else " "
        if all(part.isdigit() for part in column):
            return f"the number in{size}digits" if any(
                part[0] == "0" for part in column
            ) else "the number", ""
        letters = "capital letters" if all(part.isupper() for part in column) else "letters"
        return (f"the first{size}{letters} of the word" if size != " " else "the word"), ""
    rests = set[str]()
    for use, part in zip(uses, column, strict=True):
        numbers = [use.way.words[place] for place in find_numbers(use.way, part)]
        rests.add(next((part.removeprefix(number) for number in numbers if part.startswith(number)), ""))
    return ("the number", rests.pop()) if len(rests) == 1 and rests != {""} else ("", "")


def _find_repeated(uses: Sequence[Use]) -> list[list[int]]:
    """Return the places of the words that parts of each value repeat.

    A part that all values have repeats nothing. Of a word that comes twice the one nearest to the other parts
    is meant; a number that comes twice says nothing where no other part tells which.
    """
    parts = [split_parts(use.value) for use in uses]
    is_alike = len(uses) > 1 and len(set(map(len, parts))) == 1
    fixed = {place for place, column in enumerate(zip(*parts, strict=False)) if len(set(column)) == 1}
    found = []
    for use, own in zip(uses, parts, strict=True):
        varying = [
            part for place, part in enumerate(own) if part.isalnum() and not (is_alike and place in fixed)
        ]
        matches = [places for places in map(use.way.find_part, varying) if places]
        is_unclear = len(matches) == 1 and len(matches[0]) > 1 and _are_numbers(use.way, matches[0])
        found.append([] if is_unclear else _choose_nearest(matches))
    return found


def _choose_nearest(matches: Sequence[Sequence[int]]) -> list[int]:
    """Return one place of each match, so that they lie as close together as can be; of equals the first."""
    choices = list(islice(product(*matches), _MOST_CHOICES))
    return list(min(choices, key=lambda places: max(places, default=0) - min(places, default=0)))


def _find_converted(use: Use) -> list[int]:
    """Return the place of a number that shows in a value, or may be converted into it."""
    places = find_numbers(use.way, use.value)[:1]
    numbers = [place for place, word in enumerate(use.way.words) if word.isdecimal()]
    has_figures = any(part.isdigit() for part in split_parts(use.value))
    if places:
        same = [place for place in numbers if use.way.words[place] == use.way.words[places[0]]]
        return places if len(same) == 1 else []
    return numbers if len(numbers) == 1 and has_figures else []


def _find_beside(pairs: Sequence[tuple[Way, Sequence[int]]], ways: Sequence[Way]) -> list[list[int]]:
    """Return, for each number, the place of the word that belongs to it, if one does.

    Such a word stands nowhere but beside numbers. What follows most of them is a unit; what comes before is
    none if it comes before most, as a verb does, and else a part of the value, as a month is.
    """
    units = _find_units(ways)
    near = list[dict[int, int]]()
    for way, places in pairs:
        found = {1: max(places) + 1, -1: min(places) - 1} if places and _are_numbers(way, places) else {}
        near.append({step: place for step, place in found.items() if _belongs(way, place)})
    counts = Counter[tuple[int, str]]()
    for (way, _), found in zip(pairs, near, strict=True):
        counts.update((step, way.words[place].casefold()) for step, place in found.items())
    chosen = []
    for (way, _), found in zip(pairs, near, strict=True):
        ranks = dict[int, int]()  # by place
        for step, place in found.items():
            word = way.words[place].casefold()
            is_common = 2 * counts[step, word] >= len(pairs)
            if word in units and not (is_common and step < 0):
                ranks[place] = 0 if is_common else 1 if step < 0 else 2
        chosen.append([min(ranks, key=ranks.__getitem__)] if ranks else [])
    return chosen


def _find_units(ways: Sequence[Way]) -> set[str]:
    """Return the words, in lower case, that stand nowhere but beside a number."""
    units, others = set[str](), set[str]()
    for way in ways:
        words = ["", *way.words, ""]
        for before, word, after in zip(words, words[1:], words[2:], strict=False):
            if word.isalpha():
                is_beside = before.isdecimal() or after.isdecimal()
                (units if is_beside else others).add(word.casefold())
    return units - others


def _are_numbers(way: Way, places: Sequence[int]) -> bool:
    """Return whether all words at these places are numbers."""
    return all(way.words[place].isdecimal() for place in places)


def _belongs(way: Way, place: int) -> bool:
    """Return whether the word at a place may belong to a number: between two it belongs to neither."""
    if not 0 <= place < len(way.words) or way.words[place].casefold() not in way.kind_words:
        return False
    around = way.words[max(place - 1, 0) : place + 2]
    return sum(word.isdecimal() for word in around) < 2


def _is_rare(way: Way, place: int, ways: Sequence[Way]) -> bool:
    """Return whether few other questions have the word at a place beside a number.

    What follows the number may be the name of something, as "24 apples".
    """
    is_name = 0 < place < len(way.words) and way.words[place].isalpha() and way.words[place - 1].isdecimal()
    word = way.words[place].casefold() if is_name or _belongs(way, place) else ""
    return bool(word) and count_ways(word, ways) <= max(1, _RARE * len(ways))
