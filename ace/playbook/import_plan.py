"""What an import of a file into a playbook would do, as a value. Knows nothing of how it is planned."""

from __future__ import annotations

from dataclasses import dataclass

from ace.playbook.alias import Alias
from ace.playbook.formats.format import Finding
from ace.playbook.model import Delta


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Report a line whose content an earlier line has."""

    line: int
    """Counted from 1."""

    alias: str
    """Its own id in the file."""

    first: str
    """The id of the earlier line."""

    bullet: str
    """The id here of what both became."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Describe what an import will do: nothing is done yet."""

    delta: Delta
    """What it would commit."""

    aliases: tuple[Alias, ...] = ()
    """Those that are new, or that say another thing than before."""

    duplicates: tuple[Duplicate, ...] = ()
    """Lines that say what an earlier line says."""

    known: int = 0
    """How many bullets of the file are here already."""

    gone: int = 0
    """How many bullets of the file were removed here before, and stay so."""

    notes: tuple[Finding, ...] = ()
    """What people should know of the lines that are taken over."""

    held: tuple[tuple[str, str], ...] = ()
    """Bullets that wait for a person, each with the reason."""

    unpinned: int = 0
    """How many pins of new bullets are not taken over."""

    hidden: tuple[str, ...] = ()
    """Lines or ids of bullets in which a secret was hidden."""
