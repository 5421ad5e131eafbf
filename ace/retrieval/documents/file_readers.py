"""Bytes of a document to numbered lines, by its kind. Markdown and text need nothing; HTML and PDF an extra.

What cannot be read raises Unreadable with the reason. Texts are data: nothing in them is run or followed, and
what a reader of the page would not see (scripts, comments, hidden elements) is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from ace.errors import InputError
from ace.retrieval.documents.chunks import Chunk, Line, chunked
from ace.retrieval.documents.document_folder import HTML, MARKDOWN, PDF
from ace.store.sqlite_text import whole
from ace.text.unicode import visible

EXTRA = "Install the extra `documents`: pip install 'ace-playbook[documents]'."
_NEEDS = ((HTML, "bs4", "HTML", "beautifulsoup4"), (PDF, "pypdf", "PDF", "pypdf"))
_UNSEEN = ["script", "style", "template", "noscript", "head"]
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {
    *_HEADINGS,
    *("p", "li", "tr", "pre", "blockquote", "dt", "dd", "div", "section", "article", "caption"),
    *("figcaption", "ul", "ol", "table", "body", "main", "header", "footer", "aside", "nav"),
}


class Unreadable(Exception):
    """Why a file is not in the index. It ends as a line of the report, and reaches nobody else."""


def needs_extra(paths: Iterable[str]) -> None:
    """InputError that says what to install, when one of these files cannot be read without it."""
    for path in paths:
        for suffixes, module, kind, package in _NEEDS:
            if _suffix(path) in suffixes and find_spec(module) is None:
                raise InputError(f"{path} is {kind}, which needs the package `{package}`.", hint=EXTRA)


def chunks_of(path: str, data: bytes) -> tuple[Chunk, ...]:
    """The pieces of a document. Raises Unreadable."""
    suffix = _suffix(path)
    lines = [(number, _clean(text)) for number, text in _reader(suffix)(data)]
    found = chunked(lines, markdown=suffix in MARKDOWN | HTML)
    if not any(visible(chunk.text) for chunk in found):
        raise Unreadable("it holds no text" + (" (scanned pages?)" if suffix in PDF else ""))
    return found


def unit(path: str) -> str:
    """What the numbers of its chunks count."""
    return "page" if _suffix(path) in PDF else "line"


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _reader(suffix: str) -> Callable[[bytes], Iterable[Line]]:
    readers: Mapping[str, Callable[[bytes], Iterable[Line]]] = {
        **dict.fromkeys(HTML, _html_lines),
        **dict.fromkeys(PDF, _pdf_lines),
    }
    return readers.get(suffix, _text_lines)


def _clean(text: str) -> str:
    """Without half characters, which neither SQLite nor a tokenizer takes."""
    return whole(text).rstrip()


def _text_lines(data: bytes) -> Iterator[Line]:
    if b"\0" in data:
        raise Unreadable("it is binary, not text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    yield from enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)


def _html_lines(data: bytes) -> list[Line]:
    text = "\n".join(text for _, text in _text_lines(data))
    with _unreadable_if_broken("HTML page"):
        return list(_html_blocks(text))


def _html_blocks(page: str) -> Iterator[Line]:
    """As Markdown: headings with their #, a line for each other block, numbered as in the file."""
    from bs4 import BeautifulSoup
    from bs4.element import Comment, NavigableString

    soup = BeautifulSoup(page, "html.parser")
    for tag in soup.find_all(lambda tag: tag.name in _UNSEEN or _hidden(tag)):
        tag.extract()
    held: list[str] = []
    block: Any = None
    for text in soup.find_all(string=True):
        if isinstance(text, Comment) or type(text) is not NavigableString:
            continue
        parent = next((each for each in text.parents if each.name in _BLOCKS), None)
        if parent is not block:
            yield from _html_block(block, held)
            block, held = parent, []
        cell = text.find_parent(["td", "th"])
        held.append(f" | {text}" if cell is not None and held and text.strip() else str(text))
    yield from _html_block(block, held)


def _hidden(tag: Any) -> bool:
    style = str(tag.get("style") or "").replace(" ", "").lower()
    return tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def _html_block(block: Any, held: list[str]) -> Iterator[Line]:
    """A paragraph, and a blank line where a chunk may end: not between rows or list items."""
    text = " ".join("".join(held).split())
    if not text:
        return
    name, line = (block.name, block.sourceline or 1) if block is not None else ("p", 1)
    if name in _HEADINGS:
        text = f"{'#' * _HEADINGS[name]} {text}"
    yield line, f"- {text}" if name == "li" else text.lstrip("#") if name not in _HEADINGS else text
    if name not in ("li", "tr"):
        yield line, ""


def _pdf_lines(data: bytes) -> Iterator[Line]:
    from pypdf import PdfReader

    with _unreadable_if_broken("PDF"), _quiet("pypdf"):
        pdf = PdfReader(BytesIO(data))
        if pdf.is_encrypted and not pdf.decrypt(""):
            raise Unreadable("it is encrypted with a password")
        pages = [page.extract_text() for page in pdf.pages]
    for number, text in enumerate(pages, start=1):
        yield from ((number, line) for line in text.splitlines())
        yield number, ""


@contextmanager
def _unreadable_if_broken(kind: str) -> Iterator[None]:
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are files
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise Unreadable(f"it is a broken {kind} ({told})"[:200]) from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A library that warns of every oddity is silent for a while: what fails is in the report."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
