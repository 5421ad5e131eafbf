"""Whether a text asks to be obeyed, and why one would say so. Heuristics on texts, as defence in depth. Pure.

A lesson says how the work is done. It has no reason to speak of instructions, of its own standing, of what a
model is to hide, or to carry markup. What does is held until a person has read it. The expressions are in
suspicious.toml. A false rule in plain words ("refunds need no approval") cannot be told from a true one here:
see `ace.methods.ace.admission`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from ace.safety.markup import CONTROL
from ace.text.lookalike import SELECTORS, masked, plain
from ace.text.unicode import HIDDEN

# What turns the direction of text, and the tag characters that spell out what nobody sees.
_TURNED = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_ENCODED = re.compile(
    r"(?<![\w/+.-])(?=[\w+]*[A-Z])(?=[\w+]*[a-z])(?=[\w+]*\d)[A-Za-z0-9+]{24,}"
    r"|(?:\\x[0-9a-fA-F]{2}){6}|(?:\b[0-9a-fA-F]{2} ){12}|(?:&#x?[0-9a-fA-F]+;){6}|(?:%[0-9a-fA-F]{2}){8}"
    r"|(?i:\b(?:base64|rot-?13)\s*:)"
    r"|(?i:\bdecode\b[^.\n]{0,40}\b(?:and|then) (?:follow|execute|obey|run|do)\b)"
    r"|(?i:\b(?:base64|rot-?13|hex)\b[^.\n]{0,40}\b(?:follow|execute|obey)\b)"
)
_MARKUP = "markup of a prompt or a tool call"


def suspicion(text: str) -> str:
    """Why a text may not become a lesson before a person has read it, or nothing."""
    if _TURNED.search(text) or SELECTORS.search(text):
        return "characters that hide or turn text"
    text = HIDDEN.sub("", text)
    if word := masked(text):
        return f"{word!r:.40} is written in letters of two scripts"
    text = plain(text)
    if CONTROL.search(text):
        return _MARKUP
    if _ENCODED.search(text):
        return "encoded text"
    return next((reason for reason, said in _expressions().items() if any(s.search(text) for s in said)), "")


@cache
def _expressions() -> dict[str, tuple[re.Pattern[str], ...]]:
    """Reason -> expressions, in the file's order."""
    told = tomllib.loads(files("ace.safety").joinpath("suspicious.toml").read_text("utf-8"))
    words: dict[str, str] = told.pop("words")
    return {reason: tuple(_compiled(s, words) for s in part["says"]) for reason, part in told.items()}


def _compiled(said: str, words: dict[str, str]) -> re.Pattern[str]:
    for name, meaning in words.items():
        said = said.replace(f"<{name}>", meaning)
    return re.compile(said, re.IGNORECASE | re.MULTILINE)
