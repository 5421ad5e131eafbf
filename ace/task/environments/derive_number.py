"""Says how a right number may follow from the figures of its question: by a constant, or by one another.

One sample alone proves no such step: most numbers can be reached in several ways. What like samples have in
common is for others to find; the step without its figures is the topic of a fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from ace.task.environments.written_number import read_last_number, read_numbers
from ace.task.types import Fact, Topic

_MOST_FIGURES = 2  # in a question: with more, anything follows from anything
_LARGEST = 1e9
_CLOSE = 1e-9


def derive_number(question: str, gold: str) -> tuple[Fact, ...]:
    """Return the steps from the figures of a question to the right number: "11 * 4 = 44" on topic "* 4"."""
    expected = read_last_number(gold)
    figures = list(dict.fromkeys(number.value for number in read_numbers(question)))
    if expected is None or not 0 < len(figures) <= _MOST_FIGURES:
        return ()
    values = (*figures, expected.value)
    if not all(0 < value <= _LARGEST for value in values):
        return ()
    result = gold.strip() if len(gold.split()) == 1 else f"{expected.value:g}"
    steps = [step for figure in figures for step in _find_constants(figure, expected.value)]
    steps += [step for pair in permutations(figures, 2) for step in _join_figures(*pair, expected.value)]
    return tuple(Fact(f"{text} = {result}", frozenset({Topic(topic)})) for text, topic in steps)


def _find_constants(figure: float, result: float) -> Iterator[tuple[str, str]]:
    """Yield steps with one constant, which has two decimals at most."""
    for sign, constant in (
        ("*", result / figure),
        ("/", figure / result),
        ("+", result - figure),
        ("-", figure - result),
    ):
        rounded = round(constant, 2)
        is_idle = rounded <= 0 or (sign in "*/" and rounded <= 1)
        if abs(constant - rounded) <= _CLOSE and not is_idle:
            yield f"{figure:.12g} {sign} {rounded:.12g}", f"{sign} {rounded:.12g}"


def _join_figures(first: float, second: float, result: float) -> Iterator[tuple[str, str]]:
    """Yield the operations that lead from two figures to the result, in this order."""
    results = {"*": first * second, "+": first + second, "-": first - second, "/": first / second}
    for sign, value in results.items():
        is_twin = sign in "*+" and first > second  # the other order says the same
        if abs(value - result) <= _CLOSE * max(1.0, abs(result)) and not is_twin:
            yield f"{first:.12g} {sign} {second:.12g}", f"{sign} of both figures"
