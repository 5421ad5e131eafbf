"""Search terms that a tokenizer for European words does not find: pairs of characters, plain letters, signs.

Chinese, Japanese, Thai and others put no spaces between words; Korean attaches particles to them.

A tokenizer that splits at spaces takes a whole sentence of them for one word. So each character and each pair
of neighbours is a term of its own. They are written in ASCII, as "9000g8d27q": tokenizers split Thai at its
vowel signs, and a stemmer leaves what ends in q as it is. Signs such as arrows and emoji are written so, too.

Words with letters that a tokenizer takes as they are have a plain form: without points and accents, "ss" for
one letter, an Alef without its Hamza, and without what Arabic and Hebrew write in front of a word.
"""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Tibetan, Burmese, Khmer
    "\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # Japanese syllables and marks
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7ff"  # Korean: words have spaces, but particles are attached to them
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_RUN = re.compile(f"[{_UNSPACED}]+")
# Marks of Latin, Greek and Cyrillic, Hebrew points, Arabic vowels: part of a word, and not of its plain form.
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
_WORD = re.compile(rf"\w[\w{_MARKS}]*")
_MARK = re.compile(f"[{_MARKS}\u0640]")
_PLAIN = str.maketrans(
    {"\u0131": "i", "\u00f8": "o", "\u0111": "d", "\u0142": "l", "\u00e6": "ae", "\u0153": "oe"}
    | {"\u0629": "\u0647", "\u0649": "\u064a", "\u0671": "\u0627", "\u03c2": "\u03c3"}
)
# The article of Arabic, also behind "and" and "by"; the letters that Hebrew puts in front.
_PREFIX = re.compile(
    "(?:[\u0648\u0628]?\u0627\u0644|\u0644\u0644)(?=\\w{3})|[\u05d5\u05d4\u05d1\u05dc\u05de\u05e9\u05db](?=\\w{3})"
)
_SIGN = re.compile(r"[^\w\s\x00-\x7f]")
_SIGN_KINDS = ("So", "Sc", "Sm")


def list_query_terms(text: str) -> list[str]:
    """Return what to search for: words in lower case and in plain letters, then pairs and signs, each once.

    A run of one character is a term by itself.
    """
    plain = _normalize(text)
    terms: list[str] = []
    for word in _WORD.findall(_RUN.sub(" ", plain)):
        terms += [word.casefold(), *_list_plain_forms(word)]
    for run in _RUN.findall(plain):
        terms += _spell_pairs(run) or [_spell(run)]
    return list(dict.fromkeys([*terms, *_spell_signs(plain)]))


def list_index_terms(text: str) -> list[str]:
    """Return the terms that a tokenizer would not find in a text; none for plain English.

    They are the characters and the pairs of unspaced runs, the words that touch such a run, signs, and words
    in other forms of their letters, such as full-width or plain ones.
    """
    terms: list[str] = []
    plain = _normalize(text)
    if plain != text:
        written = set(_WORD.findall(text))
        terms += [word for word in _WORD.findall(plain) if word not in written and not _RUN.search(word)]
    for run in _RUN.findall(plain):
        terms += map(_spell, run)
        terms += _spell_pairs(run)
    for word in _WORD.findall(plain):
        if _RUN.search(word):
            terms += _WORD.findall(_RUN.sub(" ", word))
        elif not word.isascii():
            terms += _list_plain_forms(word)
    return terms + _spell_signs(plain)


def _normalize(text: str) -> str:
    """Return a text with one form of each character, such as full-width letters in half."""
    return unicodedata.normalize("NFKC", text)


def _list_plain_forms(word: str) -> list[str]:
    """Return a word in plain letters, and without a prefix; not what the tokenizer makes of it anyway."""
    marked = unicodedata.normalize("NFKD", word.lower())
    plain = _MARK.sub("", marked)
    form = _MARK.sub("", unicodedata.normalize("NFKD", word.casefold())).translate(_PLAIN)
    short = _PREFIX.sub("", form, count=1) if _PREFIX.match(form) else form
    forms = [form] if short == form else [form, short]
    return [] if plain.isascii() and form == plain else forms


def _spell_signs(text: str) -> list[str]:
    """Return a term for each sign that is no letter, digit or punctuation, of those beyond ASCII."""
    return [_spell(sign) for sign in _SIGN.findall(text) if unicodedata.category(sign) in _SIGN_KINDS]


def _spell_pairs(run: str) -> list[str]:
    """Return a term for each character of a run with the next one."""
    return [_spell(run[place : place + 2]) for place in range(len(run) - 1)]


def _spell(characters: str) -> str:
    """Write characters as one word of ASCII; both kinds of Japanese syllables alike."""
    codes = [ord(character) for character in characters]
    return "g".join(f"{code - 0x60 if 0x30A1 <= code <= 0x30F6 else code:x}" for code in codes) + "q"
