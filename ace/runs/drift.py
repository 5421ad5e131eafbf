"""Whether a stream of right and wrong answers got worse. Pure: knows no runs, models or playbooks.

The test is HDDM-W of `river`: weighted averages before and after, compared by a Hoeffding-like bound. It
speaks of answers that got worse only, not of a playbook that is getting better.
"""

from __future__ import annotations

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
