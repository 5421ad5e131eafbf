"""The lead of learners on a playbook file: a lock of the system on a file beside it, which says who has it.

A process that ends lets go of it, however it ends. The file of the lock stays: whoever waits has it open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from ace.errors import StoreBusy, StoreUnwritable
from ace.store.process_mark import ProcessState, check_process, mark_process


@contextmanager
def lead_on_file(path: Path, branch: str, task: str) -> Iterator[None]:
    """Be the only one that learns from the feedback on a task on a branch of a file until the block ends.

    Raises StoreBusy, which says who does, and StoreUnwritable where the lock's file cannot be made.
    """
    from filelock import FileLock, Timeout

    file = _find_lock(path, branch, task)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = find_leader(path, branch, task) or "Another process"
        raise StoreBusy(
            f"{who} learns from feedback on {task} on branch {branch} of {path} already.",
            hint="Wait until it is done. What was reported is kept for it.",
            path=str(path),
        ) from None
    except OSError as error:
        hint = "Check that you may write to its folder."
        raise StoreUnwritable(f"{file} could not be locked ({error}).", hint=hint, path=str(path)) from error
    try:
        with suppress(OSError):  # some systems let nobody write to what is locked
            file.write_text(json.dumps(mark_process(path)), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # or it is gone with its folder
            file.write_text("", encoding="utf-8")
        lock.release()


def find_leader(path: Path, branch: str, task: str) -> str:
    """Return which process learns from the feedback on a task: for people, "" for none."""
    try:
        mark = json.loads(_find_lock(path, branch, task).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is not there, or empty
        return ""
    if check_process(mark, path) in (ProcessState.GONE, ProcessState.ELSEWHERE):
        return ""
    return f"Process {mark['pid']}"


def _find_lock(path: Path, branch: str, task: str) -> Path:
    """Return the path of the lock's file: beside the playbook, one for each branch and task."""
    whole = path.resolve()
    digest = blake2b(json.dumps([branch, task]).encode(), digest_size=4).hexdigest()
    return whole.with_name(f".{whole.name}-learner-{digest}")
