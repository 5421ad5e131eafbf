"""Where text goes: results to stdout, everything else to stderr, so that `--json` stays one object."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any, TextIO


def emit(as_json: bool, data: dict[str, Any], text: str) -> None:
    """The result of a command, as one JSON object or as text."""
    _write(sys.stdout, json.dumps(data, ensure_ascii=False, indent=2, default=_plain) if as_json else text)


def line(data: dict[str, Any]) -> None:
    """One JSON object on a line of its own, for a program that reads as it goes."""
    _write(sys.stdout, json.dumps(data, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def note(text: str) -> None:
    """Something a person should see beside the result."""
    _write(sys.stderr, text)


def width() -> int:
    """Columns to fill: the terminal's, but no more than reads well."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


def _write(stream: TextIO, text: str) -> None:
    print(_printable(text) if stream.isatty() else text, file=stream, flush=True)


def _printable(text: str) -> str:
    """Bullets and answers come from a model, and a terminal obeys escape codes."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
