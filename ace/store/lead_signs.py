"""Signs of life of a process that leads: a thread gives one every two seconds, as long as the leader gets on.

A process that is stopped, or in which no thread gets its turn, gives none, and loses the lead after some
seconds. So does one whose leader waits for something longer than anything may take (`Pulse`). No two clocks
are compared: on a server its own timer counts, and for a file whoever stands by counts what it has seen
itself. Knows nothing about locks, nor about what a leader does.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

EVERY = 2.0
"""Seconds between two signs of life."""

SILENCE = 6.0
"""Seconds without one, after which a process does not lead any more."""

_LONGEST_GAP = 2.0  # seconds between two looks: who was stopped itself does not know what it missed
_LOG = logging.getLogger("ace.learner")


@dataclass(slots=True)
class Pulse:
    """Tells whether a leader gets on, by when it last began or ended anything. Any thread may use it."""

    patience: float = math.inf
    """Seconds for which it may wait for one thing; after that it hangs. Endless where nothing is known."""

    _moved: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that something has begun or ended."""
        self._moved = time.monotonic()

    @property
    def beats(self) -> bool:
        """Tell whether the leader gets on, as far as can be known."""
        return time.monotonic() - self._moved <= self.patience


@contextmanager
def give_signs(give: Callable[[], None], pulse: Pulse) -> Iterator[None]:
    """Call `give`, which must not raise, every two seconds in a thread of its own until the block ends.

    While the pulse does not beat it is not called; that is logged once, until it beats again.
    """
    ended = Event()

    def live() -> None:
        was_alive = True
        while not ended.wait(EVERY):
            is_alive = pulse.beats
            if is_alive:
                give()
            elif was_alive:
                waited = pulse.patience / 60
                _LOG.warning("The learner has waited for one thing for %.0f min: another may lead.", waited)
            was_alive = is_alive

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
