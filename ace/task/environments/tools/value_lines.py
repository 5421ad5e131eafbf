"""How the values of an argument are written, from the right calls of several tasks: codes, and forms.

A value is taken apart into runs of figures and letters. A run may repeat a word of the question, be always
the same, or be one of a few codes, each of which belongs to words of the questions it was right for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from ace.task.attempt import write_value
from ace.task.environments.tools.value_spans import Use, count_ways, describe_form, find_spans
from ace.task.environments.tools.ways import Way, split_blocks, split_parts

_MOST_EXAMPLES = 3
_MOST_WORDY = 5  # examples, where words differ as well as numbers
_MOST_CODES = 8
_MOST_WORDS = 3  # for one code
_REPEATS = 1.5  # times that a value comes, on average, to be a code


def write_value_line(name: str, uses: Sequence[Use], ways: Sequence[Way]) -> str:
    """Return how values are written: codes with their words, or examples; "" if nothing shows.

    `uses` are all of the argument `name`, `ways` all tasks that are known. A value stands as in a call: a
    small model goes on from the name of the argument with what followed it before.
    """
    codes, is_whole = _group_codes(name, uses)
    parts = () if is_whole else (describe_form(uses), _write_examples(name, uses, ways))
    return "; ".join(filter(None, (*parts, _write_codes(codes, ways))))


def find_value_words(name: str, uses: Sequence[Use], ways: Sequence[Way]) -> set[str]:
    """Return the words of questions, in lower case, that values of an argument are written from.

    What stands beside every value, as a unit does, is none of them.
    """
    codes, is_whole = _group_codes(name, uses)
    words = set[str]()
    for found in _list_code_words(codes, ways).values():
        words.update(found)
    if is_whole:
        return words
    spans = [{word.casefold() for word in span.split() if word.isalpha()} for span in find_spans(uses, ways)]
    spans = [span for span in spans if span]
    return words | set[str]().union(*spans) - spans[0].intersection(*spans) if spans else words


def _group_codes(name: str, uses: Sequence[Use]) -> tuple[dict[str, list[Use]], bool]:
    """Return the codes that values are, or have in them, with their uses; and whether that is all."""
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
    if has_words or not _are_codes(written):
        return codes, False
    whole: dict[str, list[Use]] = {}
    for use, text in zip(uses, written, strict=True):
        whole.setdefault(f"{name}={text}", []).append(use)
    return whole, True


def _are_codes(texts: Sequence[str]) -> bool:
    """Return whether a few texts come again and again."""
    return 1 < len(set(texts)) <= len(texts) / _REPEATS


def _write_codes(codes: Mapping[str, Sequence[Use]], ways: Sequence[Way]) -> str:
    """Return each code with the words that its questions have, and those of other codes have not."""
    found = _list_code_words(codes, ways)
    return "; ".join(f"{code} for {', '.join(words)}" for code, words in found.items() if words)


def _list_code_words(codes: Mapping[str, Sequence[Use]], ways: Sequence[Way]) -> dict[str, list[str]]:
    """Return the words of each code."""
    found = {}
    for code, uses in list(codes.items())[:_MOST_CODES]:
        others = [use.way for name, having in codes.items() if name != code for use in having]
        found[code] = _find_words([use.way for use in uses], others, ways)
    return found


def _find_words(having: Sequence[Way], others: Sequence[Way], ways: Sequence[Way]) -> list[str]:
    """Return words that tell some questions from others, those of most questions first.

    Of words that do so as well, the one that is rarest among all tasks is taken. A word of another argument's
    value, as a name has it, is one of them only where it comes again, as a kind does.
    """
    left = list(having)
    chosen: list[str] = []
    while left and len(chosen) < _MOST_WORDS:
        counts = Counter(word for way in left for word in way.lower_words)
        own = {word for way in left for word in way.kind_words}
        words = own | {word for word, count in counts.items() if count > 1}
        words -= {word for other in others for word in other.lower_words}
        if not words:
            break
        ranks = {
            word: (-counts[word], word not in own, count_ways(word, ways), -len(word), word) for word in words
        }
        best = min(ranks, key=ranks.__getitem__)
        chosen.append(best)
        left = [way for way in left if best not in way.lower_words]
    return chosen


def _write_examples(name: str, uses: Sequence[Use], ways: Sequence[Way]) -> str:
    """Return a few values, as different as can be, each with the words it is written from.

    Those of the smallest and of the largest number come first, where there is one in each.
    """
    pairs = dict[str, list[str]]()  # value -> words
    for use, span in zip(uses, find_spans(uses, ways), strict=True):
        if span:
            pairs.setdefault(write_value(use.value), span.split())
    numbers = dict[str, int]()
    for value, words in pairs.items():
        figures = [int(word) for word in words if word.isdecimal()]
        if len(figures) == 1:
            numbers[value] = figures[0]
    chosen = list(pairs)[:1]
    if pairs and len(numbers) == len(pairs):
        ends = min(pairs, key=numbers.__getitem__), max(pairs, key=numbers.__getitem__)
        chosen = list(dict.fromkeys(ends))
    while len(chosen) < min(_MOST_WORDY, len(pairs)):
        shown = {word for value in chosen for word in pairs[value]}
        likeness = {}
        for value in [value for value in pairs if value not in chosen]:
            ratios = [SequenceMatcher(None, value, other, autojunk=False).ratio() for other in chosen]
            has_news = any(word.isalpha() and word not in shown for word in pairs[value])
            likeness[value] = (not has_news, max(ratios))
        following = min(likeness, key=likeness.__getitem__)
        if len(chosen) >= _MOST_EXAMPLES and likeness[following][0]:
            break
        chosen.append(following)
    return ", ".join(f"{name}={value} for {' '.join(pairs[value])}" for value in chosen)
