"""Find what looks like a secret in a text, and hide it. Pure.

Secrets are found by form: a vendor's prefix, a name with a value behind it (`password=...`), a check digit
(cards, IBANs). A word that merely stands near "key" or "basic" is none. A secret without a form, as a
password in the middle of a sentence, cannot be found this way. Knows nothing about where texts come from.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

SECRET_MARK = "[hidden]"  # noqa: S105 (it stands in the place of a secret)

Span = tuple[int, int]
Find = Callable[[str], Iterator[Span]]

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_ADDRESS_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY_KEY = re.compile(
    r"(?<=[?&])(?:(?:api_?|access_?|auth_?|secret_?)?(?:key|token|secret)|sig|signature|password)=([^&\s'\"]+)",
    re.IGNORECASE,
)
_VENDOR_KEY = re.compile(
    r"\bAIza[\w-]{10,}|\bgh[oprsu]_\w{10,}|\bgithub_pat_\w{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bya29\.[\w.-]+"
    r"|\bxox[abeprs]-[\w-]{10,}|\bglpat-[\w-]{10,}|\bnpm_\w{20,}|\bSG\.[\w-]{10,}\.[\w-]{10,}"
    r"|\bsk-(?:proj|ant|or|svcacct|admin)[\w*-]{6,}|\b[spr]k_(?:live|test)_\w{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
)
_SHORT_PREFIX_KEY = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][\w*-]{6,}")
_BEARER = re.compile(r"(authorization\s*[:=]\s*['\"]?)?\bbearer\s+([\w.~+/=-]{6,})", re.IGNORECASE)
_BASIC = re.compile(r"(authorization\s*[:=]\s*['\"]?)?\bbasic\s+([\w+/]{6,}={0,2})", re.IGNORECASE)
_IS = r"['\"]?\s*(?::=|=>|[:=]|\bis\b:?|\bwas\b)\s*['\"]?"  # between a name and its value
_NAMED_SECRET = re.compile(
    r"(?<![a-z])(?:(?:api|access|secret|private|auth|encryption|signing|client|storage|license)[ _-]?keys?"
    r"|apikey|pass(?:word|wd|phrase|code)|pwd|(?:client[ _-]?|shared[ _-]?)?secret"
    r"|(?:access|auth|refresh|session|bearer|api|id)[ _-]?token|cv[cv]2?|security code|pin(?: code| number)?)"
    r"(?: id| provided| given)?" + _IS + r"([^\s'\",;}&]{3,})",
    re.IGNORECASE,
)
_BARE_KEY = re.compile(
    r"(\w+)?[ _-]?\b(?:key|token)(?: provided)?" + _IS + r"([^\s'\",;}&]{6,})", re.IGNORECASE
)
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){13,18}(?![\d-])")
_CARD_START = re.compile(r"3[04-9]\d{12,13}$|4\d{15}(?:\d{3})?$|5[1-5]\d{14}$|2[2-7]\d{14}$|6\d{15,18}$")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,40}", re.IGNORECASE)
_IBAN_SIZES = range(15, 35)


@dataclass(frozen=True, slots=True)
class Secret:
    """Hold where a secret stands in a text (`end` exclusive), and what it is, for people."""

    kind: str
    start: int
    end: int


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return whatever looks like a secret, in order, without overlaps: the first and longest count.

    What is found need not be one: who hides it loses little. Positions are those of characters.
    """
    candidates: list[Secret] = []
    for kind, find in _FINDERS:
        candidates += [Secret(kind, start, end) for start, end in find(text)]
    candidates.sort(key=lambda secret: (secret.start, -secret.end))
    secrets: list[Secret] = []
    for secret in candidates:
        if not secrets or secret.start >= secrets[-1].end:
            secrets.append(secret)
    return tuple(secrets)


def hide_secrets(text: str) -> str:
    """Return the text with `SECRET_MARK` in the place of each secret; without one it is returned as it is."""
    parts: list[str] = []
    position = 0
    for secret in find_secrets(text):
        parts += [text[position : secret.start], SECRET_MARK]
        position = secret.end
    return "".join([*parts, text[position:]])


def _make_finder(
    pattern: re.Pattern[str],
    check: Callable[[str], bool] = bool,
    *,
    group: int = 0,
    certain: int | None = None,
) -> Find:
    """Return a finder of the spans of a group of a pattern that pass the check.

    `certain` is a group that makes a check needless: an Authorization header holds nothing but a secret.
    """

    def find(text: str) -> Iterator[Span]:
        """Yield the spans of a text that pass."""
        for match in pattern.finditer(text):
            if (certain is not None and match[certain]) or check(match[group]):
                yield match.span(group)

    return find


def _find_bare_keys(text: str) -> Iterator[Span]:
    """Yield what is said to be a key or token, if it looks random.

    The words before it tell of other keys: that of a table, or of a cache.
    """
    for match in _BARE_KEY.finditer(text):
        kind = (match[1] or "").casefold()
        if kind not in _read_words("kinds_of_key") and _looks_random(match[2]):
            yield match.span(2)


def _find_ibans(text: str) -> Iterator[Span]:
    """Yield the longest run from each country code on whose remainder by 97 is 1: words may follow it."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start(), -1):
            run = re.sub(r"[ -]", "", text[match.start() : end]).upper()
            ends_word = end == len(text) or not text[end].isalnum()
            if not ends_word or len(run) not in _IBAN_SIZES:
                continue
            digits = "".join(str(int(character, 36)) for character in run[4:] + run[:4])
            if int(digits) % 97 == 1:
                yield match.start(), end
                break


def _looks_random(value: str) -> bool:
    """Return whether letters and digits, or capitals and small letters, mix as in no word of a language."""
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    rises = sum(first.islower() and second.isupper() for first, second in pairwise(value))
    return len(value) >= 8 and ((digits >= 2 and letters >= 2) or rises >= 2)


def _is_no_ordinary_word(value: str) -> bool:
    """Return whether a value can be a secret: no placeholder, and no word such as "required"."""
    if value == SECRET_MARK or value[0] in "<[{(":
        return False
    return value.strip(".,:;!?()[]<>").casefold() not in _read_words("ordinary")


def _holds_login(value: str) -> bool:
    """Return whether a value is base64 of name:password, which is what Basic means."""
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_card_number(text: str) -> bool:
    """Return whether digits start as those of a card and pass its check (Luhn)."""
    digits = re.sub(r"\D", "", text)
    total = sum(map(int, digits[-1::-2]))
    for digit in digits[-2::-2]:
        total += sum(divmod(2 * int(digit), 10))
    return bool(_CARD_START.match(digits)) and total % 10 == 0


@cache
def _read_words(name: str) -> frozenset[str]:
    """Return one list of words of the data file."""
    lists = tomllib.loads(files("ace.safety").joinpath("secrets.toml").read_text("utf-8"))
    return frozenset(lists[name].split())


_FINDERS: tuple[tuple[str, Find], ...] = (
    ("a private key", _make_finder(_PRIVATE_KEY)),
    ("a name and password in an address", _make_finder(_ADDRESS_LOGIN)),
    ("a key in an address", _make_finder(_QUERY_KEY, group=1)),
    ("an API key", _make_finder(_VENDOR_KEY)),
    ("an API key", _make_finder(_SHORT_PREFIX_KEY, _looks_random)),
    ("a bearer token", _make_finder(_BEARER, _looks_random, group=2, certain=1)),
    ("a name and password", _make_finder(_BASIC, _holds_login, group=2, certain=1)),
    ("a password, key or token", _make_finder(_NAMED_SECRET, _is_no_ordinary_word, group=1)),
    ("a key or token", _find_bare_keys),
    ("a card number", _make_finder(_CARD, _is_card_number)),
    ("an account number (IBAN)", _find_ibans),
)
