"""Which training samples come back. Pure: knows outcomes, no model and no run.

A sample that failed and taught nothing is owed. It is paid off after `graduate` passes in a row (a right
answer, or a lesson that was proven on it), and given up after `evict` failures that reflection could not
mend. Built up in journal order, so it is the same after a resume.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Debt:
    passes: int = 0
    failures: int = 0


@dataclass(slots=True)
class Replay:
    """The queue. `graduate` and `evict` are at least 1."""

    graduate: int = 1
    evict: int = 3
    _owed: dict[str, _Debt] = field(default_factory=dict)
    _given_up: dict[str, None] = field(default_factory=dict)
    _right: dict[str, bool | None] = field(default_factory=dict)

    def saw(self, sample: str, *, right: bool | None, taught: bool) -> None:
        """The latest outcome of a sample; None, which nothing can judge, is no failure."""
        self._right[sample] = taught or right
        if right is None and not taught:
            self._owed.pop(sample, None)
        elif right or taught:
            self._passed(sample)
        else:
            self._failed(sample)

    def due(self, samples: Iterable[str]) -> list[str]:
        """Those of `samples` that come back: unseen ones first, then what failed least; else in order."""
        names = [name for name in samples if name in self._owed or name not in self._right]
        return sorted(names, key=self._failures)

    def right(self, samples: Iterable[str]) -> list[str]:
        """Those of `samples` whose latest answer was right, or led to a lesson that made it so."""
        return [name for name in samples if self._right.get(name)]

    def failing(self, samples: Iterable[str]) -> list[str]:
        """Those of `samples` whose latest answer was wrong and taught nothing, given up or not."""
        return [name for name in samples if self._right.get(name) is False]

    @property
    def given_up(self) -> tuple[str, ...]:
        return tuple(self._given_up)

    def _passed(self, sample: str) -> None:
        self._given_up.pop(sample, None)
        if debt := self._owed.get(sample):
            debt.passes += 1
            if debt.passes >= self.graduate:
                del self._owed[sample]

    def _failed(self, sample: str) -> None:
        if sample in self._given_up:
            return
        debt = self._owed.setdefault(sample, _Debt())
        debt.passes, debt.failures = 0, debt.failures + 1
        if debt.failures >= self.evict:
            del self._owed[sample]
            self._given_up[sample] = None

    def _failures(self, sample: str) -> int:
        return self._owed[sample].failures if sample in self._owed else 0
