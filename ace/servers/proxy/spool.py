"""What waits to be recorded: each exchange, and each word on one, is a file in a folder beside the playbook.

A file is complete when it has its name, so a killed process leaves no half of one, and loses none. They are
read in the order of their names. They hold what callers and models said, so nobody else may read them.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from ace.errors import InputError

_ENDING = ".exchange"
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


def locate_spool(playbook: Path) -> Path:
    """Return the folder that belongs to a playbook file."""
    return playbook.with_name(f"{playbook.name}.exchanges")


class Spool:
    """Put entries into the folder of a playbook, and take them out. Each end belongs to one thread."""

    def __init__(self, playbook: Path) -> None:
        self.folder = locate_spool(playbook)
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._lost = 0
        self._problem = ""

    def put(self, entry: Entry) -> str:
        """Keep an entry, and return its name. What the folder cannot take waits in memory. Never raises."""
        name = f"{time.time_ns():020d}-{uuid4().hex[:8]}"
        written = _write(entry)
        if not self._waiting and self._store(name, written):
            return name
        self._waiting.append((name, written))
        self._bytes += len(written)
        while self._bytes > _MOST_BYTES and len(self._waiting) > 1:
            self._bytes -= len(self._waiting.popleft()[1])
            self._lost += 1
        return name

    def retry(self) -> None:
        """Put what waits in memory into the folder, as much as it takes. Never raises."""
        while self._waiting and self._store(*self._waiting[0]):
            self._bytes -= len(self._waiting.popleft()[1])

    def list_entries(self, most: int) -> list[Path]:
        """Return the files of the oldest entries."""
        with suppress(FileNotFoundError):
            return sorted(path for path in self.folder.iterdir() if path.suffix == _ENDING)[:most]
        return []

    def set_aside(self, path: Path) -> Path:
        """Keep a file that cannot be read out of the way, and return where it is."""
        odd = path.with_suffix(".unread")
        path.replace(odd)
        return odd

    def _store(self, name: str, written: bytes) -> bool:
        """Write a file; log why not, once for each reason. Return whether it is there."""
        temporary = self.folder / f".{name}"
        try:
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileNotFoundError:
                self.folder.mkdir(mode=0o700)
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                view = memoryview(written)
                while view:
                    view = view[file.write(view) :]
            temporary.rename(self.folder / f"{name}{_ENDING}")
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            problem = error.strerror or str(error)
            if problem != self._problem:
                self._problem = problem
                _LOG.warning("%s takes no files (%s): what is to be recorded waits", self.folder, problem)
            return False
        if self._problem:
            lost = f", but {self._lost} that had no room in memory" if self._lost else ""
            _LOG.warning("%s takes files again: all that waited is there%s", self.folder, lost)
            self._problem, self._lost = "", 0
        return True


def _write(entry: Entry) -> bytes:
    """Return an entry as a line of JSON, with what is no text behind it."""
    if isinstance(entry, FeedbackNote):
        return json.dumps({"feedback": asdict(entry)}).encode()
    about: dict[str, Any] = asdict(replace(entry, request=b"", reply=b""))
    about |= {"request": len(entry.request), "reply": len(entry.reply)}
    return b"".join((json.dumps(about).encode(), b"\n", entry.request, entry.reply))


def read_entry(path: Path) -> Entry:
    """Return the entry in a file. Raises InputError for what is none, and OSError."""
    head, _, rest = path.read_bytes().partition(b"\n")
    try:
        about = json.loads(head)
        if "feedback" in about:
            return FeedbackNote(**about["feedback"])
        size = about["request"]
        if len(rest) != size + about["reply"]:
            raise ValueError("it is cut off")
        about |= {"request": rest[:size], "reply": rest[size:], "bullets": tuple(about["bullets"])}
        return Exchange(**{**about, "ending": Ending(about["ending"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} holds no exchange ({error}).", hint="It is left as it is.") from error
