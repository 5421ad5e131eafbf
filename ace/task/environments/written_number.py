"""Numbers as they are written in an answer: currencies, marks between thousands, percent signs, any digits.

A minus may be any of the dashes that models and typesetters put there. Knows no scorer.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import copysign, inf, isclose, isfinite
from pathlib import Path

_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # scripts without spaces
# "12", "12.50", ".5", "1.5e-3", "3/4", "3 1/2". A fraction stands in no longer row of figures, as dates do.
# No part of a word, of a row with points ("1.2.3"), or of a power ("5^2").
_NUMBER = re.compile(
    rf"""(?<![^\W{_UNSPACED}]) (?<![\d^]) (?<!\d\.) (?<!\^[-+]) (?<!\d\*\*) (?P<sign>[-+]?)
    (?: (?<!/) (?P<first>(?:\d{{1,3}}[ ])?) (?P<above>\d{{1,9}})
        [ ]?/[ ]? (?P<below>\d{{1,9}}) (?![\w/^]|[.,]\d)
      | (?: (?P<whole>\d++) (?:\.(?P<decimals>\d*+))?+ | (?<![.\w])\.(?P<bare>\d++) )
        (?:[eE](?P<exponent>[-+]?\d{{1,4}})(?!\w))?+ (?!\.\d|\^|\*\*\d) )""",
    re.VERBOSE,
)
# Marks between thousands: exactly three digits follow, or pairs and then three digits, as in India.
_THOUSANDS = re.compile(
    r"(?<=\d)[,_'\u2019\u00a0\u202f\u2007\u2009](?=\d{3}(?!\d))|(?<=\d),(?=(?:\d\d,){1,4}\d{3}(?!\d))"
)
# "12 000", "12 345" and "1 234 567", but not "in 2020 500".
_SPACED = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?: \d{3}){1,6}(?![\w/]|[.]\d)")
# "1.234.567,89" and "1.234,56": points between thousands.
_POINTS = re.compile(r"(?<![\w.,])\d{1,3}(?:(?:\.\d{3}){2,6}|\.\d{3}(?=,\d))(?:,(\d+))?(?![\w]|[.,]\d)")
# "12,5" and "3,1416", but neither "1,204" nor the list "1,2,3".
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])(\d++),(\d{1,2}|\d{4,20})(?!\d|[.,]\d)")
_MONEY = "[$\u00a2-\u00a5\u20a0-\u20c0]"
# Losses as accountants write them: "$(1,200)", and "(1,200)" or "($5)" alone.
_LOSS = re.compile(
    rf"{_MONEY}\s?\((?P<sum>\d[\d.,]{{0,20}})\)"
    rf"|\A\s*\((?P<whole>{_MONEY}\s?\d[\d.,]{{0,20}}|\d{{1,3}}(?:[,.']\d{{3}}){{1,6}}(?:[.,]\d{{1,6}})?)\)%?\.?\s*\Z"
)
# Behind a currency a small letter is a magnitude, too: "$5m".
_SHORT = re.compile(rf"(?<={_MONEY})([-+]?\d[\d.,]{{0,20}}) ?([kmbt])(?!\w)", re.IGNORECASE)
_LETTERS = {"k": " thousand", "m": " million", "b": " billion", "t": " trillion"}
# "x 10^6".
_TEN = re.compile(r"(?<=\d) ?[x*\u00d7\u00b7\u22c5] ?10(?:\^|\*\*)([-+]?\d{1,3})(?!\w)")
_POWER = re.compile(r"(?<![\w.,])10(?:\^|\*\*)([-+]?\d{1,3})(?!\w)")
_RAISED = re.compile("[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+[\u207a\u207b]?|[\u207a\u207b]")
_VULGAR = re.compile("(?:(\\d) ?)?([\u00bc-\u00be\u2150-\u215e])")
_LATEX = re.compile(r"(\d?)\\[dt]?frac ?(?:\{ ?(\d{1,9}) ?\}\{ ?(\d{1,9}) ?\}|(\d)(\d))")
# "1-1/2", "1 and 1/2".
_MIXED = re.compile(r"(?<![\w./])(\d{1,3})(?:-| and | & )(?=\d{1,3}/\d{1,3}(?![\w/]))")
_RANGE = re.compile("(?<=\\d)(?:\\.{2,3}|[\u2026~\u301c\uff5e])(?=\\d)")  # "10..20", "3~5"
_DASH = re.compile(r"(?<!\w)[\u2014\u2015](?=[.\d])")  # long ones, which also part sentences
_BRACED = re.compile(r"\^\{([-+]?\w{1,9})\}")  # "x^{2}"
_AFTER_EQUALS = re.compile(r"(?<==)( ?)- (?=[\d.])")
# What makes a number another answer: "> 5" is not 5, nor is the end of "3-5". A tag is no comparison.
_RELATION = re.compile(r"(?:(?<![-=<>])([<>]=?|!=|[\u00b1\u221a\u221b]) ?|(?<=[\d%])([-/]))\Z")
_TAG = re.compile(r"<[^<>\n]{1,40}>\Z")
_ALIKE = {  # signs of other keyboards, typesetters and scripts
    "-": "\u2010\u2011\u2012\u2013\u2212\u2796\ufe63\uff0d\u208b",
    "+": "\ufe62\uff0b\u208a",
    "%": "\u066a\ufe6a\uff05",
    ".": "\u066b\uff0e",
    ",": "\u066c\uff0c",
    "<": "\uff1c",
    ">": "\uff1e",
    "=": "\uff1d",
    "#": "\uff03\u266f",
    "/": "\u2044\u2215\uff0f",
    "'": "\u2018\u2019\u02bc\uff07",
    '"': "\u201c\u201d\u201e\uff02",
}
_PLAIN: dict[str, str] = {sign: plain for plain, signs in _ALIKE.items() for sign in signs}
_PAIRS = {"\u2264": "<=", "\u2265": ">=", "\u2a7d": "<=", "\u2a7e": ">=", "\u2260": "!="}
_BELOW = {chr(0x2080 + digit): str(digit) for digit in range(10)}
_SIGNS = str.maketrans(_PLAIN | _PAIRS | _BELOW)
RATES = {"%": 100, "\u2030": 1_000, "\u2031": 10_000}
"""What a number is divided by, by the sign behind it."""

_MOST_DECIMALS = 30
_NOTHING = 1e-9  # what remains of 0 after rounding
_MOST_TEXT = 20_000  # characters from the end of a text that are looked at

_MOST_DIGITS = 4_000  # of a whole number that is compared exactly


def is_close(gold: float, value: float) -> bool:
    """Return whether a number is the right one but for rounding: within a millionth, and 1e-9 for 0."""
    return isclose(gold, value, rel_tol=1e-6) or (gold == 0 and abs(value) <= _NOTHING)


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """Hold a number as it stands in a text."""

    value: float
    """What is written: 12.5 for "12.5%", 1500000 for "1.5 million". Infinite for one that is too large."""

    per: int = 1
    """What it is a share of: 100 with a percent sign, 1,000 per mille, 10,000 for basis points."""

    decimals: int = 0
    """The digits behind its decimal point, magnitudes taken into account; at most 30, as for a fraction."""

    start: int = 0
    end: int = 0
    """Its place in the text that `plain_numbers` returns, a magnitude included."""

    whole: int | None = None
    """The same, exactly, where it is a whole number of at most 4,000 digits."""

    relation: str = ""
    """What stands before it: "<", ">=", "!=" or a sign for plus and minus; "-" at the end of a range."""

    @property
    def share(self) -> WrittenNumber:
        """Return the same number without a percent sign: 0.125, with two more decimals, for 12.5%."""
        if self.per == 1:
            return self
        whole = self.whole // self.per if self.whole is not None and self.whole % self.per == 0 else None
        decimals = self.decimals + len(str(self.per)) - 1
        return replace(self, value=self.value / self.per, per=1, decimals=decimals, whole=whole)

    def equals(self, other: WrittenNumber, *, absolute: float = 0.0, relative: float = 0.0) -> bool:
        """Return whether both are the same number; 12.5% equals both 12.5 and 0.125.

        Whole numbers are compared exactly, others within a millionth: answers are written with so many digits
        and no more. A tolerance is `absolute`, or `relative` to this number. "> 5" is not 5. What is too
        large for a number is equal to nothing.
        """
        pairs = [(self.share, other.share)]
        if self.per == other.per or 1 in (self.per, other.per):
            pairs.append((self, other))
        for a, b in pairs:
            if a.whole is not None and b.whole is not None:
                if a.whole == b.whole:
                    return self.relation == other.relation
            elif isfinite(a.value) and isfinite(b.value) and is_close(a.value, b.value):
                return self.relation == other.relation
            allowed = max(absolute, relative * abs(a.value))
            if isfinite(allowed) and allowed and abs(a.value - b.value) <= allowed * (1 + 1e-9):
                return self.relation == other.relation
        return False


def plain_signs(text: str) -> str:
    """Return the text with signs as ASCII has them: every minus is "-", every percent sign "%".

    Comparisons of one sign become two: "<=" and ">=". "minus 5" is "-5", "3\u00bd" is "3 1/2", "x\u00b2" is
    "x^2", and digits below the line stand on it.
    """
    minus = _read_words().minus
    text = minus.sub(lambda match: match[0] if match["operand"] else "-", text)
    text = _DASH.sub("-", _VULGAR.sub(_spell_fraction, text))
    text = _RAISED.sub(_lower_digits, text).translate(_SIGNS).replace("+/-", "\u00b1")
    return _BRACED.sub(r"^\1", _AFTER_EQUALS.sub(r"\1-", text))


def plain_numbers(text: str) -> str:
    """Return the text in plain signs, without currencies and without the marks between thousands.

    "$1,204.50" becomes "1204.50"; a comma that three digits follow counts as a mark between thousands, and so
    do points where a comma or a second point shows it: "1.204,50". Before other digits a comma is a decimal
    point: "12,5". Powers of ten become "e6", and a rate in words its sign. Of a text of more than 20,000
    characters only the end is returned.
    """
    words = _read_words()
    text = plain_signs(_LATEX.sub(_spell_fraction, text[-_MOST_TEXT:]))
    text = _LOSS.sub(lambda match: f"-{match['sum'] or match['whole']}", text)
    text = _SHORT.sub(lambda match: match[1] + _LETTERS[match[2].lower()], _MIXED.sub(r"\1 ", text))
    text = words.currency.sub("", _RANGE.sub("-", text))
    text = _POINTS.sub(lambda match: match[0].replace(".", "").replace(",", "."), text)
    text = _SPACED.sub(lambda match: match[0].replace(" ", ""), _THOUSANDS.sub("", text))
    text = _POWER.sub(r"1e\1", _TEN.sub(r"e\1", _DECIMAL_COMMA.sub(r"\1.\2", text)))
    return words.rate.sub(lambda match: words.rates[match[1].lower()], text)


def read_numbers(text: str) -> list[WrittenNumber]:
    """Return every number in the text, in order; places are those in `plain_numbers(text)`.

    Digits within a word, as in "A4", are no number. A magnitude belongs to its number: "1.5 million", "20k";
    in Chinese and its neighbours several may be one number, as ten thousands and the rest.
    """
    text = plain_numbers(text)
    words = _read_words()
    numbers: list[WrittenNumber] = []
    limit = 0  # of what a further part may add to the last number, where parts may
    for match in _NUMBER.finditer(text):
        power, start, end, sign = 0, match.start(), match.end(), ""
        if size := words.magnitude.match(text, end):
            end, sign = size.end(), size["sign"] or ""
            power = sum(words.powers[word.lower()] for word in size.groups() if word)
        following = text[end : end + 2].lstrip()[:1]
        per = RATES.get(following, 1)
        before = text[max(0, start - 50) : start]
        if before.endswith("%") and not before[-2:-1].isdigit() and per == 1:
            per = 100
        value, decimals, whole = _evaluate(match, power)
        relation = _RELATION.search(before)
        found = (relation[1] or relation[2]) if relation and not _TAG.search(before) else ""
        if found == "/" and end - start > 2:  # the year of a date may be what is asked for
            found = ""
        number = WrittenNumber(value, per, decimals, start, end, whole=whole, relation=found)
        last = numbers[-1] if numbers else None
        if last and last.end == start and 0 <= value < limit and last.whole is not None and whole is not None:
            total = last.whole + whole if last.whole >= 0 else last.whole - whole
            value = last.value + copysign(value, last.value)  # infinite where the whole is no float
            numbers[-1] = replace(last, value=value, whole=total, end=end, per=per)
        else:
            numbers.append(number)
        limit = 10**power if sign else 0
    return numbers


def spell_numbers(text: str, *, rounded: bool = True) -> str:
    """Return the plain text with each number in one form and apart from its unit: "1000 km" for "1,000km".

    Codes, times and dates stay as they are: figures behind a 0, beside other figures, or of a word. So do
    numbers with a letter for their magnitude, which may be a room or a size. Zeros at the end of decimals
    stay unless `rounded`: 3.10 may be a version.
    """
    plain = plain_numbers(text)
    parts: list[str] = []
    place = 0
    for number in read_numbers(text):
        written = plain[number.start : number.end]
        before, after = plain[max(0, number.start - 2) : number.start], plain[number.end : number.end + 2]
        is_code = bool(re.fullmatch(r"[-+]?0\d+|.*\d[A-Za-z]", written) or re.match(r"[:/-]\d", after))
        is_version = not rounded and "." in written
        if is_code or is_version or re.search(r"[\w:/]-?\Z", before) or not isfinite(number.value):
            continue
        form = f"{number.value:.12g}" if number.whole is None else str(number.whole)
        gap = " " if plain[number.end : number.end + 1].isalpha() else ""
        parts += [plain[place : number.start], form, gap]
        place = number.end
    return "".join([*parts, plain[place:]])


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


def _spell_fraction(match: re.Match[str]) -> str:
    """Return a fraction behind a space where a whole number stands before it, as in "3 1/2"."""
    whole, *figures = match.groups("")
    figures = list(filter(None, figures))
    fraction = "/".join(unicodedata.normalize("NFKC", figure).replace("\u2044", "/") for figure in figures)
    return f"{whole} {fraction}" if whole else fraction


def _lower_digits(match: re.Match[str]) -> str:
    """Return raised digits behind "^", as in "x^2"; the charge of an ion, and what is no power, without."""
    plain = unicodedata.normalize("NFKC", match[0]).replace("\u2212", "-")
    text, start, end = match.string, match.start(), match.end()
    is_power = start > 0 and (text[start - 1].isalnum() or text[start - 1] == ")")
    return plain if plain[-1] in "+-" or not is_power or text[end : end + 1] == "\u2044" else f"^{plain}"


@dataclass(frozen=True, slots=True)
class _Words:
    """Hold what the data file says: words with what they mean, and patterns of them."""

    powers: dict[str, int]
    """Powers of ten by word, lower case: 6 for "million"."""

    rates: dict[str, str]
    """The sign of each rate by word, lower case: "%" for "percent"."""

    magnitude: re.Pattern[str]
    """A power of ten behind a number."""

    rate: re.Pattern[str]
    """A rate in words behind a number."""

    minus: re.Pattern[str]
    """A minus before a number: the sign with a space, or a word."""

    currency: re.Pattern[str]
    """"$", "US$ " or "EUR " before a number."""


@cache
def _read_words() -> _Words:
    """Read the data file of the words that belong to a number."""
    tables = tomllib.loads(Path(__file__).with_name("magnitudes.toml").read_text("utf-8"))
    powers: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for kind in ("words", "signs", "letters"):
        words = [(word, int(power)) for power, row in tables[kind].items() for word in row.split()]
        powers |= {word.lower(): power for word, power in words}
        kinds[kind] = "|".join(sorted((word for word, _ in words), key=len, reverse=True))
    rates = {word: sign for sign, row in tables["rates"].items() for word in row}
    codes = "|".join(tables["currencies"]["codes"].split())
    word = rf"[ -]?((?i:{kinds['words']}))\.?(?!\w)"
    operand = r"(?P<operand>(?:[\d)%]|(?<![A-Za-z])[A-Za-z](?=[ \u2212]))\s?)?"
    minus = rf"(?:\u2212\s|(?<![^\W{_UNSPACED}])(?i:{'|'.join(tables['minus']['words'].split())})\s{{0,2}})"
    return _Words(
        powers=powers,
        rates=rates,
        magnitude=re.compile(
            rf"(?:({kinds['letters']})(?!\w)|[ ]?(?P<sign>{kinds['signs']})|{word}(?:{word})?)"
        ),
        rate=re.compile(rf"(?<=[\d.])[ -]?((?i:{'|'.join(sorted(rates, key=len, reverse=True))}))(?!\w)"),
        minus=re.compile(rf"{operand}{minus}(?=(?:{_MONEY}\s?)?\.?\d)"),
        currency=re.compile(
            rf"(?i:(?:\b[a-z]{{1,3}})?{_MONEY}\s{{0,3}}(?=[-+]?\.?\d)|\b(?:{codes})\s{{0,3}}(?=[-+\d.]))"
        ),
    )
