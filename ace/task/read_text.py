"""Reads text files of a task: every way in which one can be unreadable becomes a TaskError that names it."""

from __future__ import annotations

from pathlib import Path

from ace.errors import TaskError
from ace.text.plain_file import decode_text, find_obstacle


def read_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark. Line ends stay as they are.

    It is UTF-8, or what its mark says. Raises TaskError, with the line, for other bytes.
    """
    raw = read_bytes(path)
    try:
        return decode_text(raw)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        hint = "Save the file as UTF-8."
        raise TaskError("Not valid UTF-8.", hint=hint, file=str(path), line=line) from error


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises TaskError for one that cannot be read, a pipe or a device."""
    obstacle = find_obstacle(path)
    if obstacle:
        raise TaskError(f"Cannot read the file: {obstacle}.", file=str(path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"Cannot read the file: {error.strerror or error}.", file=str(path)) from error
