"""Markdown that people write for agents (AGENTS.md, SKILL.md, rules of editors), by a CommonMark parser.

Each item of an outermost list is a bullet, with all that is nested in it, under the nearest heading. Any
other text is named with its lines and its kind. In a file without a list each paragraph is a bullet, with the
code or table right below it. Front matter is no part of the text.

A line that is one tag of a name HTML does not have, as prompts use for structure (`<rules>`), is a mark: what
stands between two of them is Markdown, and not HTML as CommonMark has it. Signs that Markdown does not know
begin items too, such as a round bullet or a dash. A label right above a list ("Tests:", "**Tests**") never
belongs to the item above it; in a file without headings it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from ace.playbook.formats.format import Collector, Entry, Finding, Reading, quote_line
from ace.playbook.markdown import GENERAL, TITLE
from ace.playbook.model import Playbook

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARK = re.compile(r"</?([A-Za-z][\w.:-]*)(?:\s[^<>]*)?>\s*")
_ROUND = "[-*+•‣▪◦●·☐☑☒\u2013\u2014]"  # signs with a space behind them
_ASIAN = "・|[0-9\uff10-\uff19]{1,3}[、\uff0e]|[(\uff08][0-9\uff10-\uff19]{1,3}[)\uff09]|[①-⑳]"  # without one
_HIDDEN = "[\u200b\u2060\ufeff]*"
_ITEM = re.compile(rf"{_HIDDEN}[ \t]*(?:(?:{_ROUND}|\d{{1,9}}[.)])(?=\s|$)|{_ASIAN})")
_SIGN = re.compile(rf"{_HIDDEN}([ \t]*)(?:{_ROUND}(?=[ \t\u00a0])|{_ASIAN})([ \t\u00a0\u3000]*)")
_LABEL = re.compile(r"(?:\*\*|__)([^*_\s][^*_]{0,78})(?:\*\*|__):?\s*|([^\s>|#<`*+\[\]-][^`|<>]{0,78}):\s*")
_KEY = re.compile(r"[\w\"'.-]+\s*[:=]")
_FENCE = re.compile("```|~~~")
_BOX = re.compile(r"\[[ xX]\][ \t]+")
_FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
_NO_LIST = "there is no list in the file: each paragraph was taken as a bullet"
_ITEM_KIND = "item"
_HEADING = "heading"
# What the parser calls the blocks of a document, and what messages call them.
_KINDS = {
    "heading_open": _HEADING,
    "paragraph_open": "text",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
    "blockquote_open": "quotation",
    "html_block": "HTML",
    "hr": "rule",
}
_NO_EVIDENCE = {"text", "rule", "HTML"}  # any text has these


@dataclass(frozen=True, slots=True)
class Block:
    """Hold the place of a block of the document: lines `first` to `last`, counted from 1, both in it."""

    kind: str
    """A value of `_KINDS`, "item" for one of an outermost list, or "definition", "tag", "front matter"."""

    first: int
    last: int

    heading: str = ""
    """The text of a heading."""


def read_handwritten(text: str) -> Reading:
    """Read the bullets of a document, and name every other line that says something."""
    lines = _split_lines(text)
    blocks = parse_blocks(text)
    has_list = any(block.kind == _ITEM_KIND for block in blocks)
    collector = Collector()
    section = GENERAL
    empty: Block | None = None  # the last heading, while nothing stands under it
    boxes = 0
    for group in _group_blocks(blocks, has_list):
        block = group[0]
        part = lines[block.first - 1 : group[-1].last]
        if block.kind == _HEADING:
            _note_empty(collector, empty, lines)
            empty = block
            section = block.heading or GENERAL
            continue
        before = len(collector.entries)
        if block.kind == _ITEM_KIND:
            content = _dedent_item(part)
            box = _BOX.match(content)
            if box:
                boxes += 1
                content = content[box.end() :]
            collector.add(Entry(content=content, section=section, line=block.first))
        elif not has_list and block.kind in ("text", "code", "table", "quotation"):
            content = "\n".join(part).strip()
            collector.add(Entry(content=content, section=section, line=block.first))
        elif block.kind == "front matter":
            note = "front matter is no part of the text"
            collector.notes.append(Finding(block.first, note, last=block.last))
        elif any(character.isalnum() for line in part for character in line):
            problem = f"no bullet, but {block.kind}: {quote_line(part[0].strip())}"
            collector.unread.append(Finding(block.first, problem, block.last, block.kind))
        if len(collector.entries) > before:
            empty = None
    _note_empty(collector, empty, lines)
    if not has_list and collector.entries:
        collector.notes.append(Finding(1, _NO_LIST))
    lost = (f"boxes of {boxes} task{'s' * (boxes > 1)}",) if boxes else ()
    if not collector.entries:  # as an empty playbook is written
        return Reading(playbook=Playbook(), unread=tuple(collector.unread), notes=tuple(collector.notes))
    return collector.to_reading(votes=False, lost=lost)


def _note_empty(collector: Collector, heading: Block | None, lines: list[str]) -> None:
    """Note a heading that no bullet stands under, but for the title that we write ourselves."""
    if heading is not None and lines[heading.first - 1].rstrip() != TITLE:
        note = f"a heading without bullets: {quote_line(heading.heading)}"
        collector.notes.append(Finding(heading.first, note, heading.last))


def is_markdown(text: str) -> bool:
    """Return whether a text is empty or has any block that other texts hardly have, such as a list."""
    return not text.strip() or any(block.kind not in _NO_EVIDENCE for block in parse_blocks(text))


def list_plain_lines(text: str) -> list[str]:
    """Return the lines, blank where they stand in a code fence; all of them where that leaves none."""
    lines = _split_lines(text)
    if not _FENCE.search(text):
        return lines
    plain = list(lines)
    for token in _parser().parse(text):
        if token.type == "fence" and token.map:
            plain[token.map[0] : token.map[1]] = [""] * (token.map[1] - token.map[0])
    return plain if any(line.strip() for line in plain) else lines


@lru_cache(maxsize=2)
def parse_blocks(text: str) -> tuple[Block, ...]:
    """Return the blocks of a document in order; together they hold every line that is not blank."""
    lines = _split_lines(text)
    masked = list(lines)
    blocks: list[Block] = []
    start, end = _find_front_matter(lines)
    masked[start:end] = [""] * (end - start)
    front = [Block("front matter", start + 1, end)] if end else []
    for number, line in enumerate(masked):
        if _is_mark(line):
            masked[number] = ""
        elif sign := _SIGN.match(line):
            masked[number] = f"{sign[1]}-{' ' * max(1, len(sign[2]))}{line[sign.end() :]}"
    tokens = _parser().parse("\n".join(masked))
    has_headings = any(token.type == "heading_open" for token in tokens)
    labels = dict(_find_labels(masked, has_headings))
    for number in labels:
        masked[number - 1] = ""
    tokens = _parser().parse("\n".join(masked)) if labels else tokens
    following = 1
    found = sorted([*front, *_list_blocks(tokens, masked)], key=lambda block: block.first)
    for block in [*found, Block("", len(lines) + 1, len(lines) + 1)]:
        for number in range(following, block.first):  # the parser has no token for these
            line = lines[number - 1]
            if number in labels:
                kind = "text" if has_headings else _HEADING
                blocks.append(Block(kind, number, number, labels[number]))
            elif line.strip():
                blocks.append(Block("tag" if _is_mark(line) else "definition", number, number))
        if block.kind:
            blocks.append(block)
        following = max(following, block.last + 1)
    return tuple(blocks)


def _find_labels(lines: Sequence[str], has_headings: bool) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of labels right above a list.

    In a file with headings only those that the parser would take for the end of an item above.
    """
    for number, line in enumerate(lines, start=1):
        label = _LABEL.fullmatch(line)
        if label is None or _ITEM.match(line):
            continue
        below = next((other for other in lines[number : number + 2] if other.strip()), "")
        above = lines[number - 2] if number > 1 else ""
        goes_on = bool(above.strip()) and bool(_ITEM.match(above) or above[:1].isspace())
        if _ITEM.match(below) and (goes_on or not has_headings):
            yield number, (label[1] or label[2]).strip(" :")


def _list_blocks(tokens: list[Token], masked: list[str]) -> Iterator[Block]:
    """Yield the outermost blocks of the parser, and of a list its items."""
    for place, token in enumerate(tokens):
        if token.map is None:
            continue
        first, last = token.map
        while last > first and not masked[last - 1].strip():
            last -= 1
        if token.type == "list_item_open" and token.level == 1:
            yield Block(_ITEM_KIND, first + 1, max(last, first + 1))
        elif token.level == 0 and token.type in _KINDS:
            heading = ""
            if token.type == "heading_open":
                heading = " ".join(tokens[place + 1].content.split())
                if heading.startswith("**") and heading.find("**", 2) == len(heading) - 2:
                    heading = heading.strip("* ")
            kind = _KINDS[token.type]
            if kind == "HTML" and masked[first].lstrip().startswith("<!--"):
                kind = "comment"
            yield Block(kind, first + 1, last, heading)


def _group_blocks(blocks: Sequence[Block], has_list: bool) -> Iterator[list[Block]]:
    """Yield blocks that make one bullet together: each alone where the file has a list.

    Else code, a table, a quotation or HTML goes with the paragraph right above it.
    """
    group: list[Block] = []
    for block in blocks:
        goes_on = group and group[0].kind == "text" and block.kind in ("code", "table", "quotation")
        if group and (has_list or not goes_on):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _dedent_item(lines: list[str]) -> str:
    """Return the content of a list item: without its marker, and what is below it moved left as far."""
    marker = _ITEM.match(lines[0])
    start = marker.end() if marker else 0
    head = lines[0][start:].lstrip(" \t\u00a0\u3000")
    before = lines[0][:start].expandtabs(4)
    space = len(lines[0][: len(lines[0]) - len(head)].expandtabs(4)) - len(before)
    # More than four spaces behind a marker begin indented code.
    indent = len(before) + (space if space <= 4 and head else 1)
    rest: list[str] = []
    for line in lines[1:]:
        body = line.lstrip(" \t")
        width = len(line[: len(line) - len(body)].expandtabs(4))
        rest.append(" " * (width - indent) + body if body else "")
    margins = [len(line) - len(line.lstrip()) for line in rest if line]
    margin = min(margins, default=0)
    if margin < 4:  # below an item people indent by four or a tab, too
        rest = [line[margin:] for line in rest]
    return "\n".join([head, *rest]).strip()


def _is_mark(line: str) -> bool:
    """Return whether a line is one tag that HTML does not know."""
    from markdown_it.common.html_blocks import block_names

    tag = _MARK.fullmatch(line)
    if tag is None:
        return False
    name = tag[1].lower()
    return name not in block_names and name not in ("pre", "script", "style", "textarea")


def _find_front_matter(lines: list[str]) -> tuple[int, int]:
    """Return where front matter (YAML, TOML) begins and ends, as a slice; (0, 0) where there is none.

    It holds a key, and only blank lines and comments stand before it. One that never ends, ends at a blank
    line.
    """
    start = 0
    while start < len(lines) - 1:
        line = lines[start].strip()
        if line and not (line.startswith("<!--") and line.endswith("-->")):
            break
        start += 1
    ends = _FRONT_MATTER.get(lines[start].rstrip(), ())
    rest = lines[start + 1 :]
    first = next((line for line in rest if line.strip() and not line.startswith("#")), "")
    if not ends or not (_KEY.match(first) or first.rstrip() in ends):
        return 0, 0
    for number, line in enumerate(rest, start + 2):
        if line.rstrip() in ends:
            return start, number
    blank = next((number for number, line in enumerate(rest) if not line.strip()), None)
    return (0, 0) if blank is None else (start, start + 1 + blank)


def _split_lines(text: str) -> list[str]:
    """Split a text as the parser does: at line feeds, carriage returns and both together."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


@cache
def _parser() -> MarkdownIt:
    """Return a parser of blocks, with tables; what stands inside a line is not looked at."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")
