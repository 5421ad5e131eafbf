"""SQLite's errors as ours, for every kind of file that is kept: playbooks, studies, indexes of documents.

What the machine is to blame for is the same for all of them. What is wrong with the file itself, each adds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ace.errors import StoreBusy, StoreError, StoreUnwritable

ErrorKind = tuple[type[StoreError], str, str]
"""The error to raise, what happened (after the path), and the hint on what to do."""


def list_machine_errors(another: str) -> dict[int, ErrorKind]:
    """Return our errors for locks, rights and disks, by SQLite's primary result code.

    `another` completes the hint "or give another ...".
    """
    rights = f"Check that its folder exists and that you may write to both, or give another {another}."
    return {
        sqlite3.SQLITE_BUSY: (
            StoreBusy,
            "is locked by another process",
            "Try again when it is done: nothing was written.",
        ),
        sqlite3.SQLITE_FULL: (
            StoreUnwritable,
            "could not grow: the disk is full",
            "Free some space and run the command again: everything acknowledged so far is kept.",
        ),
        sqlite3.SQLITE_READONLY: (StoreUnwritable, "is read-only", rights),
        sqlite3.SQLITE_CANTOPEN: (StoreUnwritable, "cannot be opened", rights),
        sqlite3.SQLITE_PERM: (StoreUnwritable, "cannot be opened", rights),
        sqlite3.SQLITE_IOERR: (
            StoreUnwritable,
            "could not be read or written",
            "Check its disk, quota and limit on file sizes: everything acknowledged so far is kept.",
        ),
    }


def convert_error(
    error: sqlite3.Error, path: Path, kinds: Mapping[int, ErrorKind], default: ErrorKind
) -> StoreError:
    """Return our error for one of SQLite's, by its primary result code; `default` where `kinds` lacks it."""
    primary = getattr(error, "sqlite_errorcode", -1) & 0xFF
    error_type, problem, hint = kinds.get(primary, default)
    return error_type(f"{path} {problem} ({error}).", hint=hint, path=str(path))


@contextmanager
def converted_errors(path: Path, kinds: Mapping[int, ErrorKind], default: ErrorKind) -> Iterator[None]:
    """Raise every sqlite3 error of this block as one of ours, by its code."""
    try:
        yield
    except sqlite3.Error as error:
        raise convert_error(error, path, kinds, default) from error
