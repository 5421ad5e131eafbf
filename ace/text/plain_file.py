"""Tells files from what only looks like one, decodes their text, and names them in faults.

A pipe or a device would be read for ever.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFSOCK: "it is a socket",
}

_MARKS = (  # UTF-32's begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BEGINNING = 64  # bytes, by which an encoding without a mark is told


def find_obstacle(path: Path) -> str:
    """Return why a path cannot be read as a file, such as "it is a pipe"; "" for a file, and for nothing.

    Links are followed. Whether a file may be read is not looked at.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there, or no path: opening it says so
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "")


@contextmanager
def name_faults(file: Path) -> Iterator[None]:
    """Raise an OSError of the block with the file's name: that of a full disk does not say for which file.

    So does one that names a file beside it, which is moved into its place.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def find_encoding(data: bytes) -> tuple[str, int]:
    """Return Python's name of the encoding of a text that begins so, and the length of its byte order mark.

    Without a mark, UTF-16 is told by its zeros; anything else counts as UTF-8.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = data[place:_BEGINNING:2]
        if len(zeros) > 1 and not any(zeros) and any(data[1 - place : _BEGINNING : 2]):
            return encoding, 0
    return "utf-8", 0


def decode_text(data: bytes, errors: str = "strict") -> str:
    """Return the text of bytes: by their byte order mark, which is left out, else UTF-8.

    Without a mark, UTF-16 is told by its zeros. Raises UnicodeDecodeError, unless `errors` say otherwise: in
    UTF-16 and UTF-32, where a file may be cut within a character, what is none becomes U+FFFD then.
    """
    encoding, mark = find_encoding(data)
    is_wide = encoding != "utf-8"
    return data[mark:].decode(encoding, "replace" if is_wide and errors != "strict" else errors)
