"""Playbooks as values: bullets in sections, and the operations that change them.

Knows nothing about files, models or databases. Everything here is immutable; the bullets sit in a
persistent map, so a change costs the size of the change and not the size of the playbook.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from immutables import Map


class Status(StrEnum):
    """ACTIVE bullets are rendered; QUARANTINED wait for proof; REMOVED stay as tombstones."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Bullet:
    """Hold one lesson. `provenance` holds episode ids; `position` orders bullets inside a section."""

    id: str
    section: str
    content: str
    provenance: tuple[str, ...] = ()
    status: Status = Status.ACTIVE
    pinned: bool = False
    helpful: int = 0
    harmful: int = 0
    position: int = 0

    @property
    def live(self) -> bool:
        """Return whether the bullet is there: active or in quarantine."""
        return self.status is not Status.REMOVED


@dataclass(frozen=True, slots=True)
class Section:
    """View the live bullets of one section, in order."""

    name: str
    bullets: tuple[Bullet, ...]


@dataclass(frozen=True, slots=True)
class Playbook:
    """Hold an ordered set of bullets. `section_names` is in order of first use and only grows.

    `bullets` also holds the tombstones of removed bullets: that is why an id is never reused.
    """

    bullets: Map[str, Bullet] = field(default_factory=Map)
    section_names: tuple[str, ...] = ()
    next_position: int = 0

    def __iter__(self) -> Iterator[Bullet]:
        """Yield live bullets by section and position. O(n log n): for rendering, not for steps."""
        rank = {name: place for place, name in enumerate(self.section_names)}
        live = (bullet for bullet in self.bullets.values() if bullet.live)
        return iter(sorted(live, key=lambda b: (rank[b.section], b.position, b.id)))

    def __len__(self) -> int:
        return sum(bullet.live for bullet in self.bullets.values())

    @property
    def active(self) -> tuple[Bullet, ...]:
        """Return the bullets that are rendered, in order."""
        return tuple(bullet for bullet in self if bullet.status is Status.ACTIVE)

    @property
    def sections(self) -> tuple[Section, ...]:
        """Return the sections that have live bullets, in order."""
        grouped: dict[str, list[Bullet]] = {}
        for bullet in self:
            grouped.setdefault(bullet.section, []).append(bullet)
        return tuple(Section(name, tuple(bullets)) for name, bullets in grouped.items())


@dataclass(frozen=True, slots=True)
class Add:
    """A new bullet. `position` None appends; an id that was ever used is rejected."""

    id: str
    section: str
    content: str
    provenance: tuple[str, ...] = ()
    position: int | None = None
    op: Literal["add"] = "add"


@dataclass(frozen=True, slots=True)
class Revise:
    """New content. `provenance` None keeps the old one, otherwise it replaces it."""

    id: str
    content: str
    provenance: tuple[str, ...] | None = None
    op: Literal["revise"] = "revise"


@dataclass(frozen=True, slots=True)
class Merge:
    """`into` takes `content`, the union of provenance and the sum of votes; `sources` are removed.

    `into` keeps its place and status, and is pinned if any of them was: a pin outlives a merge.
    """

    into: str
    sources: tuple[str, ...]
    content: str
    op: Literal["merge"] = "merge"


@dataclass(frozen=True, slots=True)
class Remove:
    """The bullet becomes a tombstone; Promote brings it back."""

    id: str
    op: Literal["remove"] = "remove"


@dataclass(frozen=True, slots=True)
class Move:
    """To another section (or place). `position` None moves to the end."""

    id: str
    section: str
    position: int | None = None
    op: Literal["move"] = "move"


@dataclass(frozen=True, slots=True)
class Vote:
    """Changes to the counters; a counter that would fall below zero rejects the vote."""

    id: str
    helpful: int = 0
    harmful: int = 0
    op: Literal["vote"] = "vote"


@dataclass(frozen=True, slots=True)
class Pin:
    """Pinned bullets are never dropped for lack of room, nor retired."""

    id: str
    pinned: bool = True
    op: Literal["pin"] = "pin"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Kept, not rendered, until something proves it."""

    id: str
    op: Literal["quarantine"] = "quarantine"


@dataclass(frozen=True, slots=True)
class Promote:
    """Quarantined or removed becomes active again."""

    id: str
    op: Literal["promote"] = "promote"


Operation = Add | Revise | Merge | Remove | Move | Vote | Pin | Quarantine | Promote
Delta = tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Record an operation that could not apply, and why."""

    operation: Operation
    reason: str


def bullet_id(section: str, content: str, salt: str = "") -> str:
    """Return a short id that reads well and depends on nothing else, such as "join-3fa91c2e"."""
    slug = re.sub(r"[^a-z0-9]+", "-", section.lower())[:24].strip("-") or "bullet"
    digest = hashlib.sha256(json.dumps([section, content, salt]).encode()).hexdigest()
    return f"{slug}-{digest[:8]}"
