"""Changing a playbook: apply a delta, find the delta between two playbooks, take a delta back.

Pure and total: an operation that cannot apply becomes a Rejection while the rest still applies, and
the work is the size of the delta (plus the number of section names), never the size of the playbook.
Knows nothing about who proposed a delta or where versions are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import cast

from ace.playbook.model import (
    Add,
    Bullet,
    Delta,
    Merge,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Rejection,
    Remove,
    Revise,
    Status,
    Vote,
)
from ace.text.unicode import SURROGATE, has_visible_text

MAX_VOTES = 2**53 - 1  # the largest integer that JSON and SQLite readers agree on
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")


class _Refused(Exception):
    """Say why one operation cannot apply. Never leaves `apply`."""


def apply(playbook: Playbook, delta: Iterable[Operation]) -> tuple[Playbook, tuple[Rejection, ...]]:
    """Return the playbook after `delta`, and the operations that could not apply.

    Operations apply one after the other, so a later one finds what an earlier one has made. One that would
    change nothing is rejected, too, and so is one after which a bullet could not be stored (`find_flaw`).
    Nothing is raised.
    """
    operations = tuple(delta)
    after, reasons = apply_each(playbook, operations)
    rejections = []
    for operation, reason in zip(operations, reasons, strict=True):
        if reason:
            rejections.append(Rejection(operation, reason))
    return after, tuple(rejections)


def apply_each(playbook: Playbook, operations: Iterable[Operation]) -> tuple[Playbook, list[str]]:
    """Return the playbook after `operations`, and why each of them could not apply: "" where it did."""
    bullets = playbook.bullets.mutate()
    names = dict.fromkeys(playbook.section_names)
    end = playbook.next_position
    reasons = []
    touched = set[str]()
    for operation in operations:
        try:
            changed = _compute_bullets(cast(Mapping[str, Bullet], bullets), end, operation)
            reason = next(filter(None, map(find_flaw, changed)), "")
        except _Refused as refused:
            changed, reason = (), str(refused)
        if not reason and all(bullets.get(bullet.id) == bullet for bullet in changed):
            reason = "it changes nothing"
        reasons.append(reason)
        if not reason:
            for bullet in changed:
                bullets[bullet.id] = bullet
                touched.add(bullet.id)
                names.setdefault(bullet.section)
                end = max(end, bullet.position + 1)
    after = Playbook(bullets.finish(), tuple(names), end)
    after.ancestry.follow(playbook, touched)
    return after, reasons


def diff(a: Playbook, b: Playbook) -> Delta:
    """Return the delta that turns the live bullets of `a` into those of `b`, order included.

    Removals come first, then the rest in the order of `b`. Section names are kept in order of first use, so
    two playbooks without a common history can still differ in the order of their sections. Bullets that `b`
    has removed become tombstones in `a`, with what they were there.
    """
    return _find_changes(a, b, {*a.bullets, *b.bullets})


def invert(before: Playbook, delta: Iterable[Operation]) -> Delta:
    """Return the delta that takes `delta` back.

    Applied after it, the live bullets are those of `before` again; what it added stays as tombstones. The
    work is the size of the delta, not of the playbook.
    """
    operations = tuple(delta)
    after, _ = apply(before, operations)
    changed = set[str]()
    for operation in operations:
        changed.update(touched_ids(operation))
    return _find_changes(after, before, changed)


def touched_ids(operation: Operation) -> tuple[str, ...]:
    """Return the ids of the bullets that an operation reads or changes."""
    if isinstance(operation, Merge):
        return (operation.into, *operation.sources)
    return (operation.id,)


def find_flaw(bullet: Bullet) -> str:
    """Return why a bullet cannot be in a playbook; empty where it can.

    It is a clause for people: code may only look whether it is empty.
    """
    texts = (bullet.section, bullet.content, *bullet.provenance)
    checks = (
        (not _ID.fullmatch(bullet.id), "an id is letters, digits and any of . _ : / -"),
        (any(SURROGATE.search(text) for text in texts), "invalid Unicode: a lone surrogate"),
        (not has_visible_text(bullet.content), "empty content"),
        (not has_visible_text(bullet.section), "blank section"),
        (bullet.section.strip().splitlines() != [bullet.section], "a section name is one trimmed line"),
        (not all(bullet.provenance), "a blank episode id"),
        (not 0 <= bullet.helpful <= MAX_VOTES, "the helpful count is out of range"),
        (not 0 <= bullet.harmful <= MAX_VOTES, "the harmful count is out of range"),
        (bullet.position < 0, "a negative position"),
    )
    for is_wrong, reason in checks:
        if is_wrong:
            return reason
    return ""


def _compute_bullets(bullets: Mapping[str, Bullet], end: int, operation: Operation) -> tuple[Bullet, ...]:
    """Return the bullets that an operation touches, as they are after it.

    A position is no further than `end`, so that no made-up number can exhaust the positions.
    """
    match operation:
        case Add(id, section, content, provenance, position):
            if id in bullets:
                raise _Refused(f"the id {id!r:.60} was already used")
            place = end if position is None else min(position, end)
            return (Bullet(id, section, content, provenance, position=place),)
        case Revise(id, content, provenance):
            old = _find_bullet(bullets, id)
            if provenance is None:
                provenance = old.provenance
            return (replace(old, content=content, provenance=provenance),)
        case Merge():
            return _merge_bullets(bullets, operation)
        case Remove(id):
            return (replace(_find_bullet(bullets, id), status=Status.REMOVED),)
        case Move(id, section, position):
            place = end if position is None else min(position, end)
            return (replace(_find_bullet(bullets, id), section=section, position=place),)
        case Vote(id, helpful, harmful):
            old = _find_bullet(bullets, id)
            return (replace(old, helpful=old.helpful + helpful, harmful=old.harmful + harmful),)
        case Pin(id, pinned):
            return (replace(_find_bullet(bullets, id), pinned=pinned),)
        case Quarantine(id):
            return (replace(_find_bullet(bullets, id), status=Status.QUARANTINED),)
        case Promote(id):
            return (replace(_find_bullet(bullets, id, removed=True), status=Status.ACTIVE),)


def _merge_bullets(bullets: Mapping[str, Bullet], merge: Merge) -> tuple[Bullet, ...]:
    """Return the bullet that takes the others over, then those others as tombstones."""
    ids = touched_ids(merge)
    if len(ids) < 2 or len(set(ids)) < len(ids):
        raise _Refused("a merge needs at least two different bullets")
    into, *sources = [_find_bullet(bullets, key) for key in ids]
    result = replace(into, content=merge.content)
    removed = []
    for source in sources:
        result = replace(
            result,
            provenance=(*result.provenance, *source.provenance),
            pinned=result.pinned or source.pinned,
            helpful=result.helpful + source.helpful,
            harmful=result.harmful + source.harmful,
        )
        removed.append(replace(source, status=Status.REMOVED))
    return (replace(result, provenance=tuple(dict.fromkeys(result.provenance))), *removed)


def _find_bullet(bullets: Mapping[str, Bullet], key: str, *, removed: bool = False) -> Bullet:
    """Return a bullet; refuse an unknown id and, unless it may be `removed`, that of a removed bullet."""
    bullet = bullets.get(key)
    if bullet is None:
        raise _Refused(f"no bullet has the id {key!r:.60}")
    if not bullet.live and not removed:
        raise _Refused(f"the bullet {key!r:.60} was removed")
    return bullet


def _find_changes(a: Playbook, b: Playbook, ids: Iterable[str]) -> Delta:
    """Return what turns the bullets `ids` of `a` into those of `b`: removals, then the rest in order."""
    removals, edits = [], []
    for key in ids:
        old = a.bullets.get(key)
        new = b.bullets.get(key)
        if old == new:
            continue
        if new is not None and new.live:
            edits.append((old, new))
        elif old is not None and old.live:
            removals.append(key)
    operations: list[Operation] = [Remove(key) for key in sorted(removals)]
    get_place = b.make_sort_key()
    for old, new in sorted(edits, key=lambda pair: get_place(pair[1])):
        position = new.position if new.position < a.next_position else None
        operations += _edit_bullet(old, new, position)
    return tuple(operations)


def _edit_bullet(old: Bullet | None, new: Bullet, position: int | None) -> Iterator[Operation]:
    """Yield what makes one bullet `new`, which is live; `position` is where it goes if it has to move."""
    key = new.id
    if old is None:
        yield Add(key, new.section, new.content, new.provenance, position)
        old = Bullet(key, new.section, new.content, new.provenance, position=new.position)
    elif not old.live:
        yield Promote(key)
        old = replace(old, status=Status.ACTIVE)
    if (old.content, old.provenance) != (new.content, new.provenance):
        yield Revise(key, new.content, None if old.provenance == new.provenance else new.provenance)
    if (old.section, old.position) != (new.section, new.position):
        yield Move(key, new.section, position)
    if (old.helpful, old.harmful) != (new.helpful, new.harmful):
        yield Vote(key, new.helpful - old.helpful, new.harmful - old.harmful)
    if old.pinned != new.pinned:
        yield Pin(key, new.pinned)
    if old.status != new.status:
        yield Quarantine(key) if new.status is Status.QUARANTINED else Promote(key)
