"""Which files of a folder are documents, and why the others are not. Opens none of them.

Links are not followed: what lies outside the folder was not given to us, and what lies inside is
met by itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ace.errors import InputError

LARGEST = 20_000_000  # bytes
MARKDOWN = {".md", ".markdown"}
TEXT = {".txt", ".text", ".rst"}
HTML = {".html", ".htm", ".xhtml"}
PDF = {".pdf"}
KINDS = MARKDOWN | TEXT | HTML | PDF


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, a link or a folder that is not in the index, and why."""

    path: str
    reason: str


def documents(folder: Path) -> tuple[list[str], list[Skipped]]:
    """Paths below `folder` with "/" between their parts, sorted, and what was left out.

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
    found, skipped = list[str](), list[Skipped]()
    for path, reason in _seen(folder):
        name = path.relative_to(folder).as_posix()
        if reason:
            skipped.append(Skipped(_printable(name), reason))
        else:
            found.append(name)
    return sorted(found), sorted(skipped, key=lambda each: each.path)


def _seen(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file with the reason to leave it out, or ""; of folders only those that are left out."""
    failed: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        failed.append((Path(error.filename), f"cannot look into it: {error.strerror}"))

    for place, folders, files in os.walk(folder, onerror=note):
        here = Path(place)
        for name in sorted(folders):
            if reason := _folder_reason(here / name, folder):
                folders.remove(name)
                yield here / name, reason
        folders.sort()
        for name in files:
            yield here / name, _file_reason(here / name, folder)
    yield from failed


def _folder_reason(path: Path, root: Path) -> str:
    if path.is_symlink():
        return _link_reason(path, root)
    if path.name.startswith("."):
        return "hidden"
    return "" if _encodable(path.name) else "its name is not UTF-8"


def _file_reason(path: Path, root: Path) -> str:
    if path.is_symlink():
        return _link_reason(path, root)
    if path.name.startswith("."):
        return "hidden"
    if path.suffix.lower() not in KINDS:
        return "not Markdown, text, HTML or PDF"
    if not _encodable(path.name):
        return "its name is not UTF-8"
    try:
        status = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size > LARGEST:
        return f"{status.st_size / 1e6:.0f} MB, more than the {LARGEST / 1e6:.0f} MB that a document may have"
    return ""


def _link_reason(path: Path, root: Path) -> str:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    if target.is_relative_to(root.resolve()):
        return "a link into the folder, which is indexed by itself"
    return "a link that leaves the folder"


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
