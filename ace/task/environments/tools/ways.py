"""Right calls as values: a question, the calls it takes, and what each of them showed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ace.task.workspace import ToolCall, to_text

_WORD = re.compile(r"\w+|[^\w\s]")
_PARTS = re.compile(r"\d+|[^\W\d_]+|[\W_]+")
_SENTENCE = 4  # words, from which on a value is no code
_ABBREVIATION = 3  # letters at least
_BLOCKS = re.compile(r"[^\W_]+|[\W_]+")


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one right call, and what came of it."""

    call: ToolCall
    """The call as the label has it."""

    result: str
    """The text of what it gave."""

    left: str = ""
    """The state of the world after it, as JSON; "" where nobody watched."""

    def leaves(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Yield the values in the result: the name that each stands under, its text, and what is beside it.

        Beside it are the other plain values of its object, by name.
        """
        try:
            stack: list[tuple[str, Any, dict[str, str]]] = [("", json.loads(self.result), {})]
        except ValueError:
            return
        while stack:
            name, value, beside = stack.pop()
            if isinstance(value, dict):
                plain: dict[str, str] = {}
                for key, child in value.items():
                    if not isinstance(child, dict | list):
                        plain[str(key)] = to_text(child)
                for key, child in value.items():
                    others = {name: text for name, text in plain.items() if name != str(key)}
                    stack.append((str(key), child, others))
            elif isinstance(value, list):
                stack += [(name, child, beside) for child in value]
            else:
                yield name, to_text(value), beside


@dataclass(frozen=True)
class Way:
    """Hold a question with its right calls, and the state of the world before and after them."""

    question: str
    """That of the sample."""

    steps: tuple[Step, ...]
    """The right calls, in order."""

    first_state: Any = None
    """The state of the world before them, as JSON values."""

    state: Any = None
    """The state of the world after them."""

    @cached_property
    def groups(self) -> tuple[tuple[Step, ...], ...]:
        """Return the calls in order; those of one tool that follow each other are one group."""
        groups: list[tuple[Step, ...]] = []
        for step in self.steps:
            if groups and groups[-1][0].call.name == step.call.name:
                groups[-1] = (*groups[-1], step)
            else:
                groups.append((step,))
        return tuple(groups)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the tools, in order, each once where calls of it follow each other."""
        return tuple(group[0].call.name for group in self.groups)

    @cached_property
    def words(self) -> list[str]:
        """Return the words and signs of the question."""
        return _WORD.findall(self.question)

    @cached_property
    def lower_words(self) -> frozenset[str]:
        """Return the words of the question in lower case, without figures and signs."""
        return frozenset(word.casefold() for word in self.words if word.isalpha())

    @cached_property
    def kind_words(self) -> frozenset[str]:
        """Return `lower_words` without those of values that the calls take from the question, as names."""
        values = [value for step in self.steps for value in step.call.arguments.values()]
        stated = {word for value in values if self.states(value) for word in fold(to_text(value)).split()}
        return self.lower_words - stated or self.lower_words

    def states(self, value: Any) -> bool:
        """Return whether the question has a value, word for word; signs count, but in a sentence."""
        text = to_text(value)
        wanted = fold(text)
        if not wanted or f" {wanted} " not in f" {fold(self.question)} ":
            return False
        return len(wanted.split()) >= _SENTENCE or text.casefold() in self.question.casefold()

    def find_part(self, part: str) -> list[int]:
        """Return the places of the words that a part of a value repeats: 9 for "09".

        Three letters or more may be the first ones of a word: "SEP" for September.
        """
        wanted = part.casefold()
        if part.isdigit():
            wanted = part.lstrip("0")
            numbers = [(place, word) for place, word in enumerate(self.words) if word.isdigit()]
            return [place for place, word in numbers if word.lstrip("0") == wanted]
        words = [word.casefold() for word in self.words]
        places = [place for place, word in enumerate(words) if word == wanted]
        if not places and len(wanted) >= _ABBREVIATION:
            places = [place for place, word in enumerate(words) if word.startswith(wanted)]
        return places

    def find_sources(self, before: int, value: Any) -> dict[tuple[str, str], set[str]]:
        """Return the tools and fields that showed a value before a group of calls, the latest first.

        Each with the names of those fields beside it that the question states.
        """
        text = to_text(value)
        found: dict[tuple[str, str], set[str]] = {}
        for group in reversed(self.groups[:before]):
            for step in group:
                for name, leaf, beside in step.leaves():
                    if leaf == text and text:
                        stated = {other for other, told in beside.items() if self.states(told)}
                        found.setdefault((step.call.name, name), set()).update(stated)
        return found

    def find_stated(self, names: Collection[str]) -> set[str]:
        """Return the values of named fields in the results that the question states, in lower case."""
        found = set[str]()
        for step in self.steps:
            for name, leaf, _ in step.leaves():
                if name in names and self.states(leaf):
                    found.add(leaf.casefold())
        return found


def fold(text: str) -> str:
    """Return the words of a text in lower case, without signs."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def split_blocks(value: Any) -> list[str]:
    """Return the runs of figures and letters together, and of signs, that a value is written from."""
    return _BLOCKS.findall(to_text(value))


def split_parts(value: Any) -> list[str]:
    """Return the runs of figures, of letters, and of signs that a value is written from."""
    return _PARTS.findall(to_text(value))
