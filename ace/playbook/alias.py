"""The id of a bullet in a file that it was imported from. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alias:
    """Remember the id a bullet has in a file, and what that file said of it when it was last imported.

    `source` is the file's name, `alias` the id there, `bullet` the id here. `section`, `content_hash`
    (SHA-256, hexadecimal digits), `helpful` and `harmful` are what the file said.
    """

    source: str
    alias: str
    bullet: str
    section: str
    content_hash: str
    helpful: int = 0
    harmful: int = 0
