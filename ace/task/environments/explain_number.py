"""Says how a number differs from the right one: by a power of ten, its sign, its rounding, and so on."""

from __future__ import annotations

import re
from math import isclose, isfinite, log10

from ace.task.environments.written_number import (
    WrittenNumber,
    is_close,
    plain_signs,
    read_last_number,
    read_numbers,
)
from ace.task.types import Difference, Fact, Topic

# The comma of "12,5" and of "1,204": whether thousands are meant is for the caller to say.
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d+(?![\d,]))")
_THOUSAND = 3  # digits behind a comma, which stands between thousands then, as a rule
_ABOUT = 0.005  # a ratio that far from a power of ten is one: the answer may be rounded
_LARGEST_POWER = 12
_HALF = 0.5 + 1e-6  # of the last decimal: no number in binary is exact


def explain_number(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return how the number in an answer differs from the right one; nothing where it does not.

    As a scorer reads it: the last number in the answer counts. Where one is a percentage and the other is
    not, the number is compared as a share and as it is written, and the explanation of the nearer one counts.
    A right answer without a number explains nothing.
    """
    expected = read_last_number(gold)
    numbers = read_numbers(answer)
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
    if expected.per != actual.per:
        pairs.append((expected, actual))
    explanations: list[tuple[float, tuple[Fact, ...]]] = []
    for pair in pairs:
        distance, facts = _compare_numbers(*pair)
        if facts:
            explanations.append((distance, facts))
    if not explanations:
        return (_build_fact("another number", Difference.OTHER_NUMBER),)
    _, nearest_facts = min(explanations, key=lambda explanation: explanation[0])
    return nearest_facts


def _compare_numbers(gold: WrittenNumber, actual: WrittenNumber) -> tuple[float, tuple[Fact, ...]]:
    """Return how far a number is off in powers of ten, and what explains that; no facts where nothing does.

    The least far-fetched explanation comes first: off by one, rounding, a sign, a power of ten, a reciprocal.
    """
    a, b = gold.value, actual.value
    if not (isfinite(a) and isfinite(b)):
        return 0.0, ()
    if not gold.decimals and not actual.decimals and abs(a - b) == 1:
        direction = "large" if b > a else "small"
        return 0.0, (_build_fact(f"off by one: too {direction}", Difference.OFF_BY_ONE),)
    rounding = _explain_rounding(gold, actual)
    if rounding:
        return 0.0, (_build_fact(rounding, Difference.ROUNDING),)
    if not a or not b or not isfinite(b / a) or not b / a:
        return 0.0, ()

    ratio = b / a
    size = abs(ratio)
    sign = (_build_fact("the sign is wrong", Difference.SIGN),) if ratio < 0 else ()
    if is_close(size, 1):
        return 0.0, sign
    power = round(log10(size))
    is_power = power != 0 and abs(power) <= _LARGEST_POWER
    if is_power and isclose(size, 10.0**power, rel_tol=_ABOUT):
        return abs(power), (_explain_scale(power, a, b), *sign)
    if isclose(abs(a * b), 1, rel_tol=_ABOUT):
        reciprocal = _build_fact("the reciprocal: 1 divided by the right number", Difference.RECIPROCAL)
        return abs(log10(size)), (reciprocal, *sign)
    return 0.0, ()


def _explain_scale(power: int, gold: float, actual: float) -> Fact:
    """Return the fact that a number is too large or small: a percentage, where the sizes allow it."""
    direction = "large" if power > 0 else "small"
    scale = f"{10 ** abs(power):,} times too {direction}"
    if power == 2 and abs(gold) <= 1:
        return _build_fact(f"{scale}: a percentage where a fraction is right", Difference.PERCENT)
    if power == -2 and abs(actual) <= 1:
        return _build_fact(f"{scale}: a fraction where a percentage is right", Difference.PERCENT)
    return _build_fact(scale, Difference.SCALE)


def _explain_rounding(gold: WrittenNumber, actual: WrittenNumber) -> str:
    """Return how the number of decimals explains the difference, or "".

    Either the answer has fewer decimals than the right number, or it has more and is right only when rounded,
    or both have as many and differ by one in the last place.
    """
    difference = abs(gold.value - actual.value)
    places = gold.decimals
    actual_places = actual.decimals
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
    """Return the number in words: "1 decimal", "2 decimals"."""
    noun = "decimal" if number == 1 else "decimals"
    return f"{number} {noun}"


def _build_fact(text: str, difference: Difference) -> Fact:
    """Return a fact whose topic is the kind of difference, so that like mistakes count as one topic."""
    return Fact(text, frozenset({Topic(difference.value)}), difference)
