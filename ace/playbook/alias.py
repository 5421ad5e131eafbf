"""The id of a bullet in a file that it was imported from. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alias:
    """Remember the id a bullet has in a file, and what that file said of it when it was last imported."""

    source: str
    """The file's name."""

    alias: str
    """The id in the file."""

    bullet: str
    """The id here."""

    section: str
    """The section that the file put it in."""

    content_hash: str
    """Of its content in the file: SHA-256 in hexadecimal digits."""

    helpful: int = 0
    """The votes for it that the file counted."""

    harmful: int = 0
    """The votes against it that the file counted."""
