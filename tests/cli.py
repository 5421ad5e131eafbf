"""Running the command as a user would: arguments in, exit code and both streams out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


Ace = Callable[..., Done]
