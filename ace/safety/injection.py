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
_LEAST_WORDS = 3  # "debug_mode" is a name as there are many, "you.are.now" is none
# Words that a sign or a capital parts: ignore.all_previous-rules, ignoreAllPrevious.
_JOINED = re.compile(
    r"(?<=[^\W_])(?:[._~*+/|\\=:,;\u00b7\u2022\u2013\u2014-]{1,3}| [._~*+|\u00b7\u2022]{1,3} )(?=[^\W_])"
    r"|(?<=[a-z])(?=[A-Z])"
)
_DISGUISED = re.compile(
    r"(?<!\w)(?=[a-z]{0,20}[0-9@$!|])(?=[0-9@$!|]{0,20}[a-z])[a-z0-9@$!|]{1,19}[a-z0-9@$](?!\w)"
)
_STAND_INS = str.maketrans("abegilost@$!|6", "48391105745119")
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
    plain = {text.lower(), fold_text(text)}
    parted = {_part_words(text), _part_words(text.lower())} - plain
    return _compile_phrases().find(plain) or _compile_phrases(parted=True).find(parted, _LEAST_WORDS)


def _part_words(text: str) -> str:
    """Return a text with spaces where signs or capitals part words, and letters for digits in words.

    A word with digits is read as a word of the phrases, or as it is: "1gn0re" is "ignore", "v12" is "v12".
    """
    words = _JOINED.sub(" ", text).lower()
    known = _list_disguises()
    return _DISGUISED.sub(lambda word: known.get(word[0].translate(_STAND_INS), word[0]), words)


@cache
def _list_disguises() -> dict[str, str]:
    """Return the words of the phrases, by how they read when all letters that can be signs are signs."""
    words = set(re.findall(r"[a-z]{2,20}", re.sub(r"\\.", " ", _read_phrases())))
    return {word.translate(_STAND_INS): word for word in sorted(words)}


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
def _read_phrases() -> str:
    """Return `suspicious.toml` as it is written, read once."""
    return files("ace.safety").joinpath("suspicious.toml").read_text("utf-8")


@cache
def _compile_phrases(*, parted: bool = False) -> Phrases:
    """Compile all phrases under their reasons, in the file's order: or those for words that signs part."""
    tables = tomllib.loads(_read_phrases())
    words: dict[str, str] = tables.pop("words")
    phrases: list[tuple[str, Phrase]] = []
    for reason, table in tables.items():
        if parted and table.get("in_names"):
            continue
        for expression in table["says"]:
            for name, meaning in words.items():
                expression = expression.replace(f"<{name}>", meaning)
            phrases.append((reason, compile_phrase(expression)))
    return Phrases(phrases)
