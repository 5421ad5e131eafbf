"""Tells files from what only looks like one: a pipe or a device would be read for ever."""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFSOCK: "it is a socket",
}


def find_obstacle(path: Path) -> str:
    """Return why a path cannot be read as a file, such as "it is a pipe"; "" for a file, and for nothing.

    Links are followed. Whether a file may be read is not looked at.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # not there, or no path: opening it says so
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "")
