"""Stems: one form for the forms of a word, so that "deliveries" is found in "delivery".

Stems are those of Snowball (Porter 2 for English, https://snowballstem.org), which has some thirty languages.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from threading import Lock
from typing import Any

from ace.errors import InputError
from ace.text.word_lists import irregular_forms

_PLURAL = re.compile(r"(?<=[^aeiou])ies$|(?<=x)es$|(?<=zz)es$|(?<=sh|ch|ss)es$|s$")
_KEEPS_S = ("ss", "us", "is")
_LOCK = Lock()  # a stemmer keeps the word that it is at


@lru_cache(maxsize=65_536)
def stem_word(word: str, language: str = "english", *, prefix: int = 0) -> str:
    """Return the stem of a word, lower case; irregular forms ("kept") get the stem of their base form.

    `prefix` cuts the word to that many letters instead, whatever its language: coarser, for rules that must
    hold for a text in any language. A word with a digit or a sign in it is never cut.
    Raises InputError for a language without a stemmer.
    """
    word = word.lower()
    if prefix:
        return word[:prefix] if word.isalpha() else word
    base, stemmer = irregular_forms(language).get(word, word), _load_stemmer(language)
    if language == "english" and base[-1:].isdecimal() and "'" not in base:
        return base  # codes and numbers, of which there is no end: English forms are endings in letters
    with _LOCK:
        return str(stemmer.stemWord(base))


def singularize(word: str) -> str:
    """Return an English word without the ending of a regular plural.

    Weaker than a stem on purpose: as names of things, "walking" and "walk" must not become one.
    """
    if len(word) < 4 or word.endswith(_KEEPS_S):
        return word
    return _PLURAL.sub(lambda ending: "y" if ending[0] == "ies" else "", word)


@cache
def _load_stemmer(language: str) -> Any:
    """Return Snowball's stemmer of a language, one for all threads. Raises InputError where there is none."""
    from snowballstemmer import algorithms, stemmer

    if language not in algorithms():
        hint = f"Use one of {', '.join(algorithms())}."
        raise InputError(f"No stemmer for {language!r:.40}.", hint=hint)
    return stemmer(language)
