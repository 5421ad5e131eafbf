"""Tell a text in Windows-1252 from one in another encoding that was only read so.

Nearly all bytes are something in Windows-1252, so a Russian or Arabic table can be read in it, as nonsense.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise

_FOREIGN: Mapping[str, tuple[str, ...]] = {
    "cp1251": ("CYRILLIC",),
    "koi8-r": ("CYRILLIC",),
    "cp1256": ("ARABIC",),
    "cp1255": ("HEBREW",),
    "cp1253": ("GREEK",),
    "cp874": ("THAI",),
    "cp932": ("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH"),
    "gb18030": ("CJK", "FULLWIDTH"),
    "big5": ("CJK", "FULLWIDTH"),
    "cp949": ("HANGUL", "CJK", "FULLWIDTH"),
    "mac_roman": ("LATIN",),
    "cp850": ("LATIN",),
}
"""Encodings of files from other countries and programs, and how the names of their letters begin."""

_FEW = 3  # odd words that may be chance
_MOSTLY = 0.7  # share of such characters in a word that no western language has
_SCRIPT = 0.9  # share of letters beyond ASCII that are of the encoding's own script
_STRANGE = frozenset({"Cc", "Cf", "Cn", "Co", "Sk", "Sm", "So"})  # categories of Unicode that words lack
_FEW_STRANGE = 20  # letters to a strange sign, at least
_LONGEST_CHARACTER = 4  # bytes
_SHOWN = 24  # characters of an example
_SEPARATORS = re.compile(r"[\s,;|\"]+")
_QUOTES_AND_SIGNS = re.compile(r"[«»\u2013-\u201e\u2022\u2026\u2039\u203a\u2122€£¥§°©®·¿¡\u00a0]")
_VOWEL_FIRST = re.compile(r"(?:^|[\s,;])[\u0591-\u05c7\u064b-\u0652\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]")
# A capital, or a sign that is no apostrophe, between two small letters: "grš§e" is "größe" of a Mac.
_INNER_SIGN = re.compile(r"[a-z](?:[ŠŒŽŸÀ-ÖØ-Þ]|[^\x00-\x7f\w\s\u2013-\u2019\u2026\u00b4\u00b7])[a-zà-ÿ]")


def find_odd_word(text: str) -> str:
    """Return a word that shows that a text is not in Windows-1252, though it was read so; "" for none."""
    words = _list_words(text)
    odd: list[str] = []
    long = 0
    for word in words:
        bare = _QUOTES_AND_SIGNS.sub("", word)
        letters = sum(sign > "\x7f" or sign.isalpha() for sign in bare)
        beyond = sum(sign > "\x7f" for sign in bare)
        long += letters >= _FEW
        if beyond >= _FEW and beyond >= _MOSTLY * letters:
            odd.append(word)
    if len(odd) >= _FEW and 2 * len(odd) >= long:
        return odd[0][:_SHOWN]
    broken = [word for word in words if _INNER_SIGN.search(word)]
    return broken[0][:_SHOWN] if len(broken) >= _FEW else ""


def read_in_others(data: bytes) -> dict[str, str]:
    """Return the encodings in which bytes make sense, each with the first word beyond ASCII that they read.

    A character that is cut at the end does not count.
    """
    readings: dict[str, str] = {}
    for encoding, scripts in _FOREIGN.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(data) - _LONGEST_CHARACTER:
                continue
            text = data[: error.start].decode(encoding)
        words = _list_words(text)
        if words and _makes_sense(text, scripts):
            readings[encoding] = words[0][:_SHOWN]
    return readings


def _list_words(text: str) -> list[str]:
    """Return the words of a text that are not all ASCII, in their order."""
    return [word for word in _SEPARATORS.split(text) if not word.isascii()]


def _makes_sense(text: str, scripts: tuple[str, ...]) -> bool:
    """Return whether a text is of these scripts: no signs of programs, no vowel signs before their letters,
    and capitals where words begin.
    """
    beyond = [sign for sign in text if sign > "\x7f"]
    letters = [sign for sign in beyond if sign.isalpha()]
    own = sum(unicodedata.name(sign, "").startswith(scripts) for sign in letters)
    if not letters or own < _SCRIPT * len(letters):
        return False
    strange = sum(unicodedata.category(sign) in _STRANGE for sign in beyond)
    strange += len(_INNER_SIGN.findall(text)) + len(_VOWEL_FIRST.findall(text))
    strange += sum(a.islower() and b.isupper() for a, b in pairwise(text))
    return strange * _FEW_STRANGE < len(letters)
