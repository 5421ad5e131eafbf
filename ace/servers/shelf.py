"""Which playbooks are served under which names, and the learners that have them open.

A name is looked up among the files that are there, and never made into a path. So no name leaves the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ace.errors import InputError, StoreError
from ace.loop import AgentLearner
from ace.servers.books import list_playbooks
from ace.store import Store
from ace.store.store_database import Place


@dataclass(slots=True)
class _Slot:
    """Hold the learner of one file."""

    learner: AgentLearner | None = None
    """None where it is not open."""

    identity: tuple[int, int] = (0, 0)
    """Device and number of the file that it has open."""

    lock: Lock = field(default_factory=Lock)
    """Held by whoever opens or closes the learner."""


OpenLearner = Callable[[Place], AgentLearner]
"""Opens the learner of a file. Raises errors of opening it."""

_MOST_NAMED = 10  # in an error


class Shelf:
    """Serve one file, or those of one folder. May be used from any thread."""

    def __init__(self, place: Place, open_learner: OpenLearner) -> None:
        """Name the file, or the folder. Nothing is opened yet."""
        self.place = place
        self._open_learner = open_learner
        self._lock = Lock()
        self._slots: dict[Place, _Slot] = {}

    def list_paths(self) -> dict[str, Place]:
        """Return the files by name, as they are now. A link out of the folder is not among them."""
        return list_playbooks(self.place)

    def find(self, name: str) -> Place:
        """Return the file of this name; "" is the only one that is served.

        Raises InputError for any other name, and where there is a choice; StoreError for a file that is gone.
        """
        paths = self.list_paths()
        names = ", ".join(list(paths)[:_MOST_NAMED]) or "none"
        if not name and len(paths) == 1:
            (path,) = paths.values()
        elif name in paths:
            path = paths[name]
        elif name:
            raise InputError(f"There is no playbook {name!r:.60} here.", hint=f"There are: {names}.")
        else:
            raise InputError("Which playbook?", hint=f"Name one of these: {names}.")
        if isinstance(path, Path) and not path.exists():
            raise StoreError(f"There is no playbook at {path}.", hint="`ace learn TASK` makes one.")
        return path

    def learner(self, path: Place) -> AgentLearner:
        """Return the learner of a file that was found. Raises errors of opening it.

        Where another file has taken the place of the one that was opened, that is opened.
        """
        with self._lock:
            slot = self._slots.setdefault(path, _Slot())
        with slot.lock:  # who waits for one file does not keep others waiting
            identity = (0, 0)
            if isinstance(path, Path):
                about = path.stat()
                identity = (about.st_dev, about.st_ino)
            if slot.learner is not None and slot.identity != identity:
                slot.learner.close(at_once=True)
                slot.learner = None
            if slot.learner is None:
                Store.open(path, create=False, read_only=True).close()  # a learner would fill an empty file
                slot.learner = self._open_learner(path)
                slot.identity = identity
            return slot.learner

    def close(self) -> None:
        """Close all learners. What waits to be learned from stays in the files."""
        with self._lock:
            for slot in self._slots.values():
                if slot.learner is not None:
                    slot.learner.close(at_once=True)
            self._slots.clear()
