"""What follows where a learner ends with an error: it gives up the lead, and takes part again after a pause.

The pauses grow, until something is learned. What would come again for certain is not tried again: a cap, bad
settings, a playbook that is damaged, a server that closes. Where the error came with one piece of feedback it
may be that piece's fault, whatever its type: others may be learned from.
"""

from __future__ import annotations

import time

from ace.errors import CapReached, InputError, NewerSchema, NotAPlaybook, UnknownVersion, describe_error
from ace.loop.election import Seat
from ace.loop.lab import RunStopped
from ace.loop.learner_problems import ProblemList

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0  # seconds; each is twice as long as the one before
_CERTAIN = (InputError, CapReached, RunStopped, NewerSchema, NotAPlaybook, UnknownVersion)


class Comeback:
    """Decides after each error of a learner whether it takes part again, and when.

    `wait` belongs to the learner's thread; any thread may read `seconds`.
    """

    def __init__(self, seat: Seat, problems: ProblemList) -> None:
        """Begin without an error. What goes wrong is added to `problems`, the same error once in a row."""
        self._seat = seat
        self._problems = problems
        self._pause = _FIRST_PAUSE
        self._until = 0.0  # by the clock that never jumps
        self._last_error = ""

    def accept(self, error: Exception) -> bool:
        """Note what ended the learner, and return whether it takes part again, once `wait` has returned.

        It does not where the same would come again for certain, nor where this process is leaving.
        """
        seat, piece = self._seat, self._seat.failed_on
        if not seat.failing:  # it has learned since the error before
            self._pause, self._last_error = _FIRST_PAUSE, ""
        text = describe_error(error)
        is_final = piece is None and isinstance(error, _CERTAIN)
        if seat.at_once:
            return False
        if text != self._last_error or is_final:
            doing = f"learn from feedback {piece.number}" if piece else "learn"
            then = (
                f"This process gives up the lead, and takes part again in {self._pause:.0f} s; the pauses"
                f" grow to {_LONGEST_PAUSE / 60:.0f} min until it learns. What was reported is kept."
            )
            if is_final:
                then = "This process learns no longer, and does not try again: it would come again."
            elif seat.leaving.is_set():
                then = "What was reported is kept for the next learner."
            self._problems.add(doing, error, piece.episode if piece else "", then=then)
            self._last_error = text
        seat.failing = True
        return not is_final and not seat.leaving.is_set()

    def wait(self) -> None:
        """Wait for the pause to end, or for this process to leave. The next one is longer."""
        self._until = time.monotonic() + self._pause
        self._seat.leaving.wait(self._pause)
        self._until = 0.0
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    @property
    def seconds(self) -> float:
        """Return in how many seconds the learner takes part again; 0 where it does, or never will."""
        return max(0.0, self._until - time.monotonic()) if self._until else 0.0
