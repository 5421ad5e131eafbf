"""Reads text files of a task: every way in which one can be unreadable becomes a TaskError that names it."""

from __future__ import annotations

from pathlib import Path

from ace.errors import TaskError


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark. Line ends stay as they are.

    Raises TaskError, with the line where bytes are not UTF-8.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TaskError(f"Cannot read the file: {error.strerror or error}.", file=str(path)) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        hint = "Save the file as UTF-8."
        raise TaskError("Not valid UTF-8.", hint=hint, file=str(path), line=line) from error
