"""Files of a folder that are documents, and the reasons why others are not. Opens none of them.

Links are not followed: a target outside the folder was not given to us, and one inside is met by itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ace.errors import InputError
from ace.text.sizes import format_size

LARGEST = 20_000_000  # bytes
MARKDOWN = {".md", ".markdown"}
TEXT = {".txt", ".text", ".rst"}
HTML = {".html", ".htm", ".xhtml"}
PDF = {".pdf"}
KINDS = MARKDOWN | TEXT | HTML | PDF


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """Name a file, a link or a folder that is not in the index, and the reason."""

    path: str
    """Its path below the folder of documents, with "/" between its parts."""

    reason: str
    """What is wrong with it, for people: "hidden", "line 3 is not UTF-8"."""


def list_documents(folder: Path) -> tuple[list[str], list[SkippedFile]]:
    """Return paths below `folder` with "/" between their parts, sorted, and the files that were left out.

    Raises InputError where there is no such folder, it cannot be looked into, or nothing is in it.
    """
    if not folder.is_dir():
        hint = "Give the folder that holds the documents."
        raise InputError(f"There is no folder {folder}.", hint=hint, folder=str(folder))
    try:
        empty = next(folder.iterdir(), None) is None
    except OSError as error:
        raise InputError(f"Cannot look into {folder}: {error.strerror}.", folder=str(folder)) from error
    if empty:
        hint = "Documents are Markdown, text, HTML or PDF files."
        raise InputError(f"The folder {folder} is empty.", hint=hint, folder=str(folder))
    paths: list[str] = []
    skipped: list[SkippedFile] = []
    for path, reason in _walk_folder(folder):
        name = path.relative_to(folder).as_posix()
        if reason:
            printable = os.fsencode(name).decode("utf-8", "replace")
            skipped.append(SkippedFile(printable, reason))
        else:
            paths.append(name)
    return sorted(paths), sorted(skipped, key=lambda file: file.path)


def _walk_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file with the reason to leave it out, or ""; of folders only those that are left out."""
    failures: list[tuple[Path, str]] = []

    def note_failure(error: OSError) -> None:
        """Keep a folder that cannot be looked into: `os.walk` would pass over it in silence."""
        failures.append((Path(error.filename), f"cannot look into it: {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=note_failure):
        here = Path(place)
        for name in sorted(folders):
            reason = _check_entry(here / name, folder)
            if reason:
                folders.remove(name)  # `os.walk` then stays out of it
                yield here / name, reason
        folders.sort()
        for name in names:
            path = here / name
            yield path, _check_entry(path, folder, is_file=True)
    yield from failures


def _check_entry(path: Path, root: Path, *, is_file: bool = False) -> str:
    """Return the reason to leave out a file or a folder, or ""."""
    if path.is_symlink():
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "a link that leads nowhere"
        if target.is_relative_to(root.resolve()):
            return "a link into the folder, which is indexed by itself"
        return "a link that leaves the folder"
    if path.name.startswith("."):
        return "hidden"
    if is_file and path.suffix.lower() not in KINDS:
        return "not Markdown, text, HTML or PDF"
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if not is_file:
        return ""
    try:
        status = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size > LARGEST:
        return f"larger than the {format_size(LARGEST)} that a document may have"
    return ""
