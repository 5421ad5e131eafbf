"""Words recipes from right calls: which calls a kind of task takes, and where each argument comes from.

What differs between tasks of a kind becomes a place for a value: a recipe with the values of one task in it
misleads a small model. An argument stands in the question, was shown by an earlier call, is always the same,
or is written in a form of its own, of which examples are given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from ace.task.wording import Suggestion
from ace.task.workspace import ToolCall, write_value

PROCEDURES = "strategies"
FORMATS = "formats"
_PLACE = "…"
_LEAST_SHARED = 2  # words that two questions of a kind have in common
_MOST_EXAMPLES = 3
_CONVERTED = 0.05  # how much one number speaks for another that shares no figure with it: 24 for 2 dozens
_ALIKE = 0.8  # of the likeness of the nearest question, to count as asked in the same way
_LONGEST_SPAN = 4  # words of a question that one value is written from
_WORD = re.compile(r"\w+|[^\w\s]")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one right call, and the text of what it gave."""

    call: ToolCall
    result: str

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Yield the values in the result, each with the name that it stands under."""
        try:
            stack = [("", json.loads(self.result))]
        except ValueError:
            return
        while stack:
            name, value = stack.pop()
            if isinstance(value, dict):
                stack += [(str(key), child) for key, child in value.items()]
            elif isinstance(value, list):
                stack += [(name, child) for child in value]
            else:
                yield name, _to_text(value)


@dataclass(frozen=True)
class Way:
    """Hold a question with its right calls, and the state of the world before and after them."""

    question: str
    steps: tuple[Step, ...]
    first_state: Any = None
    state: Any = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the tools, in order."""
        return tuple(step.call.name for step in self.steps)

    @cached_property
    def words(self) -> list[str]:
        """Return the words and signs of the question."""
        return _WORD.findall(self.question)

    def states(self, value: Any) -> bool:
        """Return whether the question has a value, word for word."""
        wanted = _fold(_to_text(value))
        return bool(wanted) and f" {wanted} " in f" {_fold(self.question)} "

    def find_source(self, place: int, value: Any) -> list[tuple[str, str]]:
        """Return the tools, with the names of fields, that showed a value before the call at `place`."""
        text = _to_text(value)
        found = []
        for step in self.steps[:place]:
            found += [(step.call.name, name) for name, leaf in step.leaves() if leaf == text and text]
        return found


@dataclass(frozen=True, slots=True)
class Argument:
    """Say where an argument of a call comes from."""

    tool: str
    name: str

    constant: str = ""
    """The value as it is written, where it is always the same."""

    source: tuple[str, str] | None = None
    """The tool and the field that show it."""

    examples: tuple[tuple[str, str], ...] = ()
    """Words of a question, and the value that is written for them."""

    def write(self) -> str:
        """Return the argument as it stands in a recipe."""
        return f"{self.name}={self.constant}" if self.constant else self.name


def write_recipes(
    own: Way, others: Sequence[Way], known: Sequence[str] = ()
) -> tuple[tuple[Suggestion, ...], ...]:
    """Return the lessons that tasks with the same calls teach, as one entry; none where all is `known`.

    The first is the recipe; others say how values are written.
    """
    same = [way for way in others if way.names == own.names and _is_same_kind(way, own)]
    if not own.steps:
        return ()
    nearest = max((_compare(own, way) for way in same), default=0.0)
    alike = [way for way in same if _compare(own, way) >= _ALIKE * nearest]
    arguments = _find_arguments((own, *alike), same)
    calls = []
    shown = dict[tuple[str, str, str], list[str]]()  # by argument, tool and field: who takes it
    for step, found in zip(own.steps, arguments, strict=True):
        calls.append(f"{step.call.name}({', '.join(argument.write() for argument in found)})")
        for argument in found:
            if argument.source:
                takers = shown.setdefault((argument.name, *argument.source), [])
                takers += [] if argument.tool in takers else [argument.tool]
    notes = [
        f"The {name} of {' and '.join(takers)} is the {field} that {tool} shows."
        for (name, tool, field), takers in shown.items()
    ]
    heads = {line.partition(":")[0] for line in known}
    lessons = []
    kind = _name_kind(own, alike)
    if kind not in heads:
        lessons.append(Suggestion(PROCEDURES, " ".join([f"{kind}: {', then '.join(calls)}.", *notes])))
    for argument in (argument for found in arguments for argument in found):
        head = f"{argument.name} of {argument.tool}"
        if argument.examples and head not in heads:
            heads.add(head)
            pairs = [f"{value} for {words}" for words, value in argument.examples]
            lessons.append(Suggestion(FORMATS, f"{head}: {', '.join(pairs)}."))
    return (tuple(lessons),) if lessons else ()


def _find_arguments(ways: Sequence[Way], same: Sequence[Way]) -> list[list[Argument]]:
    """Return the arguments of each call of the first of the ways, which ask alike.

    `same` are all that have the same calls: only there something is always the same.
    """
    return [
        [_find_argument(ways, same, place, name) for name in step.call.arguments]
        for place, step in enumerate(ways[0].steps)
    ]


def _find_argument(ways: Sequence[Way], same: Sequence[Way], place: int, name: str) -> Argument:
    tool = ways[0].steps[place].call.name
    pairs = _list_values(ways, place, name)
    if all(way.states(value) for way, value in pairs):
        return Argument(tool, name)
    sources = [way.find_source(place, value) for way, value in pairs]
    for source in reversed(sources[0]):
        if all(source in found for found in sources):
            return Argument(tool, name, source=source)
    written = {write_value(value) for _, value in _list_values((ways[0], *same), place, name)}
    if len(written) == 1:
        return Argument(tool, name, constant=written.pop())
    examples = dict[str, str]()
    for way, value in pairs:
        words = _find_words(way, [other for other in (*ways, *same) if other is not way], value)
        if words:
            examples.setdefault(words, write_value(value))
    return Argument(tool, name, examples=tuple(examples.items())[:_MOST_EXAMPLES])


def _list_values(ways: Sequence[Way], place: int, name: str) -> list[tuple[Way, Any]]:
    """Return the values of an argument, with the ways that give it."""
    given = [(way, way.steps[place].call.arguments) for way in ways]
    return [(way, arguments[name]) for way, arguments in given if name in arguments]


def _find_words(way: Way, others: Sequence[Way], value: Any) -> str:
    """Return the words of a question that a value is written from; "" where nothing speaks for any.

    They are among those that other questions of the kind have not, and share figures or letters with it.
    """
    text = _to_text(value)
    best, score = "", 0.0
    nearest = max(others, key=lambda other: _compare(way, other), default=None)
    if nearest is None:
        return ""
    for start, end in _find_gaps(way.words, nearest.words):
        length = min(end - start, _LONGEST_SPAN)
        for first in range(start, end - length + 1):
            span = " ".join(way.words[first : first + length])
            weight = _weigh(span, text)
            if weight > score:
                best, score = span, weight
    return best


def _weigh(span: str, value: str) -> float:
    """Return how much of a span shows in a value: the share of its figures, else of its letters."""
    figures = [run.lstrip("0") for run in _DIGITS.findall(span)]
    if figures:
        shared = [run for run in figures if run in value]
        weight = len("".join(shared)) / max(1, len("".join(figures))) + 0.1 * len(shared)
        return max(weight, _CONVERTED if _DIGITS.search(value) else 0.0)
    matcher = SequenceMatcher(None, _fold(span), _fold(value), autojunk=False)
    longest = matcher.find_longest_match()
    return 0.5 * longest.size / max(len(span), 1) if longest.size >= 3 else 0.0


def _name_kind(own: Way, same: Sequence[Way]) -> str:
    """Return the words that questions of a kind have in common; what differs between them is a place."""
    values = [value for step in own.steps for value in step.call.arguments.values() if own.states(value)]
    words = list(own.words)
    alike = sorted(same, key=lambda way: -_compare(own, way))[:2]
    for other in alike:
        for start, end in _find_gaps(own.words, other.words):
            words[start:end] = [_PLACE] * (end - start)
    text = " ".join(words)
    for value in sorted(map(_to_text, values), key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(value)}\b", _PLACE, text, flags=re.IGNORECASE) if value else text
    text = re.sub(rf"(?:{_PLACE}[\s,.]*)+", f"{_PLACE} ", text)
    text = re.sub(r"\s+([.,;:?!])", r"\1", text).strip(" .:;?!")
    return text.replace(":", ",")


def _is_same_kind(way: Way, own: Way) -> bool:
    """Return whether two questions have words in common, beside what differs."""
    shared = sum(block.size for block in _match(own.words, way.words).get_matching_blocks())
    return shared >= _LEAST_SHARED


def _compare(first: Way, second: Way) -> float:
    return _match(first.words, second.words).ratio()


def _find_gaps(words: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of words, as start and end, that another question has not."""
    return [
        (start, end)
        for tag, start, end, _, _ in _match(words, others).get_opcodes()
        if tag in ("replace", "delete")
    ]


def _match(first: Sequence[str], second: Sequence[str]) -> SequenceMatcher[str]:
    lower = [word.casefold() for word in first], [word.casefold() for word in second]
    return SequenceMatcher(None, *lower, autojunk=False)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else write_value(value)


def _fold(text: str) -> str:
    """Return the words of a text in lower case, without signs."""
    return " ".join(re.findall(r"\w+", text.casefold()))
