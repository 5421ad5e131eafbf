"""Bytes of a document to numbered lines, by its kind. Markdown and text need nothing; HTML and PDF an extra.

A file that cannot be read raises Unreadable with the reason. Texts are data: nothing in them is run or
followed, and what a reader of the page would not see (scripts, comments, hidden elements) is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from ace.errors import InputError
from ace.retrieval.documents.chunks import Chunk, Line, split_into_chunks
from ace.retrieval.documents.document_folder import HTML, MARKDOWN, PDF
from ace.store.sqlite_text import replace_lone_surrogates
from ace.text.unicode import has_visible_text

EXTRA = "Install the extra `documents`: pip install 'ace-engine[documents]'."
_NEEDS = ((HTML, "bs4", "HTML", "beautifulsoup4"), (PDF, "pypdf", "PDF", "pypdf"))
_UNSEEN = ["script", "style", "template", "noscript", "head"]
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {
    *_HEADINGS,
    *("p", "li", "tr", "pre", "blockquote", "dt", "dd", "div", "section", "article", "caption"),
    *("figcaption", "ul", "ol", "table", "body", "main", "header", "footer", "aside", "nav"),
}


class Unreadable(Exception):
    """Say why a file is not in the index. It ends as a line of the report, and reaches nobody else."""


def require_extras(paths: Iterable[str]) -> None:
    """Raise InputError that says what to install, when one of these files cannot be read without it.

    Markdown and text need nothing. Nothing is imported.
    """
    for path in paths:
        for suffixes, module, kind, package in _NEEDS:
            if _get_suffix(path) in suffixes and find_spec(module) is None:
                raise InputError(f"{path} is {kind}, which needs the package `{package}`.", hint=EXTRA)


def read_chunks(path: str, data: bytes) -> tuple[Chunk, ...]:
    """Return the chunks of a document, which is read by the ending of its path.

    Raises Unreadable for a file that is broken, encrypted, no UTF-8 text, or holds no text that can be seen.
    """
    suffix = _get_suffix(path)
    lines: Iterable[Line]
    if suffix in HTML:
        lines = _read_html(data)
    elif suffix in PDF:
        lines = _read_pdf(data)
    else:
        lines = _read_text(data)
    # Neither SQLite nor a tokenizer takes halves of surrogate pairs.
    clean = [(number, replace_lone_surrogates(text).rstrip()) for number, text in lines]
    chunks = split_into_chunks(clean, markdown=suffix in MARKDOWN | HTML)
    if not any(has_visible_text(chunk.text) for chunk in chunks):
        hint = " (scanned pages?)" if suffix in PDF else ""
        raise Unreadable(f"it holds no text{hint}")
    return chunks


def has_pages(path: str) -> bool:
    """Return True if the numbers of a document's chunks count pages, False if they count lines."""
    return _get_suffix(path) in PDF


def _get_suffix(path: str) -> str:
    """Return the ending of a path in lower case, with its dot."""
    return PurePosixPath(path).suffix.lower()


def _read_text(data: bytes) -> Iterator[Line]:
    """Yield the lines of a text in UTF-8, whatever its line ends. Raises Unreadable."""
    if b"\0" in data:
        raise Unreadable("it is binary, not text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    yield from enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)


def _read_html(data: bytes) -> Iterator[Line]:
    """Yield lines as Markdown, numbered as in the file: headings with their #, a line for any other block."""
    from bs4 import BeautifulSoup
    from bs4.element import Comment, NavigableString

    page = "\n".join(text for _, text in _read_text(data))
    with _convert_errors("HTML page"):
        soup = BeautifulSoup(page, "html.parser")
        for tag in soup.find_all(_is_unseen):
            tag.extract()
        parts: list[str] = []
        block: Any = None
        for text in soup.find_all(string=True):
            if isinstance(text, Comment) or type(text) is not NavigableString:
                continue
            parent = next((tag for tag in text.parents if tag.name in _BLOCKS), None)
            if parent is not block:
                yield from _format_block(block, parts)
                block, parts = parent, []
            in_cell = text.find_parent(["td", "th"]) is not None
            if in_cell and parts and text.strip():
                parts.append(f" | {text}")
            else:
                parts.append(str(text))
        yield from _format_block(block, parts)


def _is_unseen(tag: Any) -> bool:
    """Return True if a browser shows nothing of an element."""
    style = str(tag.get("style") or "").replace(" ", "").lower()
    is_hidden = tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style
    return tag.name in _UNSEEN or is_hidden


def _format_block(block: Any, parts: list[str]) -> Iterator[Line]:
    """Yield a paragraph, and a blank line where a chunk may end: not between rows or list items."""
    text = " ".join("".join(parts).split())
    if not text:
        return
    name, line = "p", 1
    if block is not None:
        name, line = block.name, block.sourceline or 1
    if name in _HEADINGS:
        text = f"{'#' * _HEADINGS[name]} {text}"
    elif name == "li":
        text = f"- {text}"
    else:
        text = text.lstrip("#")  # no heading of ours
    yield line, text
    if name not in ("li", "tr"):
        yield line, ""


def _read_pdf(data: bytes) -> Iterator[Line]:
    """Yield the lines of a PDF with the numbers of their pages, a blank line behind each page."""
    from pypdf import PdfReader

    with _convert_errors("PDF"), _mute_logger("pypdf"):
        pdf = PdfReader(BytesIO(data))
        if pdf.is_encrypted and not pdf.decrypt(""):
            raise Unreadable("it is encrypted with a password")
        pages = [page.extract_text() for page in pdf.pages]
    for number, text in enumerate(pages, start=1):
        for line in text.splitlines():
            yield number, line
        yield number, ""


@contextmanager
def _convert_errors(kind: str) -> Iterator[None]:
    """Turn whatever a library raises for a broken file into Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are files
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise Unreadable(f"it is a broken {kind} ({reason})"[:200]) from error


@contextmanager
def _mute_logger(name: str) -> Iterator[None]:
    """Silence a library that warns of every oddity; what fails is in the report."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
