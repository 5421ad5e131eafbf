"""Numbers as they are written in an answer: currencies, marks between thousands, percent signs, any digits.

A minus may be any of the dashes that models and typesetters put there. Knows no scorer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from math import isclose

# "12", "12.50", ".5", "1.5e-3". Groups: the decimals, those behind a bare point, the exponent.
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:e([-+]?\d{1,4}))?", re.IGNORECASE)
# A mark between thousands: exactly three digits follow.
_THOUSANDS = re.compile(r"(?<=\d)[,_'\u2019\u00a0\u202f](?=\d{3}(?!\d))")
# "$", "US$ ", "EUR " before a number.
_CURRENCY = re.compile(
    r"(?:\b[a-z]{1,3})?[$\u20ac\u00a3\u00a5]\s*|\b(?:usd|eur|gbp|jpy|chf)\s*(?=[-+\d.])", re.IGNORECASE
)
_ALIKE = {  # signs of other keyboards, typesetters and scripts
    "-": "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d",
    "+": "\ufe62\uff0b",
    "%": "\u066a\ufe6a\uff05",
    ".": "\u066b\uff0e",
    ",": "\u066c\uff0c",
    "<": "\uff1c",
    ">": "\uff1e",
    "=": "\uff1d",
    "#": "\uff03",
}
_PLAIN: dict[str, str] = {sign: plain for plain, signs in _ALIKE.items() for sign in signs}
_SIGNS = str.maketrans(_PLAIN | {"\u2264": "<=", "\u2265": ">=", "\u2a7d": "<=", "\u2a7e": ">="})
_MOST_DECIMALS = 30

is_close = partial(isclose, rel_tol=1e-6, abs_tol=1e-9)
"""Tells whether two numbers are the same but for rounding."""


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """Hold a number as it stands in a text."""

    value: float
    """What is written: 12.5 for "12.5%". Infinite for an exponent that is too large."""

    is_percent: bool = False
    """Whether a percent sign follows it."""

    decimals: int = 0
    """The digits behind its decimal point, an exponent taken into account; at most 30."""

    start: int = 0
    end: int = 0
    """Its place in the text that `plain_numbers` returns."""

    @property
    def share(self) -> WrittenNumber:
        """Return the same number without a percent sign: 0.125, with two more decimals, for 12.5%."""
        if not self.is_percent:
            return self
        return replace(self, value=self.value / 100, is_percent=False, decimals=self.decimals + 2)

    def equals(self, other: WrittenNumber) -> bool:
        """Return whether both are the same number; 12.5% equals both 12.5 and 0.125.

        That is so within a millionth: answers are written with so many digits and no more.
        """
        if is_close(self.value, other.value):
            return True
        if self.is_percent == other.is_percent:
            return False
        return is_close(self.share.value, other.share.value)


def plain_signs(text: str) -> str:
    """Return the text with signs as ASCII has them: every minus is "-", every percent sign "%".

    Comparisons of one sign become two: "<=" and ">=".
    """
    return text.translate(_SIGNS)


def plain_numbers(text: str) -> str:
    """Return the text in plain signs, without currencies and without the marks between thousands.

    "$1,204.50" becomes "1204.50"; a comma that three digits follow counts as a mark between thousands.
    """
    return _THOUSANDS.sub("", _CURRENCY.sub("", plain_signs(text)))


def read_numbers(text: str) -> list[WrittenNumber]:
    """Return every number in the text, in order; places are those in `plain_numbers(text)`.

    Digits within a word, as in "A4", are no number.
    """
    text = plain_numbers(text)
    numbers = []
    for match in _NUMBER.finditer(text):
        fraction = match[1] or match[2] or ""
        exponent = int(match[3] or 0)
        decimals = min(max(len(fraction) - exponent, 0), _MOST_DECIMALS)
        is_percent = text[match.end() : match.end() + 4].lstrip().startswith("%")
        numbers.append(WrittenNumber(float(match[0]), is_percent, decimals, *match.span()))
    return numbers


def read_last_number(text: str) -> WrittenNumber | None:
    """Return the last number in the text: in a derivation it is the result. None where there is none."""
    numbers = read_numbers(text)
    return numbers[-1] if numbers else None
