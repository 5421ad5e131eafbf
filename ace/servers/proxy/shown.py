"""The text of each playbook as callers are shown it, and which conversation was shown which.

The text is the same for every question, and a conversation keeps the one that it began with: so the prefix
that an API has cached stays valid. A thread looks for newer versions, so that no request waits for the file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from ace.agent.watch.wire import Interface, find_earlier
from ace.context import render_playbook
from ace.errors import AceError
from ace.hooks.session_lessons import HEADING
from ace.servers.proxy.projects import Project
from ace.store import Store
from ace.text import estimate_tokens

_LOOKS = 0.5  # seconds between looks for a newer version
_LAST_SECONDS = 2.0  # that the end waits for a server
_MOST = 10_000  # conversations whose text is remembered
_LOG = logging.getLogger("ace.proxy")


@dataclass(frozen=True, slots=True)
class ShownPlaybook:
    """Hold a playbook as callers are shown it."""

    text: str = ""
    """With a heading; "" where there is nothing to show."""

    bullets: tuple[str, ...] = ()
    """The ids of the bullets in the text."""

    version: int = 0


@dataclass(slots=True)
class ShownText:
    """Follow the text of one playbook. `read` belongs to one thread, and `current` to everybody."""

    project: Project
    current: ShownPlaybook = field(default_factory=ShownPlaybook)
    _store: Store | None = None
    _identity: tuple[int, int] = (0, 0)
    _problem: str = ""

    def read(self) -> None:
        """Read the newest version. Raises errors of reading; the text stays as it was then."""
        place = self.project.playbook
        identity = (0, 0)
        if isinstance(place, Path):
            about = place.stat()
            identity = (about.st_dev, about.st_ino)
        if self._store is not None and self._identity != identity:
            self.close()
        if self._store is None:
            self._store = Store.open(place, create=False, read_only=True)
            self._identity = identity
        version = self._store.head().number
        if version == self.current.version:
            return
        room = max(0, self.project.budget - estimate_tokens(HEADING))
        rendered = render_playbook(self._store.checkout(version), room)
        text = HEADING + rendered.text if rendered.text else ""
        self.current = ShownPlaybook(text, rendered.bullets, version)

    def follow(self) -> None:
        """Read, and log a problem when it is a new one."""
        problem = ""
        try:
            self.read()
        except (AceError, OSError) as error:
            problem = str(error)
            self.close()
        if problem and problem != self._problem:
            _LOG.warning("%s: the playbook is shown as it was: %s", self.project.name, problem)
        self._problem = problem

    def close(self) -> None:
        """Close the file."""
        if self._store is not None:
            self._store.close()
            self._store = None


class ShownTexts:
    """Follow the playbooks of all projects in threads. Use as a context manager.

    Files have one thread together. A server has one of its own, because it may take seconds to answer.
    """

    def __init__(self, projects: Sequence[Project]) -> None:
        """Read each playbook once. Raises errors of reading."""
        self._texts = {project.name: ShownText(project) for project in projects}
        for text in self._texts.values():
            try:
                text.read()
            finally:
                text.close()  # a store belongs to the thread that opened it
        self._pins: OrderedDict[tuple[str, str, bytes], ShownPlaybook] = OrderedDict()
        self._pinning = Lock()
        self._stop = Event()
        files: list[ShownText] = []
        groups = [files]
        for text in self._texts.values():
            if isinstance(text.project.playbook, Path):
                files.append(text)
            else:
                groups.append([text])
        self._threads: list[Thread] = []
        for group in groups:
            follow = partial(self._follow, group)
            self._threads.append(Thread(target=follow, name="playbooks", daemon=True))

    def __enter__(self) -> ShownTexts:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_LAST_SECONDS)

    def choose(
        self, project: str, session: str, interface: Interface, body: Mapping[str, Any]
    ) -> ShownPlaybook:
        """Return what a request is shown: a new conversation the newest text, another what it began with.

        Safe to call from several threads.
        """
        newest = self._texts[project].current
        items = body.get(interface.items_field)
        first: Any = items
        goes_on = bool(find_earlier(body))
        if isinstance(items, list):
            first = None
            for item in items:
                role = item.get("role") if isinstance(item, dict) else None
                if role in ("system", "developer"):
                    continue
                if first is None:
                    first = item
                if role != "user":
                    goes_on = True
                    break
        written = json.dumps(first, sort_keys=True).encode("utf-8", "surrogatepass")
        key = (project, session, hashlib.blake2b(written, digest_size=16).digest())
        with self._pinning:
            chosen = self._pins.get(key, newest) if goes_on else newest
            self._pins[key] = chosen
            self._pins.move_to_end(key)
            if len(self._pins) > _MOST:
                self._pins.popitem(last=False)
        return chosen

    def _follow(self, texts: Sequence[ShownText]) -> None:
        """Look for newer versions of some playbooks until the end."""
        while not self._stop.wait(_LOOKS):
            for text in texts:
                text.follow()
        for text in texts:
            text.close()
