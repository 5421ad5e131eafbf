"""Merging two playbooks that grew from one: bullet by bullet, by id.

Pure. Votes add up, whatever else happens to a bullet that stays. A bullet that only one side edited is taken
from that side; one that both edited to the same is taken once; one that both edited differently is a
conflict, unless the caller prefers a side. Knows nothing about branches or versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from ace.playbook.delta import MAX_VOTES
from ace.playbook.model import Bullet, Delta, Playbook, Vote

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
        joined = new if mine is None or mine == old else _joined(old, mine, new, prefer)
        if joined is None:
            conflicts.append(name)
            continue
        if not _edited(old, mine) and new.position >= base.next_position:
            # at the end there, so at the end here, in their order: what readers of `ours` have cached stays
            joined, end = replace(joined, position=end), end + 1
        bullets = bullets.set(name, joined)
    names = dict.fromkeys((*ours.section_names, *theirs.section_names))
    return Playbook(bullets, tuple(names), end), tuple(sorted(conflicts))


def lost_votes(ours: Playbook, joined: Playbook) -> Delta:
    """What a removed bullet in `joined` has gained over `ours`: votes that `diff` leaves out.

    Applied before the diff, they count where the bullet is about to go and are rejected where it went before.
    """
    pairs = (
        (ours.bullets[name], new) for name, new in sorted(joined.bullets.items()) if name in ours.bullets
    )
    votes = (
        Vote(new.id, new.helpful - mine.helpful, new.harmful - mine.harmful)
        for mine, new in pairs
        if not new.live
    )
    return tuple(vote for vote in votes if vote.helpful or vote.harmful)


def _changed(base: Playbook, theirs: Playbook) -> Iterator[str]:
    """Ids are never taken away, so what `theirs` has is all there can be."""
    return (name for name, bullet in theirs.bullets.items() if base.bullets.get(name) != bullet)


def _joined(old: Bullet | None, ours: Bullet, theirs: Bullet, prefer: Side | None) -> Bullet | None:
    """Of a bullet that both sides have: what it becomes, or None where only a person can say."""
    if _edited(old, theirs) and not _edited(old, ours):
        kept = replace(theirs, provenance=_cited(old, theirs, ours))
    elif not _edited(old, theirs) or _agree(ours, theirs, placed=old is not None):
        kept = replace(ours, provenance=_cited(old, ours, theirs))
    elif prefer is None:
        return None
    else:
        kept = ours if prefer == "ours" else theirs
    helpful, harmful = (old.helpful, old.harmful) if old else (0, 0)
    return replace(
        kept,
        helpful=_sum(ours.helpful, theirs.helpful, helpful),
        harmful=_sum(ours.harmful, theirs.harmful, harmful),
    )


def _edited(old: Bullet | None, bullet: Bullet | None) -> bool:
    """Whether a side did more to a bullet than vote on it and cite for it."""
    return bullet is not None and (old is None or _told(bullet) != _told(old))


def _cited(old: Bullet | None, kept: Bullet, other: Bullet) -> tuple[str, ...]:
    """What the side that is kept cites, and what is new on the other."""
    before = set(old.provenance) if old else set[str]()
    return tuple(
        dict.fromkeys((*kept.provenance, *(cited for cited in other.provenance if cited not in before)))
    )


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
