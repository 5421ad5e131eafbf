"""Numbers as they are written in an answer: currencies, marks between thousands, percent signs, any digits.

A minus may be any of the dashes that models and typesetters put there. Knows no scorer.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from math import inf, isclose
from pathlib import Path

# "12", "12.50", ".5", "1.5e-3", "3/4", "3 1/2". A fraction stands in no longer row of figures, as dates do.
_NUMBER = re.compile(
    r"""(?<![\w.]) (?P<sign>[-+]?)
    (?: (?<!/) (?P<first>(?:\d{1,3}[ ])?) (?P<above>\d{1,9}) [ ]?/[ ]? (?P<below>\d{1,9}) (?![\w/]|[.,]\d)
      | (?: (?P<whole>\d++) (?:\.(?P<decimals>\d*))? | \.(?P<bare>\d+) )
        (?:[eE](?P<exponent>[-+]?\d{1,4})(?!\w))? )""",
    re.VERBOSE,
)
# Marks between thousands: exactly three digits follow, or pairs and then three digits, as in India.
_THOUSANDS = re.compile(
    r"(?<=\d)[,_'\u2019\u00a0\u202f\u2007\u2009](?=\d{3}(?!\d))|(?<=\d),(?=(?:\d\d,){1,4}\d{3}(?!\d))"
)
# "12 000" and "1 234 567", but not "in 2020 500".
_SPACED = re.compile(r"(?<![\w.,])\d{1,3}(?:(?: \d{3}){2,5}|(?: \d{3})? 000)(?![\w/])")
# "1.234.567,89" and "1.234,56": points between thousands.
_POINTS = re.compile(r"(?<![\w.,])\d{1,3}(?:(?:\.\d{3}){2,6}|\.\d{3}(?=,\d))(?:,(\d+))?(?![\w]|[.,]\d)")
# "$", "US$ ", "EUR " before a number.
_CURRENCY = re.compile(
    r"(?:\b[a-z]{1,3})?[$\u00a2-\u00a5\u20a0-\u20c0]\s{0,3}|\b(?:usd|eur|gbp|jpy|chf|inr|cny)\s{0,3}(?=[-+\d.])",
    re.IGNORECASE,
)
# Behind a currency a small letter is a magnitude, too: "$5m".
_SHORT = re.compile(r"(?<=[$\u00a2-\u00a5\u20a0-\u20c0])([-+]?\d[\d.,]{0,20}) ?([kmbt])(?!\w)", re.IGNORECASE)
# "x 10^6"; other ways to write it become this one.
_TEN = re.compile(r"(?<=\d) ?[x*\u00d7\u00b7\u22c5] ?10(?:\^|\*\*)?\{?([-+]?\d{1,3})\}?(?!\w)")
_POWER = re.compile(r"(?<![\w.,])10(?:\^|\*\*)\{?([-+]?\d{1,3})\}?(?!\w)")
_RAISED = re.compile("10([\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,3})")
_VULGAR = re.compile("(\\d?)([\u00bc-\u00be\u2150-\u215e])")
_LATEX = re.compile(r"(\d?)\\[dt]?frac ?\{ ?(\d{1,9}) ?\}\{ ?(\d{1,9}) ?\}")
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
    "/": "\u2044\u2215\uff0f",
}
_PLAIN: dict[str, str] = {sign: plain for plain, signs in _ALIKE.items() for sign in signs}
_SIGNS = str.maketrans(_PLAIN | {"\u2264": "<=", "\u2265": ">=", "\u2a7d": "<=", "\u2a7e": ">="})
_MOST_DECIMALS = 30
_MOST_TEXT = 20_000  # characters from the end of a text that are looked at

_MOST_DIGITS = 400  # of a whole number that is compared exactly

is_close = partial(isclose, rel_tol=1e-6, abs_tol=1e-9)
"""Tells whether two numbers are the same but for rounding."""


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """Hold a number as it stands in a text."""

    value: float
    """What is written: 12.5 for "12.5%", 1500000 for "1.5 million". Infinite for one that is too large."""

    is_percent: bool = False
    """Whether a percent sign follows it."""

    decimals: int = 0
    """The digits behind its decimal point, magnitudes taken into account; at most 30, as for a fraction."""

    start: int = 0
    end: int = 0
    """Its place in the text that `plain_numbers` returns, a magnitude included."""

    whole: int | None = None
    """The same, exactly, where it is a whole number of at most 400 digits."""

    @property
    def share(self) -> WrittenNumber:
        """Return the same number without a percent sign: 0.125, with two more decimals, for 12.5%."""
        if not self.is_percent:
            return self
        whole = self.whole // 100 if self.whole is not None and self.whole % 100 == 0 else None
        return replace(
            self, value=self.value / 100, is_percent=False, decimals=self.decimals + 2, whole=whole
        )

    def equals(self, other: WrittenNumber, *, absolute: float = 0.0, relative: float = 0.0) -> bool:
        """Return whether both are the same number; 12.5% equals both 12.5 and 0.125.

        Whole numbers are compared exactly, others within a millionth: answers are written with so many digits
        and no more. A tolerance is `absolute`, or `relative` to this number.
        """
        pairs = [(self, other)]
        if self.is_percent != other.is_percent:
            pairs.append((self.share, other.share))
        for a, b in pairs:
            are_whole = a.whole is not None and b.whole is not None
            if a.whole == b.whole if are_whole else is_close(a.value, b.value):
                return True
            allowed = max(absolute, relative * abs(a.value))
            if allowed and abs(a.value - b.value) <= allowed * (1 + 1e-9):
                return True
        return False


def plain_signs(text: str) -> str:
    """Return the text with signs as ASCII has them: every minus is "-", every percent sign "%".

    Comparisons of one sign become two: "<=" and ">=".
    """
    return text.translate(_SIGNS)


def plain_numbers(text: str) -> str:
    """Return the text in plain signs, without currencies and without the marks between thousands.

    "$1,204.50" becomes "1204.50"; a comma that three digits follow counts as a mark between thousands, and so
    do points where a comma or a second point shows it: "1.204,50". Powers of ten become "e6", and "3\u00bd"
    becomes "3 1/2". Of a text of more than 20,000 characters only the end is returned.
    """
    text = text[-_MOST_TEXT:]
    _, _, percent = _read_magnitudes()
    text = _RAISED.sub(lambda match: "10^" + unicodedata.normalize("NFKC", match[1]), text)
    text = _VULGAR.sub(lambda match: _spell_fraction(match[1], unicodedata.normalize("NFKC", match[2])), text)
    text = _LATEX.sub(lambda match: _spell_fraction(match[1], f"{match[2]}/{match[3]}"), text)
    text = _SHORT.sub(lambda match: match[1] + match[2].upper(), plain_signs(text))
    text = _POINTS.sub(lambda match: match[0].replace(".", "").replace(",", "."), _CURRENCY.sub("", text))
    text = _SPACED.sub(lambda match: match[0].replace(" ", ""), _THOUSANDS.sub("", text))
    return percent.sub("%", _POWER.sub(r"1e\1", _TEN.sub(r"e\1", text)))


def read_numbers(text: str) -> list[WrittenNumber]:
    """Return every number in the text, in order; places are those in `plain_numbers(text)`.

    Digits within a word, as in "A4", are no number. A magnitude belongs to its number: "1.5 million", "20k".
    """
    text = plain_numbers(text)
    powers, magnitude, _ = _read_magnitudes()
    numbers = []
    for match in _NUMBER.finditer(text):
        power, end = 0, match.end()
        if size := magnitude.match(text, end):
            end = size.end()
            power = sum(powers[word.lower()] for word in size.groups() if word)
        is_percent = text[end : end + 4].lstrip().startswith("%")
        value, decimals, whole = _evaluate(match, power)
        numbers.append(WrittenNumber(value, is_percent, decimals, match.start(), end, whole))
    return numbers


def read_last_number(text: str) -> WrittenNumber | None:
    """Return the last number in the text: in a derivation it is the result. None where there is none."""
    numbers = read_numbers(text)
    return numbers[-1] if numbers else None


def _evaluate(match: re.Match[str], power: int) -> tuple[float, int, int | None]:
    """Return the value, the decimals and the whole value of a number, multiplied with ten `power` times."""
    sign = -1 if match["sign"] == "-" else 1
    if match["below"]:
        if not int(match["below"]):
            return inf, 0, None
        exact = Fraction(int(match["above"]), int(match["below"])) + int(match["first"] or 0)
        exact *= sign * 10**power
        if exact.denominator == 1:
            return float(exact), 0, exact.numerator
        return float(exact), _MOST_DECIMALS, None
    figures, fraction = match["whole"] or "", match["decimals"] or match["bare"] or ""
    power += int(match["exponent"] or 0)
    value = float(f"{figures or 0}.{fraction}e{power}") * sign
    shift = power - len(fraction)
    decimals = min(max(-shift, 0), _MOST_DECIMALS)
    if len(figures) + len(fraction) > _MOST_DIGITS or abs(shift) > _MOST_DIGITS:
        return value, decimals, None
    number = int(figures + fraction) * sign
    if shift >= 0:
        return value, decimals, number * 10**shift
    return value, decimals, number // 10**-shift if number % 10**-shift == 0 else None


def _spell_fraction(whole: str, fraction: str) -> str:
    """Return a fraction behind a space where a whole number stands before it, as in "3 1/2"."""
    return f"{whole} {fraction}" if whole else fraction


@cache
def _read_magnitudes() -> tuple[dict[str, int], re.Pattern[str], re.Pattern[str]]:
    """Return the powers of magnitudes by their words, and patterns of magnitudes and of percent."""
    tables = tomllib.loads(Path(__file__).with_name("magnitudes.toml").read_text("utf-8"))
    powers: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for kind in ("words", "signs", "letters"):
        words = [(word, int(power)) for power, row in tables[kind].items() for word in row.split()]
        powers |= {word.lower(): power for word, power in words}
        kinds[kind] = "|".join(sorted((word for word, _ in words), key=len, reverse=True))
    word = rf"[ -]?((?i:{kinds['words']}))\.?(?!\w)"
    magnitude = rf"(?:({kinds['letters']})(?!\w)|[ ]?({kinds['signs']})|{word}(?:{word})?)"
    percent = "|".join(tables["percent"]["words"].split())
    return powers, re.compile(magnitude), re.compile(rf"(?<=[\d.])[ -]?(?i:per cent|{percent})(?!\w)")
