"""A document cut into pieces that stand for themselves, each with the lines it came from. Pure.

A document is a sequence of (number, text): a number is a line of the file, or a page of a PDF. Pieces break
at headings and blank lines where they can, never overlap, and together hold every line that is not blank.
Knows nothing about files or formats beyond Markdown's headings, fences and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ace.text.tokens import estimate_tokens

Line = tuple[int, str]

# As `estimate_tokens` counts, which is about one and a half times what tokenizers count on prose.
MOST = 400  # a piece is never longer
ENOUGH = 200  # from here on a heading begins a new piece
LONGEST_TITLE = 200  # characters of a heading that are put before what stands below it
_HEADING = re.compile(r"(#{1,6})\s")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = re.compile(r"\s*(?:\|\s*)?:?--.*\|")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`heading` is the path to it ("Returns > Late bikes"); first..last are numbers of lines, or of pages."""

    text: str
    heading: str
    first: int
    last: int

    @property
    def shown(self) -> str:
        """As a reader gets it: what it is a part of, then the text."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together: a heading, a paragraph, a list, a table, a fence."""

    lines: tuple[Line, ...]
    path: tuple[str, ...]  # the headings above it, without its own
    level: int = 0  # of a heading

    @property
    def tokens(self) -> int:
        return estimate_tokens(_joined(self.lines))


def chunked(lines: Sequence[Line], *, markdown: bool, most: int = MOST) -> tuple[Chunk, ...]:
    """Pieces in order. Without `markdown` only blank lines are places to break."""
    pieces: list[list[_Block]] = []
    size = 0
    for block in _small(_blocks(lines, markdown), most):
        fresh = block.level > 0 and size >= min(ENOUGH, most // 2)
        if not pieces or fresh or size + block.tokens > most:
            held = _taken_along(pieces, block, most)
            pieces.append(held)
            size = sum(each.tokens for each in held)
        pieces[-1].append(block)
        size += block.tokens
    return tuple(_chunk(piece) for piece in pieces if piece)


def _taken_along(pieces: list[list[_Block]], block: _Block, most: int) -> list[_Block]:
    """Headings at the end of the last piece go with what they head, where there is room for both."""
    held: list[_Block] = []
    room = most - block.tokens
    while pieces and not block.level and len(pieces[-1]) > 1 and pieces[-1][-1].level:
        room -= pieces[-1][-1].tokens
        if room < 0:
            break
        held.insert(0, pieces[-1].pop())
    return held


def _chunk(piece: Sequence[_Block]) -> Chunk:
    lines = [line for block in piece for line in block.lines]
    return Chunk(_joined(lines), " > ".join(piece[0].path), lines[0][0], lines[-1][0])


def _joined(lines: Sequence[Line]) -> str:
    return "\n".join(text for _, text in lines)


def _blocks(lines: Sequence[Line], markdown: bool) -> Iterator[_Block]:
    path: list[tuple[int, str]] = []
    held: list[Line] = []
    fence = ""

    def above() -> tuple[str, ...]:
        return tuple(title for _, title in path)

    for number, text in lines:
        opened = _FENCE.match(text) if markdown else None
        heading = _HEADING.match(text) if markdown and not fence else None
        if heading or (not text.strip() and not fence):
            if held:
                yield _Block(tuple(held), above())
            held = []
        else:
            held.append((number, text))
        if opened and (not fence or opened[1] == fence):
            fence = "" if fence else opened[1]
        if heading:
            level = len(heading[1])
            path = [each for each in path if each[0] < level]
            yield _Block(((number, text),), above(), level)
            path.append((level, _title(text[level:])))
    if held:
        yield _Block(tuple(held), above())


def _title(text: str) -> str:
    """Without the # that may close a heading, and cut where it is more of a text than a title."""
    return text.strip().rstrip("#")[:LONGEST_TITLE].rstrip()


def _small(blocks: Iterator[_Block], most: int) -> Iterator[_Block]:
    """The same blocks, those that are too long cut between lines, and long lines between words."""
    for block in blocks:
        if block.tokens <= most:
            yield block
            continue
        head = _table_head(block.lines)
        room = most - estimate_tokens(_joined(head))
        head, room = (head, room) if room > most // 2 else ((), most)
        for at, lines in enumerate(_cut(block.lines, room)):
            repeated = tuple((lines[0][0], text) for _, text in head) if at else ()  # counts for no line
            yield _Block((*repeated, *lines), block.path, block.level if not at else 0)


def _table_head(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return lines[:2] if len(lines) > 2 and _RULE.match(lines[1][1]) and "|" in lines[0][1] else ()


def _cut(lines: Sequence[Line], most: int) -> Iterator[tuple[Line, ...]]:
    held, size = list[Line](), 0
    for number, text in lines:
        for part in _parts(text, most):
            tokens = estimate_tokens(part) + 1  # the line end
            if held and size + tokens > most:
                yield tuple(held)
                held, size = [], 0
            held.append((number, part))
            size += tokens
    yield tuple(held)


def _parts(text: str, most: int) -> Iterator[str]:
    """A line in parts of at most `most` tokens: between words, and through a word only if it must be."""
    if estimate_tokens(text) < most:
        yield text
        return
    held, size = list[str](), 0
    for word in _words(text, most):
        tokens = estimate_tokens(word) + 1
        if held and size + tokens >= most:
            yield " ".join(held)
            held, size = [], 0
        held.append(word)
        size += tokens
    if held:
        yield " ".join(held)


def _words(text: str, most: int) -> Iterator[str]:
    step = max(1, most // 5)  # a character is four tokens at most
    for word in text.split():
        yield from (word[at : at + step] for at in range(0, len(word), step))
