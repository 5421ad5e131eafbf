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
class ReplayQueue:
    """Remembers the latest outcome of each sample. `graduate` and `evict` are at least 1."""

    graduate: int = 1
    evict: int = 3
    _debts: dict[str, _Debt] = field(default_factory=dict)
    _hopeless: dict[str, None] = field(default_factory=dict)
    _right: dict[str, bool | None] = field(default_factory=dict)

    def observe(self, sample: str, *, right: bool | None, taught: bool) -> None:
        """Take in the latest outcome of a sample; None, which nothing can judge, is no failure."""
        self._right[sample] = taught or right
        if right is None and not taught:
            self._debts.pop(sample, None)
        elif right or taught:
            self._observe_pass(sample)
        elif sample not in self._hopeless:
            self._observe_failure(sample)

    def due(self, samples: Iterable[str]) -> list[str]:
        """Return those of `samples` that come back: unseen ones first, then what failed least."""
        names = [name for name in samples if name in self._debts or name not in self._right]

        def failures(name: str) -> int:
            return self._debts[name].failures if name in self._debts else 0

        return sorted(names, key=failures)

    def right(self, samples: Iterable[str]) -> list[str]:
        """Return those whose latest answer was right, or led to a lesson that made it so."""
        return [name for name in samples if self._right.get(name)]

    def failing(self, samples: Iterable[str]) -> list[str]:
        """Return those whose latest answer was wrong and taught nothing, hopeless or not."""
        return [name for name in samples if self._right.get(name) is False]

    @property
    def hopeless(self) -> tuple[str, ...]:
        """The samples that do not come back."""
        return tuple(self._hopeless)

    def _observe_pass(self, sample: str) -> None:
        self._hopeless.pop(sample, None)
        debt = self._debts.get(sample)
        if debt is None:
            return
        debt.passes += 1
        if debt.passes >= self.graduate:
            del self._debts[sample]

    def _observe_failure(self, sample: str) -> None:
        debt = self._debts.setdefault(sample, _Debt())
        debt.passes = 0
        debt.failures += 1
        if debt.failures >= self.evict:
            del self._debts[sample]
            self._hopeless[sample] = None
