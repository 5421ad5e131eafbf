"""Puzzles about numbers: an answer is an expression of given numbers that has a given value.

An answer is checked against its puzzle, so no label is needed to know whether it is right. Expressions are
parsed and calculated exactly; nothing is evaluated as code.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from ace.task.types import Attempt, Environment, Outcome, Sample

_PUZZLE = re.compile(r"(?<!\d)(\d{1,12}(?:\s{0,4}\?\s{0,4}\d{1,12}){1,30})\s{0,4}=\s{0,4}(-?\d{1,12})(?!\d)")
# Numbers with signs between them, brackets around any, and what they are said to be.
_EXPRESSION = re.compile(
    r"[(\s]{0,4}(?:-(?=[\d(]))?[(\s]{0,4}(?<!\d)\d{1,12}[\s()]{0,6}"
    r"(?:[-+*/][\s(]{0,4}(?:-(?=[\d(]))?[(]{0,4}\d{1,12}[\s()]{0,6}){1,30}(?:=\s{0,4}(-?\d{1,12}))?"
)
_IN_ORDER = re.compile(r"\d+(?:\s*[-+*/]\s*\d+)*")
_LONGEST = 2_000  # characters of an answer that are looked at
_SIGNS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-", "[": "(", "]": ")"})
_NEARLY = 1e-9

_Operation = Callable[[Fraction, Fraction], Fraction]
_OPERATIONS: dict[type[ast.operator], _Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ArithmeticEnvironment(Environment):
    """Samples carry `numbers`, all of which are used once, the `value` to be reached, and may carry `answer`.

    With `ordered` true the numbers keep their order, and there are no brackets.

        {"id": "a", "question": "3 ? 4 = 7", "numbers": [3, 4], "value": 7, "ordered": true,
         "answer": "3 + 4 = 7"}
    """

    bounded = True
    label_field = "answer"

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return what `observe` does, and the label."""
        outcome = self.observe(sample, attempt)
        expected = str(sample.data.get("answer", ""))
        return replace(outcome, score=float(bool(outcome.self_check)), expected=expected)

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Check the answer against its puzzle: its last equation counts, else its last expression."""
        flaw = self._find_flaw(sample, attempt.answer)
        return Outcome(observed=flaw or "The equation holds.", detail=flaw, self_check=not flaw)

    def make_gold_attempt(self, sample: Sample) -> Attempt | None:
        """Return the attempt that gives the right answer; None for a row without one."""
        answer = sample.data.get("answer")
        return Attempt(sample.id, answer) if isinstance(answer, str) else None

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a row that is no puzzle, and for a right answer that is none."""
        numbers, value = sample.data.get("numbers"), sample.data.get("value")
        if not isinstance(numbers, list) or not all(map(_is_whole, numbers)) or len(numbers) < 2:
            raise sample.problem("numbers", f"Expected two whole numbers or more, found {numbers!r:.60}.")
        if not _is_whole(value):
            raise sample.problem("value", f"Expected a whole number, found {value!r:.60}.")
        answer = sample.data.get("answer")
        if answer is not None and (flaw := self._find_flaw(sample, str(answer))):
            raise sample.problem("answer", f"The right answer is not one. {flaw}")

    def _find_flaw(self, sample: Sample, answer: str) -> str:
        """Return what is wrong with an answer; "" for a right one."""
        numbers, wanted = sample.data["numbers"], sample.data["value"]
        found = list(_EXPRESSION.finditer(answer[-_LONGEST:].translate(_SIGNS)))
        if not found:
            return "There is no equation in the answer."
        last = next((match for match in reversed(found) if match[1] is not None), found[-1])
        equation = last[0].strip()
        expression = equation.partition("=")[0].strip()
        used = [int(number) for number in re.findall(r"\d+", expression)]
        is_same = used == numbers if sample.data.get("ordered") else sorted(used) == sorted(numbers)
        if not is_same or (last[1] is not None and int(last[1]) != wanted):
            return f"The numbers are not those of the puzzle: {equation}"
        if sample.data.get("ordered") and not _IN_ORDER.fullmatch(expression):
            return f"There are brackets or signs that the puzzle has not: {equation}"
        try:
            value = _calculate(ast.parse(expression, mode="eval").body)
        except ZeroDivisionError:
            return f"It divides by zero: {equation}"
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return f"It cannot be calculated: {equation}"
        return "" if value == wanted else f"The left side is {value}, and not {wanted}: {equation}"


def read_puzzle(text: str) -> tuple[list[int], int]:
    """Return the numbers and the value of an equation without signs, as "3 ? 4 = 7"; ([], 0) for another."""
    puzzle = _PUZZLE.search(text)
    if not puzzle:
        return [], 0
    return [int(number) for number in re.findall(r"\d+", puzzle[1])], int(puzzle[2])


def find_expression(numbers: Sequence[int], value: int) -> str:
    """Return an expression of all the numbers, in any order, that has the value; "" where there is none."""
    return _combine([(float(number), str(number)) for number in numbers], value)


def _combine(parts: list[tuple[float, str]], value: int) -> str:
    """Return the parts as one expression with the value; two of them are put together in every way."""
    if len(parts) == 1:
        number, text = parts[0]
        return text.removeprefix("(").removesuffix(")") if abs(number - value) < _NEARLY else ""
    for first, second in combinations(range(len(parts)), 2):
        rest = [part for place, part in enumerate(parts) if place not in (first, second)]
        (a, left), (b, right) = parts[first], parts[second]
        ways = [(a + b, f"({left} + {right})"), (a * b, f"({left} * {right})")]
        ways += [(a - b, f"({left} - {right})"), (b - a, f"({right} - {left})")]
        ways += [(a / b, f"({left} / {right})")] if b else []
        ways += [(b / a, f"({right} / {left})")] if a else []
        for way in ways:
            expression = _combine([*rest, way], value)
            if expression:
                return expression
    return ""


def _calculate(node: ast.expr) -> Fraction:
    """Return the value of an expression. Raises ValueError for all but numbers, signs and brackets."""
    match node:
        case ast.Constant(value=int() as number):
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_calculate(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATIONS:
            return _OPERATIONS[type(sign)](_calculate(left), _calculate(right))
    raise ValueError(ast.dump(node))


def _is_whole(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
