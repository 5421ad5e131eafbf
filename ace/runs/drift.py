"""Drift: detecting that a stream of right and wrong answers got worse. Pure; knows no runs or models.

The test is HDDM-W (Frias-Blanco et al., IEEE TKDE 2015) as `river` has it: weighted averages before and
after, compared by a Hoeffding-like bound. It reports only answers that got worse, not a playbook that is
getting better. `locate_onset` then says since when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from ace.errors import InputError

_CONFIDENCE = 0.03  # see docs/decisions.md: a change shows within 15 answers, a false alarm in some 800


DriftDetector = Callable[[bool], bool]
"""Takes whether each answer was right; returns True when answers have got worse, and then starts anew."""


def make_drift_detector(wanted: bool) -> DriftDetector:
    """Return a detector of changes in the share of wrong answers, or the control, which never finds any.

    It takes answers one at a time and keeps a few numbers, however many there were. After a change it forgets
    what was before. Raises InputError where `river` is not installed.
    """
    if not wanted:
        return lambda right: False
    try:
        from river.drift.binary import HDDMW
    except ImportError as error:
        raise InputError(
            "Watching for changes needs the package `river`.",
            hint="Install it with `pip install 'ace-engine[online]'`, or go without: --no-drift.",
        ) from error
    test = HDDMW(drift_confidence=_CONFIDENCE)

    def detect(right: bool) -> bool:
        """Take in the next answer, and return whether a change shows by now."""
        test.update(not right)
        return bool(test.drift_detected)

    return detect


def locate_onset(right: Sequence[bool]) -> int:
    """Return the place of the first answer after the change, 0 where no split has worse answers behind it.

    The split is the most likely one for two shares of right answers, the later one lower: the maximum
    likelihood estimate of a single change point in Bernoulli trials. O(n). It is good to a few answers: a
    right answer after the change may count as one before it. Of equally likely splits it is the first.
    """
    total, size = sum(right), len(right)
    best, place, before = float("-inf"), 0, 0
    for split in range(1, size):
        before += right[split - 1]
        after, rest = total - before, size - split
        worse = before * rest > after * split  # the share of right answers fell
        likelihood = _log_likelihood(before, split) + _log_likelihood(after, rest)
        if worse and likelihood > best:
            best, place = likelihood, split
    return place


def _log_likelihood(right: int, total: int) -> float:
    """Return the log-likelihood of so many right answers at the share that makes them most likely."""
    likelihood = 0.0
    for count in (right, total - right):
        if count:
            likelihood += count * log(count / total)
    return likelihood
