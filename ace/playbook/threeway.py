"""Merging two playbooks that grew from one: bullet by bullet, by id.

Pure. Votes add up. A bullet that only one side changed is taken from that side; one that both changed to
the same is taken once; one that both changed differently is a conflict, unless the caller prefers a side.
Knows nothing about branches or versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from ace.playbook.delta import MAX_VOTES
from ace.playbook.model import Bullet, Playbook

Side = Literal["ours", "theirs"]


def join(
    base: Playbook, ours: Playbook, theirs: Playbook, prefer: Side | None = None
) -> tuple[Playbook, tuple[str, ...]]:
    """`ours` with what `theirs` changed since `base`, and the ids of the bullets in conflict."""
    conflicts: list[str] = []
    joined: Bullet | None
    bullets, end = ours.bullets, max(ours.next_position, theirs.next_position)
    changed = sorted(_changed(base, theirs), key=lambda name: (theirs.bullets[name].position, name))
    for name in changed:
        old, mine, new = base.bullets.get(name), ours.bullets.get(name), theirs.bullets[name]
        if mine == old and new.position >= base.next_position:
            # at the end there, so at the end here, in their order: what readers of `ours` have cached stays
            joined, end = replace(new, position=end), end + 1
        else:
            joined = new if mine == old or mine is None else _joined(old, mine, new, prefer)
        if joined is None:
            conflicts.append(name)
        else:
            bullets = bullets.set(name, joined)
    names = dict.fromkeys((*ours.section_names, *theirs.section_names))
    return Playbook(bullets, tuple(names), end), tuple(sorted(conflicts))


def _changed(base: Playbook, theirs: Playbook) -> Iterator[str]:
    """Ids are never taken away, so what `theirs` has is all there can be."""
    return (name for name, bullet in theirs.bullets.items() if base.bullets.get(name) != bullet)


def _joined(old: Bullet | None, ours: Bullet, theirs: Bullet, prefer: Side | None) -> Bullet | None:
    """Of a bullet that both sides changed: what it becomes, or None where only a person can say."""
    edited = old is None or _told(ours) != _told(old) or _told(theirs) != _told(old)
    if edited and not _agree(ours, theirs, placed=old is not None):
        if prefer is None:
            return None
        kept = ours if _preferred(old, ours, theirs, prefer) == "ours" else theirs
    else:
        kept = replace(ours, provenance=tuple(dict.fromkeys(ours.provenance + theirs.provenance)))
    helpful, harmful = (old.helpful, old.harmful) if old else (0, 0)
    return replace(
        kept,
        helpful=_sum(ours.helpful, theirs.helpful, helpful),
        harmful=_sum(ours.harmful, theirs.harmful, harmful),
    )


def _preferred(old: Bullet | None, ours: Bullet, theirs: Bullet, prefer: Side) -> Side:
    """The side that was asked for, unless it only voted: then the other's edit is no loss to it."""
    if old is not None and _told(theirs) == _told(old):
        return "ours"
    return "theirs" if old is not None and _told(ours) == _told(old) else prefer


def _sum(ours: int, theirs: int, before: int) -> int:
    """Both changes to a counter, within what a counter can be."""
    return min(max(ours + theirs - before, 0), MAX_VOTES)


def _agree(ours: Bullet, theirs: Bullet, *, placed: bool) -> bool:
    """Whether two edits say the same. A bullet that both sides added has its place by chance."""
    mine, other = _told(ours), _told(theirs)
    return mine == other if placed else mine[:-1] == other[:-1]


def _told(bullet: Bullet) -> tuple[object, ...]:
    """What an edit can change; votes and provenance add up instead."""
    return (bullet.section, bullet.content, bullet.status, bullet.pinned, bullet.position)
