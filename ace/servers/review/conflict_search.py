"""Bullets that contradict each other, looked for in a thread of its own: thousands take seconds."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from ace.llm.embedding import connect_embedder
from ace.playbook.model import Playbook
from ace.refine import Conflict, Index, refine_playbook

_REMEMBERED = 8  # playbooks
_PATIENCE = 0.2  # seconds that a page waits

Conflicts = tuple[Conflict, ...]


class ConflictSearch:
    """Find conflicts once for each playbook. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "conflicts")
        self._searches: dict[str, Future[Conflicts]] = {}
        self._lock = Lock()

    def find(self, key: str, playbook: Playbook, *, begin: bool) -> Conflicts | None:
        """Return the conflicts among the bullets in use of a playbook; None where they are not known yet.

        `key` identifies its content. With `begin` they are looked for, and soon known.
        """
        with self._lock:
            search = self._searches.get(key)
            if search is None and begin:
                search = self._searches[key] = self._pool.submit(_find_conflicts, playbook)
                if len(self._searches) > _REMEMBERED:
                    self._searches.pop(next(iter(self._searches))).cancel()
        if search is None:
            return None
        try:
            return search.result(_PATIENCE if begin else 0)
        except TimeoutError:
            return None


def _find_conflicts(playbook: Playbook) -> Conflicts:
    """Return the pairs of bullets in use that contradict each other."""
    conflicts = refine_playbook(playbook, Index(embed=connect_embedder())).conflicts
    active = {bullet.id for bullet in playbook.active}
    return tuple(pair for pair in conflicts if {pair.one, pair.other} <= active)
