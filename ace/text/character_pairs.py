"""Search terms for scripts that put no spaces between words: Chinese, Japanese, Thai and others; Korean too.

A tokenizer that splits at spaces takes a whole sentence of them for one word. So each character and each pair
of neighbours is a term of its own. They are written in ASCII, as "9000g8d27q": tokenizers split Thai at its
vowel signs, and a stemmer leaves what ends in q as it is.
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
_WORD = re.compile(r"\w+")


def list_query_terms(text: str) -> list[str]:
    """Return what to search for: words in lower case, then the pairs of unspaced runs, each once.

    A run of one character is a term by itself.
    """
    plain = _normalize(text)
    terms = [word.casefold() for word in _WORD.findall(_RUN.sub(" ", plain))]
    for run in _RUN.findall(plain):
        terms += _spell_pairs(run) or [_spell(run)]
    return list(dict.fromkeys(terms))


def list_index_terms(text: str) -> list[str]:
    """Return the terms that a tokenizer would not find in a text; none for a text whose words have spaces.

    They are the characters and the pairs of unspaced runs, the words that touch such a run, and words in
    other forms of their letters, such as full-width ones.
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
    return terms


def _normalize(text: str) -> str:
    """Return a text with one form of each character, such as full-width letters in half."""
    return unicodedata.normalize("NFKC", text)


def _spell_pairs(run: str) -> list[str]:
    """Return a term for each character of a run with the next one."""
    return [_spell(run[place : place + 2]) for place in range(len(run) - 1)]


def _spell(characters: str) -> str:
    """Write characters as one word of ASCII."""
    return "g".join(f"{ord(character):x}" for character in characters) + "q"
