"""What a check found: a value that is shown or printed as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """Name what was looked at. The values are printed."""

    PYTHON = "python"
    PACKAGES = "packages"
    EXTRAS = "extras"
    WEIGHTS = "weights"
    KEYS = "keys"
    MODEL = "model"
    MACHINE = "machine"
    DISK = "disk"
    SQLITE = "sqlite"
    TERMINAL = "terminal"
    SETTINGS = "settings"
    SERVER = "server"
    PLAYBOOK = "playbook"


class Health(StrEnum):
    """Say how it is. BROKEN alone makes the command fail."""

    OK = "ok"
    NOTE = "note"  # nothing is wrong: something optional is not there
    WARNING = "warning"  # it works, and something will be slow, or fail later
    BROKEN = "broken"  # what every run needs, or what was asked for, does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """Say one thing, with what to do about it."""

    topic: Topic
    health: Health

    text: str
    """A sentence. No key and no secret stands in it."""

    fix: str = ""
    """What to do; "" where nothing is to be done."""
