"""What goes wrong in a learner that works behind: kept to be looked at, never raised into the program."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from ace.errors import describe_error
from ace.runs.run_text import format_count

_MOST = 100  # problems that are kept; all are counted
_LOG = logging.getLogger("ace.learner")


@dataclass(frozen=True, slots=True)
class LearnerProblem:
    """Describe one fault."""

    doing: str
    """What could not be done: a verb and its object."""

    error: str
    """Why, for people."""

    episode: str = ""
    """The id of the episode it happened at; "" where it was at none."""

    time: str = ""
    """ISO 8601, UTC."""

    def __str__(self) -> str:
        """Return the sentence for people."""
        return f"could not {self.doing}: {self.error}"


class ProblemList:
    """Keep the newest problems, and count all. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._problems: deque[LearnerProblem] = deque(maxlen=_MOST)
        self._count = 0

    def add(self, doing: str, error: BaseException | str, episode: str = "", *, then: str = "") -> None:
        """Keep a problem, and log it as a warning of the logger "ace.learner", with what follows from it."""
        text = error if isinstance(error, str) else describe_error(error)
        problem = LearnerProblem(doing, text, episode, datetime.now(UTC).isoformat(timespec="milliseconds"))
        with self._lock:
            self._problems.append(problem)
            self._count += 1
        _LOG.warning("%s", f"{problem} {then}".rstrip())

    @contextmanager
    def guard(self, doing: str, episode: str = "") -> Iterator[None]:
        """Run a block whose exceptions become problems. An interrupt passes."""
        try:
            yield
        except Exception as error:  # the one boundary between the learner and somebody else's agent
            self.add(doing, error, episode)

    def list_all(self) -> tuple[LearnerProblem, ...]:
        """Return the newest problems, oldest first."""
        with self._lock:
            return tuple(self._problems)

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each problem, for a report; the same sentence stands there once."""
        problems = self.list_all()
        sentences = tuple(dict.fromkeys(map(str, problems)))
        more = self._count - len(problems)
        return (*sentences, f"{format_count(more, 'earlier problem')} more") if more else sentences
