"""Whether a stream of right and wrong answers got worse. Pure: knows no runs, models or playbooks.

The test is HDDM-W of `river`: weighted averages before and after, compared by a Hoeffding-like bound. It
speaks of answers that got worse only, not of a playbook that is getting better. It says that they did, and
`onset` since when: the split at which two shares of right answers, the later one lower, are most likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Protocol

from ace.errors import InputError

_CONFIDENCE = 0.03  # see docs/decisions.md: found within 15 answers, a false alarm in some 800


class Watch(Protocol):
    """Told of one answer after the other."""

    def __call__(self, right: bool) -> bool:
        """True when the answers have got worse than they were. It then starts anew."""
        ...


class Unwatched:
    """Never finds a change: the comparison."""

    def __call__(self, right: bool) -> bool:
        return False


class Hddm:
    """Finds a change in the share of wrong answers."""

    def __init__(self) -> None:
        try:
            from river.drift.binary import HDDMW
        except ImportError as error:
            raise InputError(
                "Watching for changes needs the package `river`.",
                hint="Install it with `pip install 'ace-playbook[online]'`, or go without: --no-drift.",
            ) from error
        self._test = HDDMW(drift_confidence=_CONFIDENCE)

    def __call__(self, right: bool) -> bool:
        self._test.update(not right)
        return bool(self._test.drift_detected)


def watch(wanted: bool) -> Watch:
    return Hddm() if wanted else Unwatched()


def onset(right: Sequence[bool]) -> int:
    """The place of the first answer after the change, 0 where no split has worse answers behind it.

    O(n). The estimate is good to a few answers: a right one after the change may count as before it.
    """
    total, best, place, before = sum(right), float("-inf"), 0, 0
    for split in range(1, len(right)):
        before += right[split - 1]
        after, left = total - before, len(right) - split
        likelihood = _log_likelihood(before, split) + _log_likelihood(after, left)
        if before * left > after * split and likelihood > best:
            best, place = likelihood, split
    return place


def _log_likelihood(right: int, total: int) -> float:
    """Of so many right answers, at the share that makes them most likely."""
    wrong = total - right
    return sum(count * log(count / total) for count in (right, wrong) if count)
