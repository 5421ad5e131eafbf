"""Tell in which encoding a table is that is not UTF-8: by its letters, as languages use them.

The detector is `chardet`, whose guesses are sifted. Windows-1252 is what Excel writes in most of Europe and
America: another one has to be likelier, and where two fit about equally well, both are named.
"""

from __future__ import annotations

import re
from pathlib import Path

import regex

WESTERN = "cp1252"
_WITH_LETTERS = (  # a byte each; those that differ in nothing that is printed stand once
    *(WESTERN, "cp1250", "iso8859-2", "cp1254", "cp1257", "cp1251", "koi8-r", "cp1253", "cp1255", "cp1256"),
    *("cp874", "mac-roman", "cp850", "cp852"),
)
_WITH_SYLLABLES = ("cp932", "euc-jp", "gb18030", "big5", "cp949")
_FEW = 4  # different bytes beyond ASCII: fewer, as "25 °C" in each line, are no text in Chinese
_LIKELIER = 1.05  # by this factor
_CLEARLY = 1.02  # the same between two others
_BLOCK = 1 << 20  # bytes
_ENOUGH = 100_000  # bytes
_SHOWN = 24  # characters of an example
_NO_TEXT = re.compile("[\x80-\x9f\u2500-\u259f]")  # controls, and lines of boxes
_MIXED = regex.compile(r"\p{Latin}(?!\p{Latin})\p{L}|(?!\p{Latin})\p{L}\p{Latin}")  # scripts in a word
_IN_WORD = re.compile(r"[A-Za-z][^\x00-\x7f]")
_SEPARATORS = re.compile(r"[\s,;|\"]+")


def sample_foreign_lines(file: Path) -> bytes:
    """Return lines of a file that are not all ASCII, from its beginning, about as many as tell its language.

    Raises OSError.
    """
    sample = bytearray()
    with file.open("rb") as opened:
        while len(sample) < _ENOUGH and (block := opened.read(_BLOCK)):
            lines = block.split(b"\n")
            if len(block) == _BLOCK and len(lines) > 1:
                del lines[-1]  # it is cut, perhaps within a character
            sample += b"\n".join(line for line in lines if not line.isascii()) + b"\n"
    return bytes(sample)


def list_readings(sample: bytes) -> dict[str, str]:
    """Return the encodings that lines may be in, the likeliest first, each with a word that it reads.

    One alone is sure enough; of several it is the first word that they read differently. There is none where
    most lines are UTF-8, so that some are damaged, and for bytes that are no text.
    """
    import chardet

    lines = [line for line in sample.splitlines() if line]
    if not lines or 2 * sum(map(_is_utf8, lines)) > len(lines):
        return {}
    has_few = len({byte for byte in sample if byte > 0x7F}) < _FEW
    guesses = chardet.detect_all(
        sample,
        ignore_threshold=True,
        compat_names=False,  # but Python's
        prefer_superset=False,
        include_encodings=_WITH_LETTERS if has_few else _WITH_LETTERS + _WITH_SYLLABLES,
    )
    likeliness: dict[str, float] = {}
    words: dict[str, list[str]] = {}
    known = set[str]()
    for guess in guesses:
        name = str(guess["encoding"])
        try:
            text = sample.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        letters = {sign for sign in text if sign > "\x7f" and sign.isalpha()}
        foreign = [word for word in _SEPARATORS.split(text) if not word.isascii()]
        if name == WESTERN and len(letters) < 2 and not _IN_WORD.search(text):  # signs tell no language
            words = {WESTERN: foreign}
            likeliness = {WESTERN: 1.0}
            break
        worded = [word for word in foreign if not letters.isdisjoint(word)]
        mixed = sum(bool(_MIXED.search(word)) for word in worded)
        if text in known or _NO_TEXT.search(text) or 2 * mixed > len(worded):
            continue
        known.add(text)
        likeliness[name] = guess["confidence"]
        words[name] = foreign
    best = max(likeliness.values(), default=0.0)
    near = [name for name in words if _CLEARLY * likeliness[name] >= best]
    if WESTERN in words and _LIKELIER * likeliness[WESTERN] >= best:
        near = [WESTERN]
    elif len(near) > 1 and WESTERN in words:  # who is asked anyway may know better
        near.append(WESTERN)
    shown: tuple[str, ...] = ()
    for reading in zip(*(words[name] for name in near), strict=False):
        shown = shown or reading
        if len(set(reading)) > 1:
            shown = reading
            break
    return {name: word[:_SHOWN] for name, word in zip(near, shown, strict=True)}


def _is_utf8(line: bytes) -> bool:
    """Return whether a line is UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
