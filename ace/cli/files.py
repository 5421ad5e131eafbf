"""Text files, read and written whole: bytes as they are, and never half a file."""

from __future__ import annotations

import codecs
import errno
import os
import tempfile
from pathlib import Path

from ace.errors import InputError
from ace.text.plain_file import decode_text, find_obstacle, name_faults


def read_text(file: Path, *, exact: bool = False, errors: str = "strict") -> str:
    """Return the text of a file, its line ends included: UTF-8, or what a byte order mark says.

    A mark of UTF-8 stays. `exact` takes UTF-8 alone, for files that are written back as they are; `errors`
    is Python's name for what becomes of bytes that are no text. Raises InputError where the file cannot be
    read, and with "strict" where it is no such text.
    """
    obstacle = find_obstacle(file)
    if obstacle:
        inside = file / "SKILL.md"
        hint = f"Give the file in it: {inside}." if inside.is_file() else "Give a file."
        raise InputError(f"cannot read {file}: {obstacle}.", hint=hint)
    try:
        data = file.read_bytes()
    except OSError as error:
        hint = "Check the path, and that you may read it."
        raise InputError(f"cannot read {file}: {error.strerror or error}.", hint=hint) from error
    try:
        if exact or data.startswith(codecs.BOM_UTF8):
            text = data.decode(errors=errors)
        else:
            text = decode_text(data, errors)
        if "\0" in text:
            raise InputError(f"cannot read {file}: it is binary, not text.", hint="Give a text file.")
        return text
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"cannot read {file}: line {line} is not UTF-8 text ({error.reason}).",
            hint="Save it as UTF-8 and try again.",
        ) from error


def write_text(file: Path, text: str) -> None:
    """Replace the file in one step, so that a reader or a crash finds the old text or the new one.

    A link stays a link, and the file keeps its permissions. Raises OSError where it cannot be written, also
    for a pipe that nobody reads.
    """
    try:
        target = file.resolve()
    except RuntimeError as error:
        raise OSError(f"cannot write {file}: the link leads back to itself.") from error
    if target.exists() and not target.is_file():  # a pipe or a device cannot be replaced
        try:
            handle = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            reason = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
            raise OSError(f"cannot write {file}: {reason}.") from error
        if hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
        return
    if target.exists():
        mode = target.stat().st_mode & 0o7777
    else:  # that of a new file: the mask can only be read by setting it
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    with name_faults(file):
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".ace-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(text.encode())
                out.flush()
                os.fsync(out.fileno())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
