"""Bytes of a document to numbered lines, by its kind. Markdown and text need nothing; HTML and PDF an extra.

A file that cannot be read raises Unreadable with the reason. Texts are data: nothing in them is run or
followed, and what a reader of the page would not see (scripts, comments, hidden elements) is dropped.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import PurePosixPath

from ace.errors import InputError
from ace.retrieval.documents.broken_words import join_broken_words
from ace.retrieval.documents.chunks import Chunk, Line, split_into_chunks
from ace.retrieval.documents.document_folder import HTML, MARKDOWN, PDF
from ace.retrieval.documents.html_reader import read_page
from ace.store.sqlite_text import replace_lone_surrogates
from ace.text.character_pairs import list_index_terms
from ace.text.unicode import has_visible_text

EXTRA = "Install the extra `documents`: pip install 'ace-engine[documents]'."
_NEEDS = ((HTML, "bs4", "HTML", "beautifulsoup4"), (PDF, "pypdf", "PDF", "pypdf"))

# What browsers take for the names of older sets of characters.
_ENCODINGS = {
    **dict.fromkeys(("iso-8859-1", "latin-1", "latin1", "ascii", "us-ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    "big5": "big5hkscs",
    "iso-8859-9": "cp1254",
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
    readings: dict[str, str] = {}
    if suffix in HTML:
        page = "\n".join(text for _, text in _read_text(data, is_page=True))
        with _convert_errors("HTML page"):
            lines = list(read_page(page))
    elif suffix in PDF:
        lines, readings = join_broken_words(list(_read_pdf(data)))
    else:
        lines = _read_text(data)
    # Neither SQLite nor a tokenizer takes halves of surrogate pairs.
    clean = [(number, replace_lone_surrogates(text).rstrip()) for number, text in lines]
    chunks = split_into_chunks(clean, markdown=suffix in MARKDOWN | HTML)
    if not any(has_visible_text(chunk.text) for chunk in chunks):
        hint = " (scanned pages?)" if suffix in PDF else ""
        raise Unreadable(f"it holds no text{hint}")
    found: list[Chunk] = []
    for chunk in chunks:
        # It is found by more than its words: another reading of broken ones, and pairs.
        broken = [reading for word, reading in readings.items() if word in chunk.text]
        found.append(replace(chunk, terms=" ".join([*list_index_terms(chunk.full_text), *broken])))
    return tuple(found)


def has_pages(path: str) -> bool:
    """Return True if the numbers of a document's chunks count pages, False if they count lines."""
    return _get_suffix(path) in PDF


def _get_suffix(path: str) -> str:
    """Return the ending of a path in lower case, with its dot."""
    return PurePosixPath(path).suffix.lower()


def _read_text(data: bytes, *, is_page: bool = False) -> Iterator[Line]:
    """Yield the lines of a text, whatever its line ends. Raises Unreadable.

    It is in UTF-8, in UTF-16 where it begins with the mark of that, or as a page declares.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data:
        raise Unreadable("it is binary, not text")
    else:
        encoding = "utf-8-sig"
    declared = ""
    try:
        if is_page and b"\x1b" in data:
            raise UnicodeDecodeError(encoding, data, data.index(b"\x1b"), len(data), "an escape sequence")
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if is_page:
            from bs4.dammit import EncodingDetector

            declared = EncodingDetector.find_declared_encoding(data, is_html=True) or ""
        try:
            text = data.decode(_ENCODINGS.get(declared, declared or encoding))
        except (UnicodeDecodeError, LookupError) as wrong:
            what = f"{declared}, as it declares" if declared else "UTF-8"
            raise Unreadable(f"line {line} is not {what} ({error.reason}); save it as UTF-8") from wrong
    yield from enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)


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
