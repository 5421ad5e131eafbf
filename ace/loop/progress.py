"""Telling how far a run is, and what it has learned so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ace.runs.proven_lessons import ProvenLesson
from ace.runs.time_left import Stretch


class Progress(Protocol):
    """Is told how far a phase is. Called from one thread only."""

    def __call__(self, phase: str, finished: int, total: int, note: str = "", /) -> None:
        """Take in that `finished` of `total` samples of a phase are done.

        `phase` is its text ("epoch 1"), `note` a phrase on how it goes, such as the answers that are right.
        What it raises ends the run.
        """
        ...


@runtime_checkable
class RunObserver(Protocol):
    """Is told more of a run than `Progress`, where a progress has these methods as well. Same thread."""

    def expect(self, plan: Sequence[Stretch], /) -> None:
        """Take in what the run will go over, before it begins."""
        ...

    def show_lessons(self, lessons: Sequence[ProvenLesson], /) -> None:
        """Take in lessons that a step has just proven; a step that a resumed run only reads tells of none."""
        ...


def silent(phase: str, finished: int, total: int, note: str = "", /) -> None:
    """Show nothing."""
