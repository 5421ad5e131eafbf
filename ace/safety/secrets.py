"""What looks like a secret in a text, and the text without it. Pure.

Found by form: a vendor's prefix, a name with a value behind it (`password=...`), a check digit (cards,
IBANs). A word that merely stands near "key" or "basic" is none. What has no form, as a password in the middle
of a sentence, cannot be found this way. Knows nothing about where texts come from.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

HIDDEN = "[hidden]"

Span = tuple[int, int]

_PRIVATE = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+@")  # a name and password
_IN_QUERY = re.compile(
    r"(?<=[?&])(?:(?:api_?|access_?|auth_?|secret_?)?(?:key|token|secret)|sig|signature|password)=([^&\s'\"]+)",
    re.IGNORECASE,
)
_VENDOR = re.compile(
    r"\bAIza[\w-]{10,}|\bgh[oprsu]_\w{10,}|\bgithub_pat_\w{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bya29\.[\w.-]+"
    r"|\bxox[abeprs]-[\w-]{10,}|\bglpat-[\w-]{10,}|\bnpm_\w{20,}|\bSG\.[\w-]{10,}\.[\w-]{10,}"
    r"|\bsk-(?:proj|ant|or|svcacct|admin)[\w*-]{6,}|\b[spr]k_(?:live|test)_\w{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
)
_SHORT_PREFIX = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][\w*-]{6,}")
_BEARER = re.compile(r"(authorization\s*[:=]\s*['\"]?)?\bbearer\s+([\w.~+/=-]{6,})", re.IGNORECASE)
_BASIC = re.compile(r"(authorization\s*[:=]\s*['\"]?)?\bbasic\s+([\w+/]{6,}={0,2})", re.IGNORECASE)
_IS = r"['\"]?\s*(?::=|=>|[:=]|\bis\b:?|\bwas\b)\s*['\"]?"  # between a name and its value
_NAMED = re.compile(
    r"(?<![a-z])(?:(?:api|access|secret|private|auth|encryption|signing|client|storage|license)[ _-]?keys?"
    r"|apikey|pass(?:word|wd|phrase|code)|pwd|(?:client[ _-]?|shared[ _-]?)?secret"
    r"|(?:access|auth|refresh|session|bearer|api|id)[ _-]?token|cv[cv]2?|security code|pin(?: code| number)?)"
    r"(?: id| provided| given)?" + _IS + r"([^\s'\",;}&]{3,})",
    re.IGNORECASE,
)
_BARE = re.compile(r"(\w+)?[ _-]?\b(?:key|token)(?: provided)?" + _IS + r"([^\s'\",;}&]{6,})", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){13,18}(?![\d-])")
_CARD_START = re.compile(r"3[04-9]\d{12,13}$|4\d{15}(?:\d{3})?$|5[1-5]\d{14}$|2[2-7]\d{14}$|6\d{15,18}$")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,40}", re.IGNORECASE)
_IBAN_SIZES = range(15, 35)
_KINDS_OF_KEY = """primary foreign sort partition unique cache composite natural row hash map"""
# What follows "password:" or "the token is" in ordinary sentences. The value of a secret is none of these.
_ORDINARY = """a an the not no none null too must may can should will would required optional wrong incorrect
invalid correct expired missing empty unknown set unset given needed used stored kept hidden encrypted hashed
reset changed forgotten lost valid safe secret secrets sent shown asked for in on at of to from by your my our
their his her its this that what which where why how only always never still already also and or but it he she
they we you text string varchar integer true false named called here there being been weak strong"""
_ORDINARY_WORDS, _KINDS = frozenset(_ORDINARY.split()), frozenset(_KINDS_OF_KEY.split())


@dataclass(frozen=True, slots=True)
class Secret:
    """Where one stands in a text (`end` exclusive), and what it is, for people."""

    kind: str
    start: int
    end: int


def found(text: str) -> tuple[Secret, ...]:
    """All that look like one, in order; none overlaps another."""
    every = [Secret(kind, *span) for kind, find in _FINDERS for span in find(text)]
    kept: list[Secret] = []
    for secret in sorted(every, key=lambda secret: (secret.start, -secret.end)):
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
    return tuple(kept)


def without(text: str) -> str:
    """The text, with `HIDDEN` in the place of each secret."""
    parts, at = [], 0
    for secret in found(text):
        parts += [text[at : secret.start], HIDDEN]
        at = secret.end
    return "".join([*parts, text[at:]])


def _whole(pattern: re.Pattern[str], check: Callable[[str], bool] = bool) -> Callable[[str], Iterator[Span]]:
    def find(text: str) -> Iterator[Span]:
        return (match.span() for match in pattern.finditer(text) if check(match[0]))

    return find


def _value(pattern: re.Pattern[str], check: Callable[[str], bool] = bool) -> Callable[[str], Iterator[Span]]:
    def find(text: str) -> Iterator[Span]:
        return (match.span(1) for match in pattern.finditer(text) if check(match[1]))

    return find


def _scheme(pattern: re.Pattern[str], check: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    """Of an Authorization header anything is one; elsewhere the word may be an ordinary one."""

    def find(text: str) -> Iterator[Span]:
        return (match.span(2) for match in pattern.finditer(text) if match[1] or check(match[2]))

    return find


def _bare(text: str) -> Iterator[Span]:
    for match in _BARE.finditer(text):
        if (match[1] or "").casefold() not in _KINDS and _random(match[2]):
            yield match.span(2)


def _random(value: str) -> bool:
    """Letters and digits mixed, or capitals amid small letters, as no word of a language has them."""
    digits, letters = sum(c.isdigit() for c in value), sum(c.isalpha() for c in value)
    mixed = sum(a.islower() and b.isupper() for a, b in pairwise(value))
    return len(value) >= 8 and ((digits >= 2 and letters >= 2) or mixed >= 2)


def _not_ordinary(value: str) -> bool:
    return (
        value.strip(".,:;!?()[]<>").casefold() not in _ORDINARY and value != HIDDEN and value[0] not in "<[{("
    )


def _credentials(value: str) -> bool:
    """Base64 of name:password, which is what Basic means."""
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    odd, even = digits[-1::-2], digits[-2::-2]
    total = sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)
    return bool(_CARD_START.match(digits)) and total % 10 == 0


def _ibans(text: str) -> Iterator[Span]:
    """The longest run, from the country on, whose remainder by 97 is 1: words may follow it."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start(), -1):
            run = re.sub(r"[ -]", "", text[match.start() : end]).upper()
            whole = end == len(text) or not text[end].isalnum()
            if (
                whole
                and len(run) in _IBAN_SIZES
                and int("".join(_digit(c) for c in run[4:] + run[:4])) % 97 == 1
            ):
                yield match.start(), end
                break


def _digit(letter: str) -> str:
    return str(int(letter, 36))


_FINDERS: tuple[tuple[str, Callable[[str], Iterator[Span]]], ...] = (
    ("a private key", _whole(_PRIVATE)),
    ("a name and password in an address", _whole(_IN_ADDRESS)),
    ("a key in an address", _value(_IN_QUERY)),
    ("an API key", _whole(_VENDOR)),
    ("an API key", _whole(_SHORT_PREFIX, _random)),
    ("a bearer token", _scheme(_BEARER, _random)),
    ("a name and password", _scheme(_BASIC, _credentials)),
    ("a password, key or token", _value(_NAMED, _not_ordinary)),
    ("a key or token", _bare),
    ("a card number", _whole(_CARD, _card)),
    ("an account number (IBAN)", _ibans),
)
