"""Cutting a document into chunks that stand for themselves, each with the lines it came from. Pure.

A document is a sequence of (number, text): a number is a line of the file, or a page of a PDF. Chunks break
at headings and blank lines where they can, never overlap, and together hold every line that is not blank.
Knows nothing about files or formats beyond Markdown's headings, fences and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ace.text.tokens import estimate_tokens

Line = tuple[int, str]

# As `estimate_tokens` counts, which is about one and a half times what tokenizers count on prose.
MOST = 400  # a chunk is never longer
ENOUGH = 200  # from here on a heading begins a new chunk
LONGEST_TITLE = 200  # characters of a heading that are put before what stands below it
_HEADING = re.compile(r"(#{1,6})\s")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = re.compile(r"\s*(?:\|\s*)?:?--.*\|")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Hold a piece of a document."""

    text: str

    heading: str
    """The path of headings above it, such as "Returns > Late bikes"."""

    first: int
    last: int
    """Its lines in the file, or the pages of a PDF, from 1; both ends are in it."""

    terms: str = ""
    """What it is found by beside the words of its text and heading. Nobody reads it."""

    @property
    def full_text(self) -> str:
        """Return the text with the headings above it, as a reader gets it."""
        if not self.heading:
            return self.text
        return f"{self.heading}\n{self.text}"


@dataclass(frozen=True, slots=True)
class _Block:
    """Hold lines that belong together: a heading, a paragraph, a list, a table, a fence."""

    lines: tuple[Line, ...]
    """Each with its number in the file, or that of its page."""

    path: tuple[str, ...]
    """The headings above it, without its own."""

    level: int = 0
    """That of a heading, 1 to 6; 0 for all else."""

    @property
    def tokens(self) -> int:
        """Return the estimate for its lines."""
        return estimate_tokens(_join_lines(self.lines))


def split_into_chunks(lines: Sequence[Line], *, markdown: bool, most: int = MOST) -> tuple[Chunk, ...]:
    """Split a document into chunks of at most `most` tokens, in order.

    Without `markdown`, only blank lines are places to break. A chunk ends before a heading once it has ENOUGH
    tokens, and wherever the next block would not fit. A heading stays with what stands below it, if it fits.
    """
    pieces: list[list[_Block]] = []
    size = 0
    for block in _shorten_blocks(_parse_blocks(lines, markdown), most):
        at_heading = block.level > 0 and size >= min(ENOUGH, most // 2)
        if not pieces or at_heading or size + block.tokens > most:
            headings = _take_headings(pieces, block, most)
            pieces.append(headings)
            size = sum(heading.tokens for heading in headings)
        pieces[-1].append(block)
        size += block.tokens
    chunks = []
    for piece in pieces:
        if piece:
            piece_lines: list[Line] = []
            for block in piece:
                piece_lines += block.lines
            heading = " > ".join(piece[0].path)
            first, last = piece_lines[0][0], piece_lines[-1][0]
            chunks.append(Chunk(_join_lines(piece_lines), heading, first=first, last=last))
    return tuple(chunks)


def _take_headings(pieces: list[list[_Block]], block: _Block, most: int) -> list[_Block]:
    """Take headings off the end of the last piece to go with `block`, as far as there is room for both."""
    headings: list[_Block] = []
    room = most - block.tokens
    while pieces and not block.level and len(pieces[-1]) > 1 and pieces[-1][-1].level:
        room -= pieces[-1][-1].tokens
        if room < 0:
            break
        headings.insert(0, pieces[-1].pop())
    return headings


def _join_lines(lines: Iterable[Line]) -> str:
    """Return their text, without the numbers."""
    return "\n".join(text for _, text in lines)


def _parse_blocks(lines: Sequence[Line], markdown: bool) -> Iterator[_Block]:
    """Yield blocks, each with the path of headings above it; a fence is one block with its blank lines."""
    path: tuple[str, ...] = ()
    levels: list[int] = []  # of the headings in `path`
    block: list[Line] = []
    fence = ""
    for number, text in lines:
        mark = _FENCE.match(text) if markdown else None
        heading = _HEADING.match(text) if markdown and not fence else None
        if heading or (not text.strip() and not fence):
            if block:
                yield _Block(tuple(block), path)
            block = []
        else:
            block.append((number, text))
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1] == fence:
            fence = ""
        if heading:
            level = len(heading[1])
            while levels and levels[-1] >= level:
                levels.pop()
            path = path[: len(levels)]
            yield _Block(((number, text),), path, level)
            # Without the # that may close a heading, and cut where it is more of a text than a title.
            title = text[level:].strip().rstrip("#")[:LONGEST_TITLE].rstrip()
            path = (*path, title)
            levels.append(level)
    if block:
        yield _Block(tuple(block), path)


def _shorten_blocks(blocks: Iterable[_Block], most: int) -> Iterator[_Block]:
    """Yield blocks of at most `most` tokens: longer ones are cut between lines, long lines between words.

    Each part of a table repeats its head, where that leaves room for rows.
    """
    for block in blocks:
        if block.tokens <= most:
            yield block
            continue
        lines = block.lines
        is_table = len(lines) > 2 and _RULE.match(lines[1][1]) and "|" in lines[0][1]
        head = lines[:2] if is_table else ()
        room = most - estimate_tokens(_join_lines(head))
        if room <= most // 2:
            head, room = (), most
        level = block.level
        for place, part in enumerate(_cut_lines(lines, room)):
            if place:
                start = part[0][0]  # the head counts for no line of its own
                part = (*((start, text) for _, text in head), *part)
                level = 0
            yield _Block(part, block.path, level)


def _cut_lines(lines: Iterable[Line], most: int) -> Iterator[tuple[Line, ...]]:
    """Yield lines in groups of at most `most` tokens; parts of a line that is cut all have its number."""
    group: list[Line] = []
    size = 0
    for number, text in lines:
        for part in _cut_line(text, most):
            tokens = estimate_tokens(part) + 1  # the line end
            if group and size + tokens > most:
                yield tuple(group)
                group, size = [], 0
            group.append((number, part))
            size += tokens
    yield tuple(group)


def _cut_line(text: str, most: int) -> Iterator[str]:
    """Yield a line in parts of at most `most` tokens: cut between words, or through a word if need be."""
    if estimate_tokens(text) < most:
        yield text
        return
    step = max(1, most // 5)  # a character is four tokens at most
    words: list[str] = []
    size = 0
    for whole_word in text.split():
        for start in range(0, len(whole_word), step):
            word = whole_word[start : start + step]
            tokens = estimate_tokens(word) + 1
            if words and size + tokens >= most:
                yield " ".join(words)
                words, size = [], 0
            words.append(word)
            size += tokens
    if words:
        yield " ".join(words)
