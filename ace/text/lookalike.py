"""Fold characters that look alike, to read a text as a person or a model would. Pure.

Full-width forms, angle brackets of other scripts, letters of other alphabets that look like Latin ones, and
characters that nobody sees are ways to write "<|im_start|>" or "ignore" so that a plain comparison misses it.
The table holds what has been used for that; it is no full list of the confusables of Unicode (UTS 39).
"""

from __future__ import annotations

import re
import unicodedata

# Unseen characters besides those of `ace.text.unicode.HIDDEN`: joiners, fillers, and variation selectors.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u200c\u200d\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
# Several variation selectors in a row spell out bytes; one alone chooses how a character is drawn.
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_LOOK_LIKE = {
    "<": "\u2039\u27e8\u3008\u2329\ufe64\u276c\u276e\u2770\u02c2\u1438\u227a\u29fc\uff1c",
    ">": "\u203a\u27e9\u3009\u232a\ufe65\u276d\u276f\u2771\u02c3\u1433\u227b\u29fd\uff1e",
    "|": "\uff5c\u2223\u2502\u01c0\u2758\u00a6\u23ae\u05c0\u2503\uffe8",
    "[": "\uff3b\u3010\u27e6\u2045\u3014",
    "]": "\uff3d\u3011\u27e7\u2046\u3015",
    "_": "\u2581\uff3f",
}
_SIGNS = str.maketrans({sign: plain for plain, signs in _LOOK_LIKE.items() for sign in signs})
# Cyrillic and Greek small letters, then capitals, then small capitals, that look like Latin ones.
_LETTERS = str.maketrans(
    "\u0430\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u0455\u051d\u0445\u0443"
    "\u03b1\u03b5\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4"
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u0423"
    "\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396"
    "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
    "acdehijlopswxyaeopvikt" + "ABCEHIJKMOPSTXYABEHIKMNOPTXYZ" + "abcdefghijklmnoprstuvwyz",
)
_WORD = re.compile(r"[^\W\d_]+")


def build_skeleton(text: str) -> tuple[str, list[int]]:
    """Return the text in plain signs without unseen characters, and the place of each character in `text`.

    Letters keep their script. One character stays one, so that places can be mapped back.
    """
    places = [place for place, character in enumerate(text) if not UNSEEN.match(character)]
    characters: list[str] = []
    for place in places:
        character = text[place].translate(_SIGNS)
        if "\uff01" <= character <= "\uff5e":  # a full-width form of an ASCII character
            character = chr(ord(character) - 0xFEE0)
        characters.append(character)
    return "".join(characters), places


def normalize_lookalikes(text: str) -> str:
    """Return the text in plain signs and, in words that mix scripts, Latin letters: to look for words in."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", UNSEEN.sub("", text).translate(_SIGNS))
    return _WORD.sub(lambda word: word[0].translate(_LETTERS) if is_disguised(word[0]) else word[0], text)


def is_disguised(word: str) -> bool:
    """Return whether all letters of a word are Latin or look so, and some only look so.

    A Russian word is not disguised: it has letters that look like no Latin one, as a rule.
    """
    if word.isascii():
        return False
    latin = word.translate(_LETTERS)
    return latin != word and latin.isascii()


def find_mixed_word(text: str) -> str:
    """Return the first word in letters of two scripts that is to be read as a Latin one, or ""."""
    if text.isascii():
        return ""
    for word in _WORD.findall(UNSEEN.sub("", text)):
        if is_disguised(word) and any(letter.isascii() for letter in word):
            return str(word)
    return ""
