"""Read a text as a person or a model would: escapes decoded, look-alike forms folded. Pure.

The same word can be written with JSON escapes, in percent-encoding, as entities of HTML, in full width, in
decomposed letters or with characters between them that nobody sees. `unfold` undoes all of these and says
where each character comes from, so that what is found in the unfolded text can be cut out of the original.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from ace.text import lookalike
from ace.text.unicode import HIDDEN

_PERCENT = r"(?:%(?:25){0,3}[0-9a-fA-F]{2}){1,64}"
_ESCAPES = re.compile(
    rf"(?P<unicode>(?:\\{{1,16}}u[0-9a-fA-F]{{4}}){{1,2}})|(?P<byte>\\{{1,16}}x[0-9a-fA-F]{{2}})"
    rf"|(?P<line>\\{{1,16}}[nrt])|(?P<percent>{_PERCENT})|(?P<entity>&(?:#[xX]?[0-9a-fA-F]{{1,8}}|[a-zA-Z]{{2,8}});)"
)
_ESCAPE_SIGN = re.compile(r"[\\%&]")  # each escape has one
_HEX = re.compile(r"[ux]([0-9a-fA-F]{2,4})")
UNSEEN = re.compile(f"{HIDDEN.pattern}|{lookalike.UNSEEN.pattern}")
_DROPPED = re.compile(f"{UNSEEN.pattern}|[\u0300-\u036f]")


@dataclass(frozen=True, slots=True)
class Unfolded:
    """Hold an unfolded text, and where its characters come from."""

    text: str

    starts: list[int]
    """For each of its characters, where in the original begins what it stands for."""

    ends: list[int]
    """For each of its characters, where that has ended."""

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the unfolded text, which is not empty, stands in the original."""
        return self.starts[start], max(self.ends[start:end])


def list_base64(text: str) -> tuple[str, str, str]:
    """Return the three ways in which base64 holds a text inside a longer one, by its place there."""
    encoded = []
    for shift in range(3):
        letters = base64.b64encode(b"\0" * shift + text.encode("utf-8", "surrogatepass")).decode().rstrip("=")
        encoded.append(letters[-(-shift * 8 // 6) : -1])  # other bytes have no share in these
    return encoded[0], encoded[1], encoded[2]


def unfold(text: str, *, escapes: bool = True, fold: bool = True) -> Unfolded:
    """Return a text in plain forms, without what nobody sees, and with `escapes` decoded.

    With `fold` its letters are of lower case and without accents, too.
    """
    reduce = _fold_character if fold else _plain_character
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def add(decoded: str, start: int, end: int) -> None:
        """Append characters that all stand for one part of the original."""
        for character in decoded:
            for folded in reduce(character):
                characters.append(folded)
                starts.append(start)
                ends.append(end)

    position = 0
    for match in _ESCAPES.finditer(text) if escapes else ():
        for place in range(position, match.start()):
            add(text[place], place, place + 1)
        if match["percent"]:
            for decoded, start, end in _decode_percent(match[0]):
                add(decoded, match.start() + start, match.start() + end)
        else:
            add(_decode(match), *match.span())
        position = match.end()
    for place in range(position, len(text)):
        add(text[place], place, place + 1)
    return Unfolded("".join(characters), starts, ends)


def fold_text(text: str, *, escapes: bool = True, fold: bool = True) -> str:
    """Return what `unfold` returns without the places: quick, to see whether a text needs a closer look."""
    if escapes and _ESCAPE_SIGN.search(text):
        text = _ESCAPES.sub(_decode, text)
    if not fold:
        return HIDDEN.sub("", text) if text.isascii() else "".join(map(_plain_character, text))
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text).casefold()
    return _DROPPED.sub("", unicodedata.normalize("NFKD", folded))


@cache
def _fold_character(character: str) -> str:
    """Fold a character that stands alone, where escapes count as they are written; remembered."""
    return fold_text(character, escapes=False)


@cache
def _plain_character(character: str) -> str:
    """Return a character in its compatible form, "" for one that is not seen; remembered."""
    return "" if UNSEEN.match(character) else unicodedata.normalize("NFKC", character)


def _decode(match: re.Match[str]) -> str:
    """Return what one escape stands for; one that stands for nothing stays as it is."""
    if match["percent"]:
        return "".join(decoded for decoded, _, _ in _decode_percent(match[0]))
    if match["line"]:
        return " "
    if match["entity"]:
        return html.unescape(match[0])
    units = [int(digits, 16) for digits in _HEX.findall(match[0])]
    data = b"".join(unit.to_bytes(2, "big") for unit in units)
    return data.decode("utf-16-be", "replace")  # two halves of a pair make one character


def _decode_percent(escaped: str) -> list[tuple[str, int, int]]:
    """Return the characters of a run of percent escapes, each with its place in the run."""
    escapes = list(re.finditer(r"%(?:25){0,3}([0-9a-fA-F]{2})", escaped))
    data = bytes(int(escape[1], 16) for escape in escapes)
    characters: list[tuple[str, int, int]] = []
    position = 0
    while position < len(data):
        size = 1
        for size in (1, 2, 3, 4):
            try:
                decoded = data[position : position + size].decode("utf-8")
                break
            except UnicodeDecodeError:
                decoded = ""
        if not decoded:
            decoded, size = chr(data[position]), 1
        start, end = escapes[position].start(), escapes[position + size - 1].end()
        characters.append((decoded, start, end))
        position += size
    return characters
