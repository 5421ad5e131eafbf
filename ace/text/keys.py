"""Keys and terms: when two texts say the same words, and which words say what a text is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from ace.text.splitting import UNSPACED, split_words
from ace.text.stems import stem_word
from ace.text.word_lists import stop_words

_WORD = re.compile(r"'[^']*'|(?<![\w.])[\w.]*\w|[^\s\w.,:;'\"]+")
_JOINED_FIGURES = re.compile(r"(?<!\d)\d++(?:[-/.:,]\d++)+")
_TEXTS = 32_768  # whose terms are kept
_UNSPACED_RUN = re.compile(f"{UNSPACED}+")


def word_key(content: str) -> tuple[str, ...]:
    """Return a key that is equal for contents with the same words: sorted, lower case except in quotes.

    Only this safest likeness counts: "queue R7" and "queue R9", "use" and "do not use" stay apart.
    """
    words = []
    for word in _WORD.findall(content):
        words.append(word if word.startswith("'") else word.lower())
    return tuple(sorted(words))


@lru_cache(maxsize=_TEXTS)
def find_terms(text: str) -> frozenset[str]:
    """Return the stems of the words that say what a text is about, in any language.

    They are kept: a text is compared with many others.
    In scripts that are written without spaces a term is two characters side by side. A date is one term,
    and so is any other figure with signs inside.
    """
    terms: set[str] = set()
    text = _JOINED_FIGURES.sub(lambda figure: "".join(filter(str.isdecimal, figure[0])), text)
    for run in _UNSPACED_RUN.findall(text):
        pairs = [run[place : place + 2] for place in range(len(run) - 1)]
        terms.update(pairs or [run])
    small_words = stop_words()
    for word in split_words(_UNSPACED_RUN.sub(" ", text)):
        if word not in small_words:
            terms.add(stem_word(word))
    return frozenset(terms)


def weigh_shared_terms(text: str, others: Mapping[str, str]) -> dict[str, float]:
    """Return by name how much each of the other texts shares with a text; 0 for nothing.

    A term counts for more the fewer of them have it.
    """
    terms = find_terms(text)
    shared = {name: terms & find_terms(other) for name, other in others.items()}
    counts: Counter[str] = Counter()
    for own_terms in shared.values():
        counts.update(own_terms)
    weights: dict[str, float] = {}
    for name, own_terms in shared.items():
        # Sorted, so that the order of a sum never depends on that of a set.
        weights[name] = sum(1 / counts[term] for term in sorted(own_terms))
    return weights
