"""Telling how far a run is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how far a phase is. Called from one thread only."""

    def __call__(self, phase: str, finished: int, total: int, note: str = "", /) -> None: ...


def silent(phase: str, finished: int, total: int, note: str = "", /) -> None:
    """Show nothing."""
