"""Playbooks as values: bullets in sections, and the operations that change them.

Knows nothing about files, models or databases. Everything here is immutable; the bullets sit in a
persistent map, so a change costs the size of the change and not the size of the playbook.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from immutables import Map

from ace.playbook.ancestry import Ancestry, trace_back


class Status(StrEnum):
    """Say what becomes of a bullet. The values are stored: never rename one."""

    ACTIVE = "active"  # it is rendered
    QUARANTINED = "quarantined"  # it waits for proof, and no prompt gets it
    REMOVED = "removed"  # it stays as a tombstone, so that its id is not used again


@dataclass(frozen=True, slots=True)
class Bullet:
    """Hold one lesson."""

    id: str
    """Letters, digits and any of . _ : / -; it never changes."""

    section: str
    """The name of its section: one trimmed line."""

    content: str
    """The lesson, for people and models."""

    provenance: tuple[str, ...] = ()
    """The ids of the episodes that speak for it."""

    status: Status = Status.ACTIVE
    """Whether prompts show it, it waits for proof, or it was removed."""

    pinned: bool = False
    """A pinned bullet is never left out for lack of room, nor retired."""

    helpful: int = 0
    """The votes for it."""

    harmful: int = 0
    """The votes against it."""

    position: int = 0
    """Orders bullets inside a section; it says nothing across sections."""

    @property
    def live(self) -> bool:
        """Return whether the bullet is there: active or in quarantine."""
        return self.status is not Status.REMOVED


@dataclass(frozen=True, slots=True)
class Section:
    """View the live bullets of one section, in order; there is at least one."""

    name: str
    bullets: tuple[Bullet, ...]


@dataclass(frozen=True, slots=True)
class Playbook:
    """Hold an ordered set of bullets."""

    bullets: Map[str, Bullet] = field(default_factory=Map)
    """By id. The tombstones of removed bullets are here too: that is why an id is never reused."""

    section_names: tuple[str, ...] = ()
    """In order of first use; it only grows."""

    next_position: int = 0
    """Above every position in use: a new bullet gets it, and so stands at the end of its section."""

    ancestry: Ancestry = field(default_factory=Ancestry, init=False, repr=False, compare=False)
    """From which playbook this one was made, where that is known."""

    def __iter__(self) -> Iterator[Bullet]:
        """Yield live bullets by section and position. O(n log n): for rendering, not for steps."""
        live = (bullet for bullet in self.bullets.values() if bullet.live)
        return iter(sorted(live, key=self.make_sort_key()))

    def make_sort_key(self) -> Callable[[Bullet], tuple[int, int, str]]:
        """Return what sorts bullets of this playbook by section and position."""
        rank = {name: place for place, name in enumerate(self.section_names)}
        return lambda bullet: (rank[bullet.section], bullet.position, bullet.id)

    def __len__(self) -> int:
        """Count the live bullets. O(n)."""
        return sum(bullet.live for bullet in self.bullets.values())

    @property
    def active(self) -> tuple[Bullet, ...]:
        """Return the bullets that are rendered, by section and position. They are sorted once."""
        return self._list_bullets(Status.ACTIVE)

    @property
    def quarantined(self) -> tuple[Bullet, ...]:
        """Return the bullets that wait for proof, by section and position. They are sorted once."""
        return self._list_bullets(Status.QUARANTINED)

    def _list_bullets(self, status: Status) -> tuple[Bullet, ...]:
        """Return the bullets of a status in order, from that of the playbook that this one was made from."""
        ordered = self.ancestry.ordered.get(status)
        if ordered is not None:
            return ordered
        get_place = self.make_sort_key()
        for old, changed in trace_back(self):
            names, earlier = old.section_names, old.ancestry.ordered.get(status)
            is_far = 8 * len(changed) > len(self.bullets)
            if earlier is None or is_far or self.section_names[: len(names)] != names:
                continue
            bullets = list(earlier)
            for name in changed:
                before, after = old.bullets.get(name), self.bullets.get(name)
                if before is not None and before.status is status:
                    del bullets[bisect_left(bullets, get_place(before), key=get_place)]
                if after is not None and after.status is status:
                    insort(bullets, after, key=get_place)
            break
        else:
            bullets = [bullet for bullet in self if bullet.status is status]
        return self.ancestry.ordered.setdefault(status, tuple(bullets))

    @property
    def contents_digest(self) -> str:
        """Return a hash of what the bullets in use say, whatever their order: 16 hexadecimal digits."""
        total = self.ancestry.digest
        for old, changed in trace_back(self) if total is None else ():
            if old.ancestry.digest is not None:
                total = old.ancestry.digest + _sum_hashes(map(self.bullets.get, changed))
                total -= _sum_hashes(map(old.bullets.get, changed))
                break
        if total is None:
            total = _sum_hashes(self.bullets.values())
        self.ancestry.digest = total
        return f"{total % 2**64:016x}"

    @property
    def sections(self) -> tuple[Section, ...]:
        """Return the sections that have live bullets, in order."""
        grouped: dict[str, list[Bullet]] = {}
        for bullet in self:
            grouped.setdefault(bullet.section, []).append(bullet)
        return tuple(Section(name, tuple(bullets)) for name, bullets in grouped.items())


@dataclass(frozen=True, slots=True)
class Add:
    """Add a bullet, active, without votes and not pinned."""

    id: str
    """One that was never used: that of a removed bullet is rejected, too. `bullet_id` makes new ones."""

    section: str
    """Made if it is new."""

    content: str

    provenance: tuple[str, ...] = ()
    """The ids of the episodes that speak for it."""

    position: int | None = None
    """None appends it to its section; one beyond the end means the end."""

    op: Literal["add"] = "add"


@dataclass(frozen=True, slots=True)
class Revise:
    """Give a live bullet new content; its id, place and votes stay."""

    id: str

    content: str
    """The whole new text."""

    provenance: tuple[str, ...] | None = None
    """Replaces the old one; None keeps it."""

    op: Literal["revise"] = "revise"


@dataclass(frozen=True, slots=True)
class Merge:
    """Make several live bullets one. Fewer than two different bullets are rejected.

    The one that stays gets the union of provenance and the sum of votes. It keeps its place and status, and
    is pinned if any of them was: a pin outlives a merge.
    """

    into: str
    """The bullet that stays."""

    sources: tuple[str, ...]
    """The bullets that are removed."""

    content: str
    """What the one that stays says from then on."""

    op: Literal["merge"] = "merge"


@dataclass(frozen=True, slots=True)
class Remove:
    """Make a live bullet a tombstone, which keeps all that it was; Promote brings it back."""

    id: str
    op: Literal["remove"] = "remove"


@dataclass(frozen=True, slots=True)
class Move:
    """Move a live bullet to another section, or another place in its own."""

    id: str

    section: str
    """Where it goes; made if it is new."""

    position: int | None = None
    """None is the end."""

    op: Literal["move"] = "move"


@dataclass(frozen=True, slots=True)
class Vote:
    """Change the counters of a live bullet.

    A counter that would fall below zero, or rise above `delta.MAX_VOTES`, rejects the vote. A vote changes
    no text, so it never conflicts with what others commit.
    """

    id: str

    helpful: int = 0
    """By so much, up or down."""

    harmful: int = 0
    """By so much, up or down."""

    op: Literal["vote"] = "vote"


@dataclass(frozen=True, slots=True)
class Pin:
    """Pin a live bullet, or unpin it. Pinned bullets are never dropped for lack of room, nor retired."""

    id: str

    pinned: bool = True
    """False unpins it."""

    op: Literal["pin"] = "pin"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Keep a live bullet out of every prompt until something proves it; Promote does when it is proven."""

    id: str
    op: Literal["quarantine"] = "quarantine"


@dataclass(frozen=True, slots=True)
class Promote:
    """Make a quarantined or removed bullet active again, as it was."""

    id: str
    op: Literal["promote"] = "promote"


Operation = Add | Revise | Merge | Remove | Move | Vote | Pin | Quarantine | Promote
"""One change of a playbook. `op` names its kind in JSON."""

Delta = tuple[Operation, ...]
"""Changes that are applied in order, as one version."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Record an operation that could not apply."""

    operation: Operation

    reason: str
    """A clause for people; no code reads it."""


def _sum_hashes(bullets: Iterable[Bullet | None]) -> int:
    """Return the sum of the hashes of what those bullets say that are in use."""
    total = 0
    for bullet in bullets:
        if bullet is not None and bullet.status is Status.ACTIVE:
            total += int.from_bytes(hashlib.sha256(bullet.content.encode("utf-8", "surrogatepass")).digest())
    return total


def bullet_id(section: str, content: str, salt: str = "") -> str:
    """Return a short id that reads well and depends on nothing else, such as "join-3fa91c2e".

    It is the section in lower case, cut, and 8 hexadecimal digits of a SHA-256. `salt` makes another one, for
    a bullet whose id is taken.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", section.lower())[:24].strip("-") or "bullet"
    digest = hashlib.sha256(json.dumps([section, content, salt]).encode()).hexdigest()
    return f"{slug}-{digest[:8]}"
