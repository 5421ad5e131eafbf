"""An HTML page as lines of Markdown, as a reader sees it: headings with their #, rows of tables, code.

What is not seen (scripts, comments, hidden elements) is dropped. Numbers are lines of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ace.retrieval.documents.chunks import Line

_UNSEEN = [
    *("script", "style", "template", "noscript", "head", "datalist"),
    *("iframe", "video", "audio", "canvas", "noframes", "noembed"),  # what is in these is for old browsers
]
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {
    *_HEADINGS,
    *("p", "li", "tr", "pre", "blockquote", "dl", "dt", "dd", "div", "section", "article", "caption", "hr"),
    *("figure", "figcaption", "ul", "ol", "table", "body", "main", "header", "footer", "aside", "nav"),
    *("address", "details", "summary", "form", "fieldset", "legend", "option", "button", "center"),
}
_CELLS = ["td", "th"]
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")
_BREAKS = re.compile("[\u00ad\u200b\u2060\ufeff]")
_POWER = re.compile(r"\s*[-+\u2212]?(?:\d{1,3}|n)\s*")
_DEEPEST = 200  # elements within one another
_TABLES = ("table", "thead", "tbody", "tfoot")
# A start tag, the open elements of which it ends the nearest, and those that keep it from it.
_ENDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "li": (("li",), ("ul", "ol", "menu", "table")),
    **dict.fromkeys(("dt", "dd"), (("dt", "dd"), ("dl", "table"))),
    **dict.fromkeys(("td", "th"), (("td", "th"), ("tr", *_TABLES))),
    "tr": (("tr",), _TABLES),
    "option": (("option",), ("select",)),
}
_WIDEST = 100  # columns or rows of one cell
_Spans = dict[int, tuple[int, str]]
"""How many more rows a cell reaches down into, and its text, by its column from 0."""


def read_page(page: str) -> Iterator[Line]:
    """Yield (line, text) of a page, with a blank text where a chunk may end.

    Raises what the parser raises for a page that it cannot read.
    """
    from bs4.element import NavigableString, Tag

    page = _DECLARATION.sub(lambda match: "\n" * match[0].count("\n"), page)
    soup = _parse_page(page)
    for tag in soup.find_all(_is_unseen):
        tag.extract()
    for tag in soup.find_all("sup"):
        if _POWER.fullmatch(tag.get_text()) and not tag.find("a"):  # no link to a note
            tag.insert(0, "^")
    places: Counter[int] = Counter()  # of the last item, by list
    for item in soup.find_all("li"):
        for parent in _find_lists(item)[:1]:
            value = str(item.get("value") or (not places[id(parent)] and parent.get("start")) or "")
            is_number = value.isascii() and value.isdigit()
            places[id(parent)] = int(value[:9]) if is_number else places[id(parent)] + 1
            item["data-mark"] = f"{places[id(parent)]}." if parent.name == "ol" else "-"
    spans: dict[int, _Spans] = {}  # by table
    block: Any = None
    parts: list[Line] = []  # of the block that is open: (0, text), and (line, "\n") for a line break
    for node in soup.descendants:
        if isinstance(node, Tag):
            line = node.sourceline or 1
            if node.name in _BLOCKS:
                yield from _format_block(block, parts)
                block, parts = None, []
            if node.name == "br":
                parts.append((line, "\n"))
            elif node.name == "tr":
                yield from _read_row(node, spans.setdefault(id(node.find_parent("table")), {}))
        elif type(node) is NavigableString:  # no comment or the like
            cell = node.find_parent(_CELLS)
            if cell is not None and cell.find_parent("tr") is not None:
                continue  # `_read_row` reads it
            parent = next((tag for tag in node.parents if tag.name in _BLOCKS), None)
            if parent is not block:
                yield from _format_block(block, parts)
                block, parts = parent, []
            parts.append((0, str(node)))
    yield from _format_block(block, parts)


def _parse_page(page: str) -> Any:
    """Return the tree of a page. Elements end where HTML says that they do, and none is too deep in others.

    So what is above an element is short, and a page without end tags takes time in proportion to its length.
    """
    from bs4 import BeautifulSoup

    class Page(BeautifulSoup):
        def handle_starttag(self, name: str, *arguments: Any, **options: Any) -> Any:
            """Close what the new element ends, and what is nested too deep, before it opens."""
            self.endData()  # the text so far is that of what is open
            ends, walls = _ENDS.get(name, ((), ()))
            for tag in self.tagStack[:0:-1] if ends else ():
                if tag.name in walls:
                    break
                if tag.name in ends:
                    self._popToTag(tag.name)
                    break
            while len(self.tagStack) > _DEEPEST:
                self.popTag()
            return super().handle_starttag(name, *arguments, **options)

    return Page(page, "html.parser")


def _is_unseen(tag: Any) -> bool:
    """Return True if a browser shows nothing of an element."""
    style = str(tag.get("style") or "").replace(" ", "").lower()
    is_hidden = tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style
    return tag.name in _UNSEEN or is_hidden or (tag.name == "dialog" and not tag.has_attr("open"))


def _find_lists(item: Any) -> list[Any]:
    """Return the lists that an item is in, the innermost first, of at most 200 elements around it."""
    return [parent for parent in islice(item.parents, _DEEPEST) if parent.name in ("ul", "ol", "menu")]


def _format_block(block: Any, parts: list[Line]) -> Iterator[Line]:
    """Yield the lines of a block, and a blank one where a chunk may end: not between list items."""
    name, line, lists = "p", 1, []
    if block is not None:
        name, line = block.name, block.sourceline or 1
        item = block if name == "li" else block.parent
        is_first = block is item or block.find_previous_sibling() is None
        if item.name == "li" and name in ("li", "p", "div"):
            name, lists = "li", _find_lists(item)
    if name == "pre":
        yield from _format_code("".join(text for _, text in parts), line)
        return
    lines: list[Line] = []
    texts: list[str] = []
    for number, text in [*parts, (line, "\n")]:
        if not number:
            texts.append(text)
            continue
        joined = _collapse("".join(texts))
        if joined:
            lines.append((line, joined))
        line, texts = number, []
    if not lines:
        return
    if name in _HEADINGS:
        title = " ".join(text for _, text in lines)
        yield lines[0][0], f"{'#' * _HEADINGS[name]} {title}"
    elif name == "li":
        indent, mark = "  " * (len(lists) - 1), item.get("data-mark", "-")
        yield lines[0][0], f"{indent}{mark if is_first else ' '} {lines[0][1]}"
        yield from ((number, f"{indent}  {text}") for number, text in lines[1:])
    else:
        yield from ((number, text.lstrip("#")) for number, text in lines)  # no heading of ours
    if name != "li":
        yield lines[-1][0], ""


def _format_code(text: str, line: int) -> Iterator[Line]:
    """Yield the lines of preformatted text as they are, in a fence."""
    code = text.removeprefix("\n").rstrip()
    if not code.strip():
        return
    first = line + text.startswith("\n")
    fence = "~~~" if "```" in code else "```"
    yield first, fence
    number = first
    for number, row in enumerate(code.split("\n"), first):
        yield number, row.rstrip("\r")
    yield number, fence
    yield number, ""


def _read_row(row: Any, spans: _Spans) -> Iterator[Line]:
    """Yield a row of a table, an empty cell as an empty one; a rule below a row that has only heads.

    A cell over several rows stands in each of them.
    """
    cells = [cell for cell in row.find_all(_CELLS) if cell.find_parent("tr") is row]
    texts: list[str] = []
    for cell in [*cells, None]:
        while len(texts) in spans:  # a cell of an earlier row reaches down to here
            rows, text = spans.pop(len(texts))
            if rows > 1:
                spans[len(texts)] = (rows - 1, text)
            texts.append(text)
        if cell is None:
            break
        strings = [text for text in cell.find_all(string=True) if text.find_parent(_CELLS) is cell]
        content = _collapse(" ".join(strings) if cell.find(["br", "p", "div", "li"]) else "".join(strings))
        content = content.replace("|", "\\|")
        for place in range(_read_span(cell, "colspan")):
            text = "" if place else content
            rows = _read_span(cell, "rowspan")
            if rows > 1:
                spans[len(texts)] = (rows - 1, text)
            texts.append(text)
    if not any(texts):
        return
    line = row.sourceline or 1
    yield line, " | ".join(texts).rstrip()
    if (
        len(cells) > 1
        and all(cell.name == "th" for cell in cells)
        and row.find_previous_sibling("tr") is None
    ):
        yield line, " | ".join("---" for _ in texts)


def _read_span(cell: Any, name: str) -> int:
    """Return over how many columns or rows a cell goes."""
    value = str(cell.get(name) or "1").strip()
    if value == "0" and name == "rowspan":  # to the end of the table
        return _WIDEST
    return min(max(1, int(value)), _WIDEST) if value.isascii() and value.isdigit() else 1


def _collapse(text: str) -> str:
    """Return a text with single spaces, without the marks of where a word may be broken."""
    return " ".join(_BREAKS.sub("", text).split())
