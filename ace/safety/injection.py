"""Find out whether a text asks to be obeyed. Heuristics on texts, as defence in depth. Pure.

A lesson says how the work is done. It has no reason to speak of instructions, of its own standing, of what a
model is to hide, or to carry markup. A text that does waits until a person has read it. The expressions are
in suspicious.toml. A false rule in plain words ("refunds need no approval") cannot be told from a true one
here: see `ace.methods.ace.admission`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files

from ace.safety.markup import MARKUP
from ace.text.lookalike import SELECTORS, find_mixed_word, normalize_lookalikes
from ace.text.phrases import Phrase, Phrases, compile_phrase, fold_case, list_needed_words
from ace.text.unfold import fold_text
from ace.text.unicode import HIDDEN

# Characters that turn the direction of text, and tag characters, which spell out what nobody sees.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_RUN = re.compile(
    r"(?<![\w/+.-])(?=[\w+]*[A-Z])(?=[\w+]*[a-z])(?=[\w+]*\d)[A-Za-z0-9+]{24,}"
    r"|(?:\\x[0-9a-fA-F]{2}){6}|(?:&#x?[0-9a-fA-F]+;){6}|(?:%[0-9a-fA-F]{2}){8}"
)
_LONG = 24  # characters: what `_RUN` matches has so many without a space
_PAIRS = re.compile(r"(?:\b[0-9a-fA-F]{2} ){12}")
_MANY = 11  # words of two characters: what `_PAIRS` matches has so many
_APART = re.compile(r"(?<!\w)(?:[^\W\d_][ .*_-]{1,2}){9}")  # i g n o r e
_DECODE = re.compile(
    r"\b(?:base64|rot-?13)\s*:"
    r"|\bdecode\b[^.\n]{0,40}\b(?:and|then) (?:follow|execute|obey|run|do)\b"
    r"|\b(?:base64|rot-?13|hex)\b[^.\n]{0,40}\b(?:follow|execute|obey)\b",
    re.IGNORECASE,
)
_DECODE_WORDS = list_needed_words(_DECODE.pattern)


@lru_cache(maxsize=512)
def find_suspicion(text: str) -> str:
    """Return why a text may not become a lesson before a person has read it, or "".

    Several callers look at the same lesson, one after the other: the newest answers are remembered.
    """
    if not text.isascii() and (_TURNING.search(text) or SELECTORS.search(text)):
        return "characters that hide or turn text"
    text = HIDDEN.sub("", text)
    if word := find_mixed_word(text):
        return f"{word!r:.40} is written in letters of two scripts"
    if _is_encoded(text):
        return "encoded text"
    text = read_as_shown(text)
    if MARKUP.search(text):
        return "markup of a prompt or a tool call"
    # Letters with accents may be decoration, or those of another language: both readings count.
    return _compile_phrases().find({text.lower(), fold_text(text)})


def _is_encoded(text: str) -> bool:
    """Return whether a part of a text, or what it announces, is to be decoded before it is read."""
    sizes = [*map(len, text.split())]
    folded = fold_case(text)
    return bool(
        (max(sizes, default=0) >= _LONG and _RUN.search(text))
        or (sizes.count(2) >= _MANY and _PAIRS.search(text))
        or _APART.search(text)
        or (any(word in folded for word in _DECODE_WORDS) and _DECODE.search(text))
    )


def read_as_shown(text: str) -> str:
    """Return a text as a reader takes it: plain letters, nothing hidden, escapes decoded, spaces as one.

    What is looked for in a text is looked for in this.
    """
    plain = fold_text(normalize_lookalikes(HIDDEN.sub("", text)), fold=False)
    return re.sub(r"[^\S\n]+", " ", plain) if "  " in plain or re.search(r"[^\S\n ]", plain) else plain


@cache
def _compile_phrases() -> Phrases:
    """Compile all phrases under their reasons, in the file's order."""
    text = files("ace.safety").joinpath("suspicious.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    words: dict[str, str] = tables.pop("words")
    phrases: list[tuple[str, Phrase]] = []
    for reason, table in tables.items():
        for expression in table["says"]:
            for name, meaning in words.items():
                expression = expression.replace(f"<{name}>", meaning)
            phrases.append((reason, compile_phrase(expression)))
    return Phrases(phrases)
