"""Telling how far a run is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how far a phase is. Called from one thread only."""

    def __call__(self, phase: str, finished: int, total: int, note: str = "", /) -> None:
        """Take in that `finished` of `total` samples of a phase are done.

        `phase` is its text ("epoch 1"), `note` a phrase on how it goes, such as the answers that are right.
        What it raises ends the run.
        """
        ...


def silent(phase: str, finished: int, total: int, note: str = "", /) -> None:
    """Show nothing."""
