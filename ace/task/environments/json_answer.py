"""Answers in JSON, compared by value: the order of keys does not count, and 5 equals 5.0.

Nothing here recurses: the depth of an answer is the model's choice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ace.task.environments.written_number import is_close
from ace.task.types import Difference, Fact, Topic
from ace.text.json_values import find_json_values

# The content of a fence of Markdown.
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
# A key that stands in a path without quotes.
_NAME = re.compile(r"[^\W\d]\w*")
_MOST_STARTS = 20  # places in prose where JSON may begin
_LONGEST_VALUE = 60  # characters
_MOST_FACTS = 20


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """Name a place where two values differ, and the values there."""

    path: str
    """The place, as "items[2].price"; "" for the whole value."""

    topic: str
    """The place without the numbers of items, as "items[].price"."""

    difference: Difference
    """MISSING, EXTRA, CHANGED or ORDER."""

    leaves: int
    """How many values are wrong there."""

    gold: Any = None
    actual: Any = None
    """The two values, where they are CHANGED."""

    def to_fact(self) -> Fact:
        """Return the difference as a fact, as "total: 5 instead of 7"."""
        match self.difference:
            case Difference.CHANGED:
                words = f"{_render_value(self.actual)} instead of {_render_value(self.gold)}"
            case Difference.ORDER:
                words = "the right entries in another order"
            case kind:
                words = kind.value
        topics: frozenset[Topic] = frozenset()
        if self.topic:
            topics = frozenset({Topic(self.topic)})
        place = self.path or "the value"
        return Fact(f"{place}: {words}", topics, self.difference)


def read_json(text: str) -> Any:
    """Return the JSON value in an answer: the whole text, else the last fence, else the longest in the prose.

    NaN and the infinities are no JSON. Raises ValueError where there is none.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for candidate in (text, *reversed(_FENCE.findall(text))):
        try:
            return decoder.decode(candidate)
        except (ValueError, RecursionError):
            continue
    values = list(find_json_values(text, _MOST_STARTS, parse_constant=_refuse_constant))
    if not values:
        raise ValueError("it holds no JSON")
    longest, _ = max(values, key=lambda found: found[1])
    return longest


def score_json(gold: str, answer: str) -> float:
    """Score the share of values that are right at their place: 1 only when nothing differs.

    A value that is too many counts as a further one that is wrong. An answer that is no JSON scores 0.
    """
    try:
        expected, actual = read_json(gold), read_json(answer)
    except ValueError:
        return 0.0
    total = count_leaves(expected)
    wrong = 0
    for difference in compare_json(expected, actual):
        wrong += difference.leaves
        if difference.difference is Difference.EXTRA:
            total += difference.leaves
    return (total - wrong) / total


def explain_json(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return the places where the answer differs, as "items[2].price: missing"; at most 21 facts.

    The last one then says how many more there are. A right answer that is no JSON explains nothing.
    """
    try:
        expected = read_json(gold)
    except ValueError:
        return ()
    try:
        actual = read_json(answer)
    except ValueError:
        return (Fact("the answer is no JSON", difference=Difference.MISSING),)
    facts = [difference.to_fact() for difference in compare_json(expected, actual)]
    more = len(facts) - _MOST_FACTS
    if more > 0:
        facts[_MOST_FACTS:] = [Fact(f"{more} more", difference=Difference.CHANGED)]
    return tuple(facts)


def compare_json(gold: Any, actual: Any) -> Iterator[JsonDifference]:
    """Yield the places where two JSON values differ.

    Objects are compared key by key, lists entry by entry. A list of plain values in another order is one
    difference. What is missing or extra is one difference, however much is in it.
    """
    stack: list[tuple[str, str, Any, Any]] = [("", "", gold, actual)]
    while stack:
        path, topic, a, b = stack.pop()
        if isinstance(a, list) and isinstance(b, list):
            moved = _count_moved(a, b)
            if moved:
                yield JsonDifference(path, topic, Difference.ORDER, moved)
                continue
            a, b = dict(enumerate(a)), dict(enumerate(b))
        elif not (isinstance(a, dict) and isinstance(b, dict)):
            if not _is_same_value(a, b):
                yield JsonDifference(path, topic, Difference.CHANGED, count_leaves(a), gold=a, actual=b)
            continue
        for key in {**a, **b}:
            place = _extend_path(path, key)
            general = f"{topic}[]" if isinstance(key, int) else _extend_path(topic, key)
            if key not in b:
                yield JsonDifference(place, general, Difference.MISSING, count_leaves(a[key]))
            elif key not in a:
                yield JsonDifference(place, general, Difference.EXTRA, count_leaves(b[key]))
            else:
                stack.append((place, general, a[key], b[key]))


def count_leaves(value: Any) -> int:
    """Return how many values a JSON value is made of; an empty object or list is one.

    {"a": [1, 2], "b": {}} has three.
    """
    count = 0
    stack = [value]
    while stack:
        node = stack.pop()
        children = list(node.values()) if isinstance(node, dict) else node
        if isinstance(children, list) and children:
            stack += children
        else:
            count += 1
    return count


def _count_moved(gold: list[Any], actual: list[Any]) -> int:
    """Return how many places of a list of plain values differ, where only the order does; else 0."""
    has_children = any(isinstance(value, dict | list) for value in (*gold, *actual))
    if len(gold) != len(actual) or has_children:
        return 0
    # With their types: True equals 1 in Python, and not in JSON.
    keys = [(type(value), value) for value in gold]
    actual_keys = [(type(value), value) for value in actual]
    if Counter(keys) != Counter(actual_keys):
        return 0
    return sum(a != b for a, b in zip(keys, actual_keys, strict=True))


def _is_same_value(a: Any, b: Any) -> bool:
    """Return whether two values without children are the same: whole numbers exactly, fractions nearly."""
    if {type(a), type(b)} not in ({float}, {int, float}):
        return type(a) is type(b) and bool(a == b)
    try:
        return is_close(a, b)
    except OverflowError:  # a whole number that no float can hold
        return False


def _extend_path(path: str, key: str | int) -> str:
    """Return the path of a value below `path`: "a.b", "a[2]", or "a["odd key"]" for a key that is no name."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _NAME.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _render_value(value: Any) -> str:
    """Return a value in few words: what it is where it has children, else its JSON, cut to 60 characters."""
    match value:
        case dict():
            return "an object" if value else "an empty object"
        case list():
            return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and the infinities, which Python's decoder takes."""
    raise ValueError(f"{name} is no JSON")
