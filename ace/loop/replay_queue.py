"""Which training samples come back. Pure: knows outcomes, no model and no run.

A sample that failed and taught nothing is owed. It is paid off by a pass (a right answer, or a lesson that
was proven on it), and given up after a few failures that reflection could not mend. Built up in journal
order, so it is the same after a resume.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_MOST_FAILURES = 3  # after which a sample comes back no more


@dataclass(slots=True)
class ReplayQueue:
    """Remember the latest outcome of each sample, by id.

    A sample that was given up is hopeless until it passes after all.
    """

    _failures: dict[str, int] = field(default_factory=dict)
    """How often in a row each of those that are owed failed."""

    _hopeless: set[str] = field(default_factory=set)
    """Those that failed too often in a row: none of them comes back before it passes."""

    _right: dict[str, bool | None] = field(default_factory=dict)
    """Whether the latest answer was right, or taught; None where nothing can judge it."""

    def observe(self, sample: str, *, right: bool | None, taught: bool) -> None:
        """Take in the latest outcome of a sample, by its id.

        `right` None, which nothing can judge, is no failure. `taught`: it proves a lesson of its step.
        """
        self._right[sample] = taught or right
        failures = self._failures.pop(sample, 0)
        if right or taught:
            self._hopeless.discard(sample)
        elif right is False and sample not in self._hopeless:
            if failures + 1 < _MOST_FAILURES:
                self._failures[sample] = failures + 1
            else:
                self._hopeless.add(sample)

    def due(self, samples: Iterable[str]) -> list[str]:
        """Return those of `samples` that come back: unseen ones first, then what failed least."""
        names = []
        for name in samples:
            if name in self._failures or name not in self._right:
                names.append(name)
        return sorted(names, key=lambda name: self._failures.get(name, 0))

    def right(self, samples: Iterable[str]) -> list[str]:
        """Return those whose latest answer was right, or led to a lesson that made it so."""
        return [name for name in samples if self._right.get(name)]

    def failing(self, samples: Iterable[str]) -> list[str]:
        """Return those whose latest answer was wrong and taught nothing, hopeless or not."""
        return [name for name in samples if self._right.get(name) is False]
