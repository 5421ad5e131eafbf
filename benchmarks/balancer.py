"""The equation balancer as an environment: put + - * / for every ? so that the equation holds.

An answer is checked against its puzzle, so no label is needed to know whether it is right: this is the
example of an environment with a self-check. It is copied into the task folder (see puzzles_task.py),
which loads it as "balancer:Balancer". Answers are read as numbers and signs; nothing is evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ace.errors import TaskError
from ace.task import Attempt, Outcome, Sample

_EQUATION = re.compile(r"-?\d+(?:\s*[-+*/]\s*\d+)+\s*=\s*-?\d+")
_PUZZLE = re.compile(r"\d+(?:\s*\?\s*\d+)+\s*=\s*-?\d+")
_TOKEN = re.compile(r"\d+|[-+*/?]")
_LONGEST = 2_000  # characters of an answer that are looked at
_SIGNS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-"})


@dataclass(frozen=True)
class Balancer:
    """Made by the task loader, with the folder and the [options] table, which must be empty."""

    folder: Path
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.options:
            raise TaskError("The balancer has no options.", field="options", file=str(self.folder))

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return what `observe` does, and the label."""
        outcome = self.observe(sample, attempt)
        return replace(outcome, score=float(bool(outcome.self_check)), expected=str(sample.data["answer"]))

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Check the answer against its puzzle."""
        flaw = _flaw(sample.question, attempt.answer)
        return Outcome(observed=flaw or "The equation holds.", detail=flaw, self_check=not flaw)

    def check(self, sample: Sample) -> None:
        where: dict[str, Any] = {"file": sample.file, "line": sample.line}
        if not _PUZZLE.search(sample.question):
            raise TaskError(f"Sample {sample.id}: no puzzle such as '3 ? 4 = 7'.", field="question", **where)
        if flaw := _flaw(sample.question, str(sample.data.get("answer", ""))):
            raise TaskError(f"Sample {sample.id}: its answer is not one. {flaw}", field="answer", **where)


def _flaw(question: str, answer: str) -> str:
    """Return what is wrong with an answer, or "". Its last equation counts."""
    puzzle = _PUZZLE.search(question)
    found = _EQUATION.findall(answer[-_LONGEST:].translate(_SIGNS))
    if not puzzle or not found:
        return "There is no equation in the answer."
    asked, wanted = _sides(puzzle.group())
    tokens, claimed = _sides(found[-1])
    if tokens[::2] != asked[::2] or claimed != wanted:
        return f"The numbers are not those of the puzzle: {found[-1]}"
    value = _value(tokens)
    if value is None:
        return f"It divides by zero: {found[-1]}"
    return "" if value == wanted else f"The left side is {value}, and not {wanted}: {found[-1]}"


def _sides(equation: str) -> tuple[list[str], int]:
    left, _, right = equation.partition("=")
    return _TOKEN.findall(left), int(right)


def _value(tokens: list[str]) -> Fraction | None:
    """Calculate products before sums, from left to right; None for a division by zero."""
    terms = [Fraction(int(tokens[0]))]
    for sign, number in zip(tokens[1::2], map(int, tokens[2::2]), strict=True):
        if sign == "*":
            terms[-1] *= number
        elif sign == "/" and number:
            terms[-1] /= number
        elif sign == "/":
            return None
        else:
            terms.append(Fraction(number if sign == "+" else -number))
    return sum(terms, Fraction())
