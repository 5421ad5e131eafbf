"""Signs of life of a process that leads: a thread gives one every two seconds, whatever else is waited for.

A process that is stopped, or in which no thread gets its turn, gives none, and loses the lead after some
seconds. No two clocks are compared: on a server its own timer counts, and for a file whoever stands by counts
what it has seen itself. Knows nothing about locks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

EVERY = 2.0
"""Seconds between two signs of life."""

SILENCE = 6.0
"""Seconds without one, after which a process does not lead any more."""

_LONGEST_GAP = 2.0  # seconds between two looks: who was stopped itself does not know what it missed


@contextmanager
def give_signs(give: Callable[[], None]) -> Iterator[None]:
    """Call `give`, which must not raise, every two seconds in a thread of its own until the block ends."""
    ended = Event()

    def live() -> None:
        while not ended.wait(EVERY):
            give()

    thread = Thread(target=live, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass(slots=True)
class SilenceCounter:
    """Counts for how long something has not changed, as far as this process has looked."""

    silence: float = 0.0
    """In seconds."""

    _stamp: object = None
    _looked: float = 0.0

    def look(self, stamp: object) -> float:
        """Return the silence in seconds. `stamp` is what a sign of life changes, as it is now."""
        now = time.monotonic()
        gap = min(now - self._looked, _LONGEST_GAP)
        self.silence = self.silence + gap if stamp == self._stamp else 0.0
        self._stamp, self._looked = stamp, now
        return self.silence
