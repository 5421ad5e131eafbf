"""Merging two playbooks that grew from one: bullet by bullet, by id.

Pure. Votes add up, whatever else happens to a bullet that stays. A bullet that only one side edited is taken
from that side; a bullet that both edited in the same way is taken once. One that both edited differently is a
conflict, unless the caller prefers a side. Knows nothing about branches or versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ace.playbook.delta import MAX_VOTES
from ace.playbook.model import Bullet, Delta, Playbook, Vote

Side = Literal["ours", "theirs"]
"""Whose bullet to take where both were edited."""


def join(
    base: Playbook, ours: Playbook, theirs: Playbook, prefer: Side | None = None
) -> tuple[Playbook, tuple[str, ...]]:
    """Return `ours` with what `theirs` changed since `base`, and the ids of the bullets in conflict.

    A bullet in conflict stays as in `ours`. With `prefer` there are none: that side's bullet is taken. New
    bullets of `theirs` go behind those of `ours`.
    """
    conflicts: list[str] = []
    bullets = ours.bullets
    end = max(ours.next_position, theirs.next_position)
    # An id is never taken away, so the bullets of `theirs` are all that can have changed there.
    changed = [bullet for name, bullet in theirs.bullets.items() if base.bullets.get(name) != bullet]
    for their_bullet in sorted(changed, key=lambda bullet: (bullet.position, bullet.id)):
        name = their_bullet.id
        old = base.bullets.get(name)
        our_bullet = ours.bullets.get(name)
        joined: Bullet | None = their_bullet
        if our_bullet is not None and our_bullet != old:
            joined = _join_bullets(old, our_bullet, their_bullet, prefer)
        if joined is None:
            conflicts.append(name)
            continue
        edited_here = our_bullet is not None and _is_edited(old, our_bullet)
        if not edited_here and their_bullet.position >= base.next_position:
            # At the end there, so at the end here and in their order: the prefix that readers cached stays.
            joined = replace(joined, position=end)
            end += 1
        bullets = bullets.set(name, joined)
    names = dict.fromkeys((*ours.section_names, *theirs.section_names))
    return Playbook(bullets, tuple(names), end), tuple(sorted(conflicts))


def find_lost_votes(ours: Playbook, joined: Playbook) -> Delta:
    """Return the votes that removed bullets of `joined` gained over `ours`, which `diff` leaves out.

    Applied before the diff, they count where the bullet is about to go and are rejected where it went before.
    """
    votes = []
    for name, new in sorted(joined.bullets.items()):
        old = ours.bullets.get(name)
        if old is None or new.live:
            continue
        vote = Vote(name, new.helpful - old.helpful, new.harmful - old.harmful)
        if vote.helpful or vote.harmful:
            votes.append(vote)
    return tuple(votes)


def _join_bullets(old: Bullet | None, ours: Bullet, theirs: Bullet, prefer: Side | None) -> Bullet | None:
    """Return what a bullet that both sides have becomes, or None where only a person can decide."""
    our_state = _editable_state(ours)
    their_state = _editable_state(theirs)
    if old is None:  # added on both sides: its place, the last of these, is chance
        our_state, their_state = our_state[:-1], their_state[:-1]
    if _is_edited(old, theirs) and not _is_edited(old, ours):
        chosen, also_cited = theirs, ours.provenance
    elif not _is_edited(old, theirs) or our_state == their_state:
        chosen, also_cited = ours, theirs.provenance
    elif prefer is None:
        return None
    else:
        chosen = ours if prefer == "ours" else theirs
        also_cited = None

    provenance = chosen.provenance
    if also_cited is not None:  # what is new on the side that is passed over
        before = old.provenance if old else ()
        news = (episode for episode in also_cited if episode not in before)
        provenance = tuple(dict.fromkeys((*provenance, *news)))
    helpful = ours.helpful + theirs.helpful
    harmful = ours.harmful + theirs.harmful
    if old is not None:  # both sides counted its votes
        helpful -= old.helpful
        harmful -= old.harmful
    return replace(
        chosen,
        provenance=provenance,
        helpful=min(max(helpful, 0), MAX_VOTES),
        harmful=min(max(harmful, 0), MAX_VOTES),
    )


def _is_edited(old: Bullet | None, bullet: Bullet) -> bool:
    """Return whether a side did more to a bullet than vote on it and cite for it."""
    return old is None or _editable_state(bullet) != _editable_state(old)


def _editable_state(bullet: Bullet) -> tuple[object, ...]:
    """Return what an edit can change; votes and provenance add up instead."""
    return (bullet.section, bullet.content, bullet.status, bullet.pinned, bullet.position)
