"""Numbers as they are written in an answer: currencies, marks between thousands, percent signs, any digits.

A minus may be any of the dashes that models and typesetters put there. Knows no scorer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from math import isclose

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:e([-+]?\d{1,4}))?", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d)[,_'\u2019\u00a0\u202f](?=\d{3}(?!\d))")
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


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """Hold a number, whether a percent sign follows it, its decimals, and where it ends in plain text."""

    value: float
    is_percent: bool = False
    decimals: int = 0
    start: int = 0
    end: int = 0

    @property
    def share(self) -> WrittenNumber:
        """Return the same number without a percent sign: 0.125 for 12.5%."""
        if not self.is_percent:
            return self
        return replace(self, value=self.value / 100, is_percent=False, decimals=self.decimals + 2)

    def equals(self, other: WrittenNumber) -> bool:
        """Return whether both are the same number; 12.5% equals both 12.5 and 0.125."""
        if is_close(self.value, other.value):
            return True
        return self.is_percent != other.is_percent and is_close(self.share.value, other.share.value)


def plain_signs(text: str) -> str:
    """Return the text with signs as ASCII has them: every minus is "-", every percent sign "%"."""
    return text.translate(_SIGNS)


def plain_numbers(text: str) -> str:
    """Return the text in plain signs, without currencies and without the marks between thousands."""
    return _THOUSANDS.sub("", _CURRENCY.sub("", plain_signs(text)))


def read_numbers(text: str) -> list[WrittenNumber]:
    """Return every number in the text, in order; places are those in `plain_numbers(text)`."""
    text = plain_numbers(text)
    numbers = []
    for match in _NUMBER.finditer(text):
        fraction, exponent = match[1] or match[2] or "", int(match[3] or 0)
        decimals = min(max(len(fraction) - exponent, 0), _MOST_DECIMALS)
        is_percent = text[match.end() : match.end() + 4].lstrip().startswith("%")
        numbers.append(WrittenNumber(float(match[0]), is_percent, decimals, *match.span()))
    return numbers


def read_last_number(text: str) -> WrittenNumber | None:
    """Return the last number in the text: in a derivation it is the result."""
    numbers = read_numbers(text)
    return numbers[-1] if numbers else None
