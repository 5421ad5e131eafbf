"""Says how a number differs from the right one: by a power of ten, its sign, its rounding, and so on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isclose, isfinite, log10

from ace.task.environments.written_number import (
    WrittenNumber,
    is_close,
    plain_signs,
    read_last_number,
    read_numbers,
)
from ace.task.types import Difference, Fact, Topic

_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d+(?![\d,]))")
_THOUSAND = 3  # digits behind a comma, which stands between thousands then, as a rule
_ABOUT = 0.005  # a ratio that far from a power of ten is one: the answer may be rounded
_LARGEST_POWER = 12
_HALF = 0.5 + 1e-6  # of the last decimal: no number in binary is exact


def explain_number(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return how the number in an answer differs from the right one; nothing where it does not.

    As a scorer reads it: the last number in the answer counts.
    """
    expected, numbers = read_last_number(gold), read_numbers(answer)
    if expected is None:
        return ()
    if not numbers:
        return (_build_fact("there is no number in the answer", Difference.NO_NUMBER),)
    right = [number for number in numbers if expected.equals(number)]
    if len(right) == len(numbers):
        return ()
    if right:
        return (_build_fact("the right number stands in the answer among others", Difference.AMONG_OTHERS),)
    actual = numbers[-1]
    with_point = read_last_number(_DECIMAL_COMMA.sub(".", plain_signs(answer)))
    is_thousand = with_point and with_point.decimals == _THOUSAND != expected.decimals
    if with_point and expected.equals(with_point) and not is_thousand:
        return (_build_fact("a comma stands where a decimal point is right", Difference.DECIMAL_COMMA),)
    pairs = [(expected.share, actual.share)]
    if expected.is_percent != actual.is_percent:
        pairs.append((expected, actual))
    explanations = [explained for pair in pairs if (explained := _compare_numbers(*pair)).facts]
    if not explanations:
        return (_build_fact("another number", Difference.OTHER_NUMBER),)
    return min(explanations, key=lambda explained: explained.distance).facts


@dataclass(frozen=True, slots=True)
class _Explanation:
    """Hold what explains a number, and how far it is off in powers of ten."""

    facts: tuple[Fact, ...] = ()
    distance: float = 0.0


def _compare_numbers(gold: WrittenNumber, actual: WrittenNumber) -> _Explanation:
    """Return what explains the difference of two numbers, the least far-fetched first."""
    a, b = gold.value, actual.value
    if not (isfinite(a) and isfinite(b)):
        return _Explanation()
    if not gold.decimals and not actual.decimals and abs(a - b) == 1:
        return _Explanation(
            (_build_fact(f"off by one: too {'large' if b > a else 'small'}", Difference.OFF_BY_ONE),)
        )
    rounding = _explain_rounding(gold, actual)
    if rounding:
        return _Explanation((_build_fact(rounding, Difference.ROUNDING),))
    if not a or not b or not isfinite(b / a) or not b / a:
        return _Explanation()
    ratio = b / a
    sign = (_build_fact("the sign is wrong", Difference.SIGN),) if ratio < 0 else ()
    if is_close(abs(ratio), 1):
        return _Explanation(sign)
    power = round(log10(abs(ratio)))
    if power and abs(power) <= _LARGEST_POWER and isclose(abs(ratio), 10.0**power, rel_tol=_ABOUT):
        scale = f"{10 ** abs(power):,} times too {'large' if power > 0 else 'small'}"
        return _Explanation((_explain_scale(scale, power, a, b), *sign), abs(power))
    if isclose(abs(a * b), 1, rel_tol=_ABOUT):
        reciprocal = _build_fact("the reciprocal: 1 divided by the right number", Difference.RECIPROCAL)
        return _Explanation((reciprocal, *sign), abs(log10(abs(ratio))))
    return _Explanation()


def _explain_scale(scale: str, power: int, gold: float, actual: float) -> Fact:
    """Return the fact that a number is too large or small: a percentage, where the sizes allow it."""
    if power == 2 and abs(gold) <= 1:
        return _build_fact(f"{scale}: a percentage where a fraction is right", Difference.PERCENT)
    if power == -2 and abs(actual) <= 1:
        return _build_fact(f"{scale}: a fraction where a percentage is right", Difference.PERCENT)
    return _build_fact(scale, Difference.SCALE)


def _explain_rounding(gold: WrittenNumber, actual: WrittenNumber) -> str:
    """Return how the number of decimals explains the difference, or ""."""
    difference = abs(gold.value - actual.value)
    places, actual_places = gold.decimals, actual.decimals
    if actual_places < places:
        if actual.value and difference <= _HALF * 10.0**-actual_places:
            return f"the right number, rounded to {_count_decimals(actual_places)}; it has {places}"
    elif actual_places > places:
        if difference <= _HALF * 10.0**-places:
            return f"right only when rounded to {_count_decimals(places)}; the answer has {actual_places}"
    elif places and isclose(difference, 10.0**-places, rel_tol=1e-3):
        return f"off by one in the last of {_count_decimals(places)}: rounded another way"
    return ""


def _count_decimals(number: int) -> str:
    return f"{number} decimal{'s' * (number != 1)}"


def _build_fact(text: str, difference: Difference) -> Fact:
    return Fact(text, frozenset({Topic(difference.value)}), difference)
