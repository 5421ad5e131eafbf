"""Characters that any text may hide: nobody sees them, but files, terminals and models act on them."""

from __future__ import annotations

import re

# Control, direction and zero-width characters, line separators and tag characters. Joiners
# (U+200C, U+200D) stay out of it: Persian, Indic scripts and emoji need them.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
SURROGATE = re.compile("[\ud800-\udfff]")


def has_visible_text(text: str) -> bool:
    """Return whether a reader would see anything at all."""
    return any(character.isprintable() and not character.isspace() for character in text)


def reveal_hidden(text: str) -> str:
    """Return a text whose characters that nobody would see are shown as their codes, as in `\\u202e`."""

    def show_code(match: re.Match[str]) -> str:
        number = ord(match[0])
        return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"

    return SURROGATE.sub(show_code, HIDDEN.sub(show_code, text))


def mend_surrogates(text: str) -> str:
    """Return a text that can be encoded: two halves of a pair become their character, a lone one U+FFFD."""
    if not SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
