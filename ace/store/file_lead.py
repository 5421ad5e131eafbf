"""The lead of learners on a playbook file: a lock of the system on a file beside it, which says who has it.

A process that ends lets go of it, however it ends, and the file of the lock stays. One that hangs keeps its
lock. So whoever leads touches the file every two seconds; where that stays away, another one puts a new file
in its place, and locks that. It does so in the turn of a writer of the playbook, and whoever leads looks in
its own turns whether the file is still the one that it has locked. So one that was replaced writes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ace.errors import LeadLost, StoreBusy, StoreUnwritable
from ace.store.lead_signs import SILENCE, Pulse, SilenceCounter, give_signs
from ace.store.process_mark import ProcessState, check_process, mark_process

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_SIGNS = "signs"  # the key of a mark whose process gives signs of life, and looks whether it was replaced


@dataclass(frozen=True, slots=True)
class FileLead:
    """Hold what a process leads, and the file that it has locked for it."""

    place: Path
    """The playbook."""

    branch: str
    task: str

    file: Path
    """Where the file of the lock is, as long as nobody has put another one there."""

    descriptor: int
    """The file itself, as the system has it open."""

    def check(self) -> None:
        """Raise LeadLost where another process has taken the lead meanwhile, or has had it."""
        if _is_at(self.descriptor, self.file):
            return
        raise LeadLost(
            f"Another process has taken the lead of {self.task} on branch {self.branch} of {self.place},"
            " because this one gave no sign of life.",
            hint="What was committed is kept, and what was reported waits for the next learner.",
            path=str(self.place),
        )

    def give_sign(self) -> None:
        """Give a sign of life, which changes the time of the file."""
        with suppress(OSError):
            os.utime(self.descriptor)


@contextmanager
def lead_on_file(
    place: Path,
    branch: str,
    task: str,
    counter: SilenceCounter,
    turn: Callable[[], AbstractContextManager[Any]],
    *,
    pulse: Pulse,
) -> Iterator[FileLead]:
    """Be the only one that learns from the feedback on a task on a branch of a file until the block ends.

    `counter` is always the same one for these three, and knows for how long a leader was silent; `turn`
    begins a transaction that lets in no other writer. Signs of life are given while `pulse` beats. Raises
    StoreBusy, which says who leads, and StoreUnwritable where the lock's file cannot be made.
    """
    file = _find_lock(place, branch, task)
    with ExitStack() as stack:
        descriptor = _lock(file, stack)
        if descriptor is None and counter.look(_stamp(file)) >= SILENCE and _gives_signs(file):
            with turn(), suppress(OSError):  # some systems remove no file that is open
                if counter.look(_stamp(file)) >= SILENCE:  # nobody was faster, and it is still silent
                    file.unlink()
                    descriptor = _lock(file, stack)
        if descriptor is None:
            who = find_leader(place, branch, task) or "Another process"
            raise StoreBusy(
                f"{who} learns from feedback on {task} on branch {branch} of {place} already.",
                hint="Wait until it is done. What was reported is kept for it.",
                path=str(place),
            )
        lead = FileLead(place, branch, task, file, descriptor)
        can_give_signs = os.utime in os.supports_fd
        mark = mark_process(place) | {_SIGNS: can_give_signs}
        with suppress(OSError):  # some systems let nobody write to what is locked
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(mark).encode())
        if can_give_signs:
            stack.enter_context(give_signs(lead.give_sign, pulse))
        yield lead


def find_leader(place: Path, branch: str, task: str) -> str:
    """Return which process learns from the feedback on a task: for people, "" for none."""
    mark = _read_mark(_find_lock(place, branch, task))
    if not mark or check_process(mark, place) in (ProcessState.GONE, ProcessState.ELSEWHERE):
        return ""
    return f"Process {mark['pid']}"


def _lock(file: Path, stack: ExitStack) -> int | None:
    """Lock a file until the stack ends, and return its descriptor; None where another process has it.

    Raises StoreUnwritable where the file cannot be made or locked.
    """
    from filelock import FileLock, Timeout

    with ExitStack() as own:
        try:
            descriptor = os.open(file, _FLAGS, 0o644)
            own.callback(os.close, descriptor)
            lock = FileLock(file)
            lock.acquire(timeout=0)
            own.callback(lock.release)
        except Timeout:
            return None
        except OSError as error:
            hint = "Check that you may write to its folder."
            message = f"{file} could not be locked ({error})."
            raise StoreUnwritable(message, hint=hint, path=str(file)) from error
        if not _is_at(descriptor, file):  # another one was put there before the lock was taken
            return None
        own.callback(_clear, descriptor)
        stack.push(own.pop_all())
    return descriptor


def _is_at(descriptor: int, file: Path) -> bool:
    """Tell whether an open file is still the one at its path: no file is put there for a second time."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except OSError:
        return False


def _clear(descriptor: int) -> None:
    """Say in a lock's file that nobody has it."""
    with suppress(OSError):  # or it is gone with its folder
        os.ftruncate(descriptor, 0)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return what a sign of life changes, and a new file in the place of this one; None for no file."""
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns


def _gives_signs(file: Path) -> bool:
    """Tell whether whoever has locked a file gives signs of life: an earlier release does not."""
    return bool(_read_mark(file).get(_SIGNS))


def _read_mark(file: Path) -> dict[str, Any]:
    """Return what a lock's file says of its process; nothing where it is not there, or empty."""
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _find_lock(place: Path, branch: str, task: str) -> Path:
    """Return the path of the lock's file: beside the playbook, one for each branch and task."""
    whole = place.resolve()
    digest = blake2b(json.dumps([branch, task]).encode(), digest_size=4).hexdigest()
    return whole.with_name(f".{whole.name}-learner-{digest}")
