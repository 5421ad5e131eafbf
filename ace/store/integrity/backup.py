"""A copy of the file while it is in use, and putting a copy back. Nothing that is there is ever overwritten.

Knows nothing about tables; that a copy is whole is for `verify` to say.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from ace.errors import InputError, NotAPlaybook, StoreBusy
from ace.store.connection import at_rest, typed_errors

_SIDE_FILES = ("", "-wal", "-shm")  # what SQLite keeps beside a file that is in use


def write(db: sqlite3.Connection, target: Path) -> Path:
    """SQLite's online backup: one moment of the file, whatever others do meanwhile. Complete or not there."""
    _refuse_existing(target)
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    try:
        with typed_errors(target), closing(sqlite3.connect(part, isolation_level=None)) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without the two beside it
        _publish(part, target)
    finally:
        for end in _SIDE_FILES:
            Path(f"{part}{end}").unlink(missing_ok=True)
    return target


def restore(backup: str | Path, path: str | Path, *, timeout: float = 10.0) -> Path | None:
    """Put a backup in the place of `path`. Returns where the file that was there is kept, if one was.

    Raises NotAPlaybook when the backup is not whole, StoreBusy while somebody uses `path`.
    """
    from ace.store.store import Store

    backup, path = Path(backup), Path(path)
    new = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        with Store.open(backup, create=False, read_only=True) as store:
            if problems := store.verify():
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                raise NotAPlaybook(
                    f"{backup} is damaged: {problems[0]}{more}", hint="Restore another backup."
                )
            store.backup(new)
        with ExitStack() as held:  # until the new file has the name: a write to the old one would be lost
            kept = _set_aside(path, timeout, held) if path.exists() else None
            _publish(new, path, replace=kept is not None)
    finally:
        new.unlink(missing_ok=True)
    return kept


def _refuse_existing(target: Path) -> None:
    if target.exists() or target.is_symlink():  # a link to nothing is there, too
        raise _taken(target)


def _taken(target: Path) -> InputError:
    return InputError(f"{target} is there already.", hint="Give a name that is free: nothing is overwritten.")


def _set_aside(path: Path, timeout: float, held: ExitStack) -> Path:
    """A second name for the file that is there, whole or not. Refused while somebody uses it.

    While `held` is open nobody else can open a file that is whole.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    kept = path.with_name(f"{path.name}.before-{stamp}")
    sides = [(Path(f"{path}{end}"), Path(f"{kept}{end}")) for end in ("-wal", "-shm")]
    for side, copy in sides:  # SQLite clears away what it finds beside a file that it cannot read
        if side.exists():
            os.link(side, copy)
    whole = _at_rest(path, timeout, held, [copy for _, copy in sides])
    os.link(path, kept)
    for side, copy in sides:
        side.unlink(missing_ok=True)  # a new file must not find them
        if whole:
            copy.unlink(missing_ok=True)
    return kept


def _at_rest(path: Path, timeout: float, held: ExitStack, copies: list[Path]) -> bool:
    """False for a file that is damaged, or no playbook: that is why it is to be replaced."""
    try:
        with typed_errors(path):
            held.enter_context(at_rest(path, timeout))
    except NotAPlaybook:
        return False
    except BaseException as error:
        for copy in copies:
            copy.unlink(missing_ok=True)
        if isinstance(error, StoreBusy):
            hint = "Stop what uses it, then restore again."
            raise StoreBusy(f"{path} is in use by another process.", hint=hint, path=str(path)) from error
        raise
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
            raise _taken(target) from error
    folder = os.open(target.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
