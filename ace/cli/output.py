"""Where text goes: results to stdout, everything else to stderr, so that `--json` stays one object.

A reader may stop (`| head -1`). Then the rest is not written, and the command ends as it would have.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from ace.text.unicode import SURROGATE


def emit(as_json: bool, data: dict[str, Any], text: str) -> None:
    """Print the result of a command, as one JSON object or as text.

    Values that JSON has no form for become lists or texts. Nothing is raised where the reader has stopped.
    """
    if as_json:
        text = _to_json(data, indent=2)
    _write_if_read(sys.stdout, text)


def emit_line(data: dict[str, Any]) -> None:
    """Print one JSON object on a line of its own, for a program that reads as it goes.

    Raises BrokenPipeError when it has stopped reading: more answers are of no use to it.
    """
    _write(sys.stdout, _to_json(data))


def set_up_streams() -> None:
    """Have a console that lacks a character, as with cp1252 or ASCII, show its escape instead of failing.

    Lines that come in are UTF-8, as JSON is; bytes that are not become U+FFFD. What goes to a stream that was
    closed before the start is discarded.
    """
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (for as long as we run)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper) and not sys.stdin.isatty():
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


def read_argument(argument: str) -> str:
    """Return a text of the command line as what it says, where the locale knows ASCII only.

    Python has half characters there for the bytes that it could not read. What is a path keeps them.
    """
    if not SURROGATE.search(argument):
        return argument
    path = Path(argument)
    is_path = " " not in argument and (path.suffix or os.sep in argument)
    try:
        if is_path or path.exists():
            return argument
    except OSError:  # no path is as long
        pass
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        return argument


def can_show(text: str) -> bool:
    """Return whether stdout has every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _to_json(data: dict[str, Any], indent: int | None = None) -> str:
    """Return an object as JSON, with escapes of its own where stdout lacks a character."""
    text = json.dumps(data, ensure_ascii=False, indent=indent, default=_plain)
    if can_show(text):
        return text
    return json.dumps(data, indent=indent, default=_plain)


def _plain(value: object) -> object:
    """Return what JSON has no form for as a list or text."""
    return sorted(value) if isinstance(value, frozenset) else str(value)


def note(text: str) -> None:
    """Print something that a person should see beside the result, on stderr."""
    _write_if_read(sys.stderr, text)


def note_left_out(faults: Iterable[object]) -> list[str]:
    """Print what of a file was left out, and why, and return the texts. Secrets in them are hidden."""
    from ace.safety.secrets import hide_secrets

    texts = [hide_secrets(str(fault)) for fault in faults]
    for text in texts:
        note(f"left out: {text}")
    return texts


def width() -> int:
    """Return the columns to fill: the terminal's, but no more than reads well."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


def has_lost_reader(stream: TextIO) -> bool:
    """Tell whether nobody reads a stream any more. It takes an empty line to find out."""
    try:
        stream.write("\n")
        stream.flush()
    except BrokenPipeError:
        _redirect_to_null(stream)
        return True
    return False


def _write_if_read(stream: TextIO, text: str) -> None:
    """Write a text with a line break, or nothing once the reader has stopped."""
    try:
        _write(stream, text)
    except BrokenPipeError:
        _redirect_to_null(stream)


def _redirect_to_null(stream: TextIO) -> None:
    """Discard the rest: Python writes what is left in a stream when it ends, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    """Write a text with a line break. Raises BrokenPipeError once the reader has stopped."""
    print(make_printable(text) if stream.isatty() else text, file=stream, flush=True)


def make_printable(text: str) -> str:
    """Show escape codes as text: bullets and answers come from a model, and a terminal obeys them."""
    characters = []
    for character in text:
        if character.isprintable() or character in "\n\t":
            characters.append(character)
        else:
            characters.append(f"\\x{ord(character):02x}")
    return "".join(characters)
