"""What waits to be recorded: exchanges, and words on them, in files of a folder of the playbook.

The process that forwards adds an entry to its open file, which is one write, and seals the file soon after by
giving it another name. The process that records reads sealed files in the order of their names, and the
open ones of processes that are gone. They hold what callers and models said, so nobody else may read them.
The folder has a bound: what comes while it is full is counted, and not kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path

from ace.errors import InputError
from ace.store.store_database import Place, locate_folder
from ace.text.sizes import format_size

_SEALED, _OPEN = ".exchanges", ".open"
_UNREAD = ".unread"  # an entry that nobody could use, for people
MOST_SPOOLED = 2_000_000_000
"""Bytes that may wait in a folder, where nobody says another number."""

_MOST_BYTES = 256_000_000  # that wait in memory while the folder takes no files
_MOST_UNREAD = 100_000_000  # bytes of entries that nobody could use
_PAUSE = 1.0  # seconds between looks into a folder; longer where a look takes long
_RARE = 20  # times as long as a look takes
_LOG = logging.getLogger("ace.proxy")


class Ending(StrEnum):
    """Name how a reply ended. The values are stored in files: never rename one."""

    WHOLE = "whole"
    HUNG_UP = "the client hung up"
    BROKEN = "the upstream broke off"
    SILENT = "the upstream fell silent"
    UNREACHABLE = "the upstream could not be reached"
    TOO_LONG = "the reply was too long to be recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Hold a request as the caller sent it, and the reply as it came."""

    interface: str
    """The value of an `ace.agent.watch.Interface`."""

    session: str
    """The id that the client sent; "" for none."""

    bullets: tuple[str, ...] = ()
    """The ids of the bullets that were shown."""

    version: int = 0
    """The playbook's version that was shown."""

    status: int = 0
    """Of the reply; 0 where none came."""

    kind: str = ""
    """The reply's content type."""

    encoding: str = ""
    """The reply's content encoding."""

    ending: Ending = Ending.WHOLE
    request: bytes = b""
    reply: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackNote:
    """Hold what somebody says of a reply, as it came: it was checked."""

    reply: str
    """The id of the reply."""

    right: bool | None = None
    score: float | None = None
    expected: str = ""
    text: str = ""
    author: str = "program"


Entry = Exchange | FeedbackNote


def locate_spool(playbook: Place) -> Path:
    """Return the folder that belongs to a playbook. Raises OSError as `locate_folder` does."""
    return locate_folder(playbook, ".exchanges")


class SpoolWriter:
    """Add entries to the folder of a playbook. Belongs to one event loop."""

    def __init__(self, playbook: Place, most: int = MOST_SPOOLED) -> None:
        """Seal what an earlier process of the same number has left: in a container all have the same.

        `most` is how many bytes may be in the folder, those of other processes included.
        """
        self.folder = locate_spool(playbook)
        self.dropped = 0
        """Entries that were not kept: no room in the folder, or in memory while it takes no files."""
        for path in self.folder.glob(f"*-{os.getpid()}{_OPEN}"):
            with suppress(OSError):
                path.rename(path.with_suffix(_SEALED))
        self._file: int | None = None  # the descriptor of the open file
        self._path = Path()
        self._size = 0
        self._number = 0
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0
        self._problem = ""
        self._most = most
        self._is_full = False
        self._dropped_before = 0  # of the dropped ones, those before the folder was full
        self._spooled = measure_folder(self.folder)  # or more: what was removed since still counts
        self._next_look = 0.0

    def put(self, entry: Entry) -> str:
        """Keep an entry, and return its name; "" where there is no room. Never raises.

        What the folder cannot take waits in memory, where it counts as well.
        """
        name = f"{os.getpid()}-{self._number}"
        self._number += 1
        written = _write(name, entry)
        if self._spooled + len(written) > self._most:
            self.dropped += 1
            if not self._is_full:
                self._is_full, self._dropped_before = True, self.dropped - 1
                limit = format_size(self._most)
                _LOG.warning("%s holds %s, and may hold no more: nothing is recorded now", self.folder, limit)
            return ""
        self._spooled += len(written)
        if not self._waiting and self._store(written):
            return name
        self._waiting.append(written)
        self._bytes += len(written)
        while self._bytes > _MOST_BYTES and len(self._waiting) > 1:
            oldest = len(self._waiting.popleft())
            self._bytes -= oldest
            self._spooled -= oldest
            self._lost += 1
            self.dropped += 1
        return name

    async def count_again(self) -> None:
        """Count what is in the folder, once it may be half full. A thread looks. Never raises."""
        began = time.monotonic()
        if self._spooled < self._most / 2 or began < self._next_look:
            return
        before, waiting = self._spooled, self._bytes
        spooled = await asyncio.to_thread(measure_folder, self.folder)
        self._spooled += spooled + waiting - before  # what was put meanwhile may count twice until next time
        now = time.monotonic()
        self._next_look = now + max(_PAUSE, _RARE * (now - began))
        if self._is_full and self._spooled < self._most * 0.9:
            self._is_full = False
            dropped = self.dropped - self._dropped_before
            _LOG.warning("%s has room again: %d that came meanwhile are not recorded", self.folder, dropped)

    def seal(self) -> None:
        """Let the other process have what was put until now, and put what waited in memory. Never raises."""
        while self._waiting and self._store(self._waiting[0]):
            self._bytes -= len(self._waiting.popleft())
        self._close()

    def note_dropped(self) -> None:
        """Log how many entries were not kept, if any, when the proxy ends."""
        if self.dropped:
            what = "exchanges and feedbacks were not recorded"
            _LOG.warning("%s %s in all: %s had no room for them", f"{self.dropped:,}", what, self.folder)

    def _close(self) -> None:
        """Seal the open file, if there is one."""
        if self._file is None:
            return
        try:
            os.close(self._file)
            self._path.rename(self._path.with_suffix(_SEALED))
        except OSError as error:
            self._note(error)
        self._file = None

    def _store(self, written: bytes) -> bool:
        """Add an entry to the open file. Return whether it is there."""
        try:
            if self._file is None:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                self._path = self.folder / f"{time.time_ns():020d}-{os.getpid()}{_OPEN}"
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                self._size = 0
            view = memoryview(written)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self._note(error)
            if self._file is not None:
                try:
                    os.ftruncate(self._file, self._size)  # no half of an entry stays
                except OSError:  # then nothing may stand behind the half
                    self._close()
            return False
        self._size += len(written)
        if self._problem:
            lost = f", but {self._lost} that had no room in memory" if self._lost else ""
            _LOG.warning("%s takes files again: all that waited is there%s", self.folder, lost)
            self._problem, self._lost = "", 0
        return True

    def _note(self, error: OSError) -> None:
        """Log why nothing can be written, once for each reason."""
        problem = error.strerror or str(error)
        if problem != self._problem:
            self._problem = problem
            _LOG.warning("%s takes no files (%s): what is to be recorded waits", self.folder, problem)


def measure_folder(folder: Path, *suffixes: str) -> int:
    """Return how many bytes wait in a folder, or have other suffixes; 0 where it cannot be read."""
    suffixes = suffixes or (_SEALED, _OPEN)
    size = 0
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(suffixes):
                with suppress(OSError):  # it may be gone by now
                    size += file.stat(follow_symlinks=False).st_size
    return size


def set_aside(path: Path, written: bytes) -> Path | None:
    """Keep an entry that nobody could use beside the file it stood in, for people. Return where.

    None where there is no room: there are too many of them, or the disk is full. Never raises, because what
    stands beside the entry would then be recorded again.
    """
    if measure_folder(path.parent, _UNREAD) + len(written) > _MOST_UNREAD:
        return None
    aside = path.with_name(f"{path.stem}-{time.time_ns()}{_UNREAD}")
    try:
        aside.write_bytes(written)
    except OSError:
        with suppress(OSError):
            aside.unlink(missing_ok=True)  # half of an entry is of no use
        return None
    return aside


def list_spooled(folder: Path, most: int) -> list[Path]:
    """Return the oldest files that can be read: sealed ones, and those of processes that are gone."""
    paths = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.suffix == _SEALED or (path.suffix == _OPEN and not _is_alive(path)):
                paths.append(path)
    return sorted(paths)[:most]


def split_entries(spooled: bytes) -> Iterator[bytes]:
    """Yield the entries of a file, each as it stands there. What a killed process left of one is none."""
    start = 0
    while (line := spooled.find(b"\n", start)) >= 0:
        with suppress(ValueError, TypeError):
            end = line + 1 + sum(map(int, spooled[start:line].split(b" ")[:3]))
            if end > len(spooled):
                return
            yield spooled[start:end]
            start = end
            continue
        return


def read_entry(written: bytes) -> tuple[str, Entry]:
    """Return the name of an entry, and the entry. Raises InputError for what is none."""
    line, _, rest = written.partition(b"\n")
    try:
        size, request, _ = map(int, line.split(b" "))
        name, about = json.loads(rest[:size])
        if "reply" in about:
            return name, FeedbackNote(**about)
        about["ending"], about["bullets"] = Ending(about["ending"]), tuple(about["bullets"])
        body, reply = rest[size : size + request], rest[size + request :]
        return name, Exchange(**about, request=body, reply=reply)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"It is no entry ({error}).") from error


def _write(name: str, entry: Entry) -> bytes:
    """Return an entry: a line with the sizes of what follows, which are its fields, a request and a reply."""
    request = reply = b""
    if isinstance(entry, FeedbackNote):
        about = asdict(entry)
    else:
        about = {field.name: getattr(entry, field.name) for field in fields(entry)}
        request, reply = about.pop("request"), about.pop("reply")
    head = json.dumps([name, about]).encode()
    return b"%d %d %d\n%b%b%b" % (len(head), len(request), len(reply), head, request, reply)


def _is_alive(path: Path) -> bool:
    """Tell whether the process that has a file open goes on, as far as can be told."""
    try:
        os.kill(int(path.stem.rpartition("-")[2]), 0)  # asks, and does nothing
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        pass
    return True
