"""Find out whether a text asks to be obeyed. Heuristics on texts, as defence in depth. Pure.

A lesson says how the work is done. It has no reason to speak of instructions, of its own standing, of what a
model is to hide, or to carry markup. A text that does waits until a person has read it. The expressions are
in suspicious.toml. A false rule in plain words ("refunds need no approval") cannot be told from a true one
here: see `ace.methods.ace.admission`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from ace.safety.markup import MARKUP
from ace.text.lookalike import SELECTORS, find_mixed_word, normalize_lookalikes
from ace.text.phrases import Phrase, compile_phrase
from ace.text.unfold import fold_text, unfold
from ace.text.unicode import HIDDEN

# Characters that turn the direction of text, and tag characters, which spell out what nobody sees.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_ENCODED = re.compile(
    r"(?<![\w/+.-])(?=[\w+]*[A-Z])(?=[\w+]*[a-z])(?=[\w+]*\d)[A-Za-z0-9+]{24,}"
    r"|(?<!\w)(?:[^\W\d_][ .*_-]{1,2}){9}"  # i g n o r e
    r"|(?:\\x[0-9a-fA-F]{2}){6}|(?:\b[0-9a-fA-F]{2} ){12}|(?:&#x?[0-9a-fA-F]+;){6}|(?:%[0-9a-fA-F]{2}){8}"
    r"|(?i:\b(?:base64|rot-?13)\s*:)"
    r"|(?i:\bdecode\b[^.\n]{0,40}\b(?:and|then) (?:follow|execute|obey|run|do)\b)"
    r"|(?i:\b(?:base64|rot-?13|hex)\b[^.\n]{0,40}\b(?:follow|execute|obey)\b)"
)


def find_suspicion(text: str) -> str:
    """Return why a text may not become a lesson before a person has read it, or ""."""
    if _TURNING.search(text) or SELECTORS.search(text):
        return "characters that hide or turn text"
    text = HIDDEN.sub("", text)
    if word := find_mixed_word(text):
        return f"{word!r:.40} is written in letters of two scripts"
    if _ENCODED.search(text):
        return "encoded text"
    text = read_as_shown(text)
    if MARKUP.search(text):
        return "markup of a prompt or a tool call"
    # Letters with accents may be decoration, or those of another language: both readings count.
    readings = {text.lower(), fold_text(text)}
    for reason, phrases in _compile_phrases().items():
        if any(phrase.search(reading) for phrase in phrases for reading in readings):
            return reason
    return ""


def read_as_shown(text: str) -> str:
    """Return a text as a reader takes it: plain letters, nothing hidden, escapes decoded, spaces as one.

    What is looked for in a text is looked for in this.
    """
    plain = unfold(normalize_lookalikes(HIDDEN.sub("", text)), fold=False).text
    return re.sub(r"[^\S\n]+", " ", plain)


@cache
def _compile_phrases() -> dict[str, tuple[Phrase, ...]]:
    """Map each reason to its phrases, in the file's order."""
    text = files("ace.safety").joinpath("suspicious.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    words: dict[str, str] = tables.pop("words")
    compiled: dict[str, tuple[Phrase, ...]] = {}
    for reason, table in tables.items():
        phrases: list[Phrase] = []
        for expression in table["says"]:
            for name, meaning in words.items():
                expression = expression.replace(f"<{name}>", meaning)
            phrases.append(compile_phrase(expression))
        compiled[reason] = tuple(phrases)
    return compiled
