"""Backups: copying the file while it is in use, and putting a copy back. No file is ever overwritten.

Knows nothing about tables; `verify` says whether a copy is whole.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from ace.errors import InputError, NotAPlaybook, StoreBusy
from ace.store.sqlite_connection import exclusive_access, typed_errors
from ace.store.store_database import Database, Place, parse_place, require_file

_FREE_NAME = "Give a name that is free: nothing is overwritten."
_SIDE_FILES = ("", "-wal", "-shm")  # what SQLite keeps beside a file that is in use


def write(db: Database, target: Path) -> Path:
    """Copy one moment of the file, whatever others do meanwhile. The target appears complete or not at all.

    Raises InputError where `target` exists.
    """
    if target.exists() or target.is_symlink():  # a link to nothing is there, too
        raise InputError(f"{target} is there already.", hint=_FREE_NAME)
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    try:
        db.copy_to(part)
        _publish(part, target)
    finally:
        for end in _SIDE_FILES:
            Path(f"{part}{end}").unlink(missing_ok=True)
    return target


def restore(backup: str | Path, path: str | Place, *, timeout: float = 10.0) -> Path | None:
    """Put a backup in the place of `path`. Return the new name of the file that was there, if there was one.

    Raises NotAPlaybook when the backup is not whole, StoreBusy while somebody uses `path`, InputError for a
    playbook on a server.
    """
    from ace.store.store import Store

    backup, path = require_file(backup, "A backup"), parse_place(path)
    if not isinstance(path, Path):
        hint = f"`ace playbook push URL --playbook {backup}` fills an empty one with it."
        raise InputError("A backup cannot take the place of a playbook on a server.", hint=hint)
    new = path.with_name(f"{path.name}.part-{os.getpid()}")
    old = None
    try:
        with Store.open(backup, create=False, read_only=True) as store:
            problems = store.verify()
            if problems:
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                raise NotAPlaybook(
                    f"{backup} is damaged: {problems[0]}{more}", hint="Restore another backup."
                )
            store.backup(new)
        with ExitStack() as lock:  # until the new file has the name: a write to the old one would be lost
            if path.exists():
                old = _set_aside(path, timeout, lock)
            _publish(new, path, replace=old is not None)
    finally:
        new.unlink(missing_ok=True)
    return old


def _set_aside(path: Path, timeout: float, lock: ExitStack) -> Path:
    """Give the existing file, whole or not, a second name, and return it.

    Raises StoreBusy while somebody uses it. While `lock` is open nobody else can open a file that is whole.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = path.with_name(f"{path.name}.before-{stamp}")
    sides = [(Path(f"{path}{end}"), Path(f"{aside}{end}")) for end in ("-wal", "-shm")]
    for side, copy in sides:  # SQLite clears away what it finds beside a file that it cannot read
        if side.exists():
            os.link(side, copy)
    try:
        whole = _lock_if_whole(path, timeout, lock)
    except BaseException:
        for _, copy in sides:
            copy.unlink(missing_ok=True)
        raise
    os.link(path, aside)
    for side, copy in sides:
        side.unlink(missing_ok=True)  # a new file must not find them
        if whole:
            copy.unlink(missing_ok=True)
    return aside


def _lock_if_whole(path: Path, timeout: float, lock: ExitStack) -> bool:
    """Lock the file, and return False for one that is damaged or no playbook, which may be replaced, too."""
    try:
        with typed_errors(path):
            lock.enter_context(exclusive_access(path, timeout))
    except NotAPlaybook:
        return False
    except StoreBusy as error:
        hint = "Stop what uses it, then restore again."
        raise StoreBusy(f"{path} is in use by another process.", hint=hint, path=str(path)) from error
    return True


def _publish(part: Path, target: Path, *, replace: bool = False) -> None:
    """Give a finished file its name, durably. Unlike a rename, a link fails where somebody was faster."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if replace:
        part.replace(target)
    else:
        try:
            os.link(part, target)
        except FileExistsError as error:
            raise InputError(f"{target} is there already.", hint=_FREE_NAME) from error
    folder = os.open(target.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
