"""What waits to be recorded: exchanges, and words on them, in files of a folder of the playbook.

The process that forwards adds an entry to its open file, which is one write, and seals the file soon after by
giving it another name. The process that records reads sealed files in the order of their names, and the
open ones of processes that are gone. They hold what callers and models said, so nobody else may read them.
"""

from __future__ import annotations

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

_SEALED, _OPEN = ".exchanges", ".open"
_MOST_BYTES = 256_000_000  # that wait in memory while the folder takes no files
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

    def __init__(self, playbook: Place) -> None:
        """Seal what an earlier process of the same number has left: in a container all have the same."""
        self.folder = locate_spool(playbook)
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

    def put(self, entry: Entry) -> str:
        """Keep an entry, and return its name. What the folder cannot take waits in memory. Never raises."""
        name = f"{os.getpid()}-{self._number}"
        self._number += 1
        written = _write(name, entry)
        if not self._waiting and self._store(written):
            return name
        self._waiting.append(written)
        self._bytes += len(written)
        while self._bytes > _MOST_BYTES and len(self._waiting) > 1:
            self._bytes -= len(self._waiting.popleft())
            self._lost += 1
        return name

    def seal(self) -> None:
        """Let the other process have what was put until now, and put what waited in memory. Never raises."""
        while self._waiting and self._store(self._waiting[0]):
            self._bytes -= len(self._waiting.popleft())
        self._close()

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
