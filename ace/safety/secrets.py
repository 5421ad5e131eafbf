"""Find what looks like a secret in a text, in whatever form it is written, and hide it. Pure.

Secrets are found by form (see `ace.safety.secret_forms`): in the text as it is, and behind escapes, base64,
hexadecimal digits and spaces between letters. A word that merely stands near "key" or "basic" is none. A
secret without a form, as a password in the middle of a sentence, cannot be found this way. Knows nothing
about where texts come from. All takes time proportional to the length of the text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from ace.safety.secret_forms import SECRET_MARK, find_by_form, looks_random
from ace.text.unfold import UNSEEN, list_base64, unfold

__all__ = ["SECRET_MARK", "Secret", "find_secrets", "hide_secrets", "hide_values"]

_PAIRS = r"(?:[0-9a-fA-F]{2}[ :]?){12,}"
_ENCODED = re.compile(rf"(?<![\w+/=-])(?:[A-Za-z0-9+/_-]{{16,}}={{0,2}}|{_PAIRS})")
_APART = re.compile(rf"(?<![\w+/=-]){_PAIRS}")
_LONG = 16  # characters without a space: from so many on a word can be base64
_MANY = 10  # words of one character: what `_SPACED` matches has so many
_SPACED = re.compile(r"(?<!\S)\S(?:[ \t\u00a0]\S){9,}(?!\S)")
_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}|\\[ux][0-9a-fA-F]{2}|&#?\w{2,8};")
_SHORT = 200  # characters
_GRAM = 8  # characters: of a known secret, so many in a row show it; of a random one
_RANDOM_GRAM = 6  # characters
_DEPTH = 2  # encodings inside another
# What was found in the newest long texts, by SHA-256: a reply comes to a call, an answer and an episode.
_RECENT: deque[tuple[bytes, tuple[Secret, ...]]] = deque(maxlen=32)


@dataclass(frozen=True, slots=True)
class Secret:
    """Hold where a secret stands in a text, and what it is."""

    kind: str
    """What it is, for people."""

    start: int
    """Its first character."""

    end: int
    """The character behind its last one."""


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return whatever looks like a secret, in order, without overlaps: what overlaps is one.

    What is found need not be one: who hides it loses little. Positions are those of characters.
    """
    if len(text) <= _SHORT:
        return _find_in_short(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    secrets = next((found for known, found in tuple(_RECENT) if known == digest), None)
    if secrets is None:
        secrets = _join(_find(text, _DEPTH))
        _RECENT.append((digest, secrets))
    return secrets


# Names and words of records come again and again: the newest answers for short texts are remembered.
_find_in_short = lru_cache(maxsize=4096)(lambda text: _join(_find(text, _DEPTH)))


def hide_secrets(text: str) -> str:
    """Return the text with `SECRET_MARK` in the place of each secret; without one it is returned as it is."""
    secrets = find_secrets(text)
    return _replace(text, secrets) if secrets else text


def hide_values(text: str, values: Iterable[str]) -> str:
    """Return the text without these values, as they are, in base64, escaped, spaced, or in part.

    A part of six to eight characters counts, so nothing is left where a value was cut.
    """
    view = unfold(text)
    places = [place for place, character in enumerate(view.text) if not character.isspace()]
    squeezed = "".join(view.text[place] for place in places)
    secrets: list[Secret] = []
    for value in values:
        forms = {value, *list_base64(value), value.encode().hex()}
        for form in forms:
            folded = "".join(form.lower().split())
            size = min(len(folded), _RANDOM_GRAM if looks_random(value) else _GRAM)
            for first in range(len(folded) - size + 1):
                gram = folded[first : first + size]
                start = squeezed.find(gram)
                while start >= 0:
                    span = view.locate(places[start], places[start + size - 1] + 1)
                    secrets.append(Secret("a known secret", *span))
                    start = squeezed.find(gram, start + size)
    return _replace(text, _join(secrets))


def _find(text: str, depth: int) -> Iterator[Secret]:
    """Yield secrets in the text, and in what it holds in other forms."""
    for kind, start, end in find_by_form(text):
        yield Secret(kind, start, end)
    if not depth:
        return
    is_plain = text.isascii() or (unicodedata.is_normalized("NFKC", text) and not UNSEEN.search(text))
    has_escapes = ("%" in text or "\\" in text or "&" in text) and _ESCAPED.search(text)
    if not is_plain or has_escapes:
        view = unfold(text, fold=False)
        for secret in _find(view.text, 0):
            yield Secret(secret.kind, *view.locate(secret.start, secret.end))
    sizes = [*map(len, text.split())]
    for match in (_ENCODED if max(sizes, default=0) >= _LONG else _APART).finditer(text):
        decoded = _decode(match[0])
        if decoded and any(_find(decoded, depth - 1)):
            yield Secret("an encoded secret", *match.span())
    for match in _SPACED.finditer(text) if sizes.count(1) >= _MANY else ():
        if any(_find(re.sub(r"\s", "", match[0]), 0)):
            yield Secret("a secret in spaced letters", *match.span())


def _decode(encoded: str) -> str:
    """Return the printable text that base64 or hexadecimal digits stand for, or ""."""
    digits = re.sub(r"[ :]", "", encoded)
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        letters = encoded.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            data = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
        except (binascii.Error, ValueError):
            return ""
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return decoded if all(c.isprintable() or c.isspace() for c in decoded) else ""


def _join(secrets: Iterable[Secret]) -> tuple[Secret, ...]:
    """Return secrets in order, those that overlap as one."""
    joined: list[Secret] = []
    for secret in sorted(secrets, key=lambda secret: (secret.start, -secret.end)):
        if secret.start >= secret.end:
            continue
        if joined and secret.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = Secret(last.kind, last.start, max(last.end, secret.end))
        else:
            joined.append(secret)
    return tuple(joined)


def _replace(text: str, secrets: Iterable[Secret]) -> str:
    """Return the text with a mark in the place of each secret; they are in order and apart."""
    parts: list[str] = []
    position = 0
    for secret in secrets:
        parts += [text[position : secret.start], SECRET_MARK]
        position = secret.end
    return "".join([*parts, text[position:]])
