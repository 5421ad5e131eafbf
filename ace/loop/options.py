"""Share what every loop takes beside its settings: progress, seeds, and the names of methods."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from typing import Protocol

from ace.errors import InputError
from ace.settings import Settings

__all__ = ["Progress", "Settings", "check_method", "seed_of", "silent"]


class Progress(Protocol):
    """Show how far a phase is. Called from one thread only."""

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None: ...


def silent(phase: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""


def check_method(name: str) -> None:
    """Raise InputError for a name that no method has."""
    from ace import methods

    names = sorted(getattr(methods, "METHODS", ("ace",)))
    if name not in names:
        raise InputError(f"There is no method {name!r}.", hint=f"Use one of: {', '.join(names)}.")


def seed_of(seed: int, *parts: Hashable) -> int:
    """Return a non-negative 31-bit seed that depends on the run's seed and on `parts` only."""
    text = json.dumps([seed, *parts], default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) & 0x7FFFFFFF
