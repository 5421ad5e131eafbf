"""What differs between two texts, word by word, for people to see. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_TOKENS = 3_000  # of both texts together: beyond, comparing takes seconds


class Change(StrEnum):
    """Say what became of a piece of text."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold a run of text and what became of it."""

    change: Change
    text: str


def diff_words(before: str, after: str) -> tuple[Piece, ...]:
    """Return both texts as pieces, in order: those that are not NEW make up `before`, not GONE `after`.

    Very long texts are compared as wholes.
    """
    if before == after:
        return (Piece(Change.SAME, before),) if before else ()
    first, second = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(first) + len(second) > _MOST_TOKENS:
        return tuple(piece for piece in (Piece(Change.GONE, before), Piece(Change.NEW, after)) if piece.text)
    pieces: list[Piece] = []
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece(Change.SAME, "".join(first[start:end])))
            continue
        pieces.append(Piece(Change.GONE, "".join(first[start:end])))
        pieces.append(Piece(Change.NEW, "".join(second[new_start:new_end])))
    return tuple(piece for piece in pieces if piece.text)
