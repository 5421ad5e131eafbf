"""Where text goes: results to stdout, everything else to stderr, so that `--json` stays one object.

Whoever reads may stop (`| head -1`). Then the rest is not written, and the command ends as it would have.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any, TextIO


def emit(as_json: bool, data: dict[str, Any], text: str) -> None:
    """The result of a command, as one JSON object or as text."""
    _tell(sys.stdout, json.dumps(data, ensure_ascii=False, indent=2, default=_plain) if as_json else text)


def line(data: dict[str, Any]) -> None:
    """One JSON object on a line of its own, for a program that reads as it goes.

    BrokenPipeError when it has stopped reading: more answers are of no use to it.
    """
    _write(sys.stdout, json.dumps(data, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def note(text: str) -> None:
    """Something a person should see beside the result."""
    _tell(sys.stderr, text)


def width() -> int:
    """Columns to fill: the terminal's, but no more than reads well."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


def reader_gone(stream: TextIO) -> bool:
    """Whether nobody reads a stream any more. It takes an empty line to find out."""
    try:
        stream.write("\n")
        stream.flush()
    except BrokenPipeError:
        _lead_nowhere(stream)
        return True
    return False


def _tell(stream: TextIO, text: str) -> None:
    try:
        _write(stream, text)
    except BrokenPipeError:
        _lead_nowhere(stream)


def _lead_nowhere(stream: TextIO) -> None:
    """Python writes what is left in a stream when it ends, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    print(_printable(text) if stream.isatty() else text, file=stream, flush=True)


def _printable(text: str) -> str:
    """Bullets and answers come from a model, and a terminal obeys escape codes."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
