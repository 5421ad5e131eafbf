"""Changing a playbook: apply a delta, find the delta between two playbooks, take a delta back.

Pure and total: an operation that cannot apply becomes a Rejection while the rest still applies, and
the work is the size of the delta (plus the number of section names), never the size of the playbook.
Knows nothing about who proposed a delta or where versions are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

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
from ace.text.unicode import SURROGATE, visible

MAX_VOTES = 2**53 - 1  # the largest integer that JSON and SQLite readers agree on
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")


class _Refused(Exception):
    """Why one operation cannot apply. Never leaves `apply`."""


def apply(playbook: Playbook, delta: Iterable[Operation]) -> tuple[Playbook, tuple[Rejection, ...]]:
    """The playbook after `delta`, and the operations that could not apply."""
    rejections = []
    for operation in delta:
        try:
            playbook = _store(playbook, _result(playbook, operation))
        except _Refused as refused:
            rejections.append(Rejection(operation, str(refused)))
    return playbook, tuple(rejections)


def diff(a: Playbook, b: Playbook) -> Delta:
    """What turns the live bullets of `a` into those of `b`, order included.

    Section names are kept in order of first use, so two playbooks without a common history can
    still differ in the order of their sections.
    """
    return _changes(a, b, {*a.bullets, *b.bullets})


def invert(before: Playbook, delta: Iterable[Operation]) -> Delta:
    """What takes `delta` back: applied after it, the live bullets are those of `before` again."""
    operations = tuple(delta)
    after, _ = apply(before, operations)
    return _changes(after, before, {key for operation in operations for key in touched(operation)})


def touched(operation: Operation) -> tuple[str, ...]:
    """The ids of the bullets an operation reads or changes."""
    if isinstance(operation, Merge):
        return (operation.into, *operation.sources)
    return (operation.id,)


def flaw(bullet: Bullet) -> str:
    """Why a bullet cannot be in a playbook, or nothing."""
    texts = (bullet.section, bullet.content, *bullet.provenance)
    checks = (
        (not _ID.fullmatch(bullet.id), "an id is letters, digits and any of . _ : / -"),
        (any(SURROGATE.search(text) for text in texts), "invalid Unicode: a lone surrogate"),
        (not visible(bullet.content), "empty content"),
        (not visible(bullet.section), "blank section"),
        (bullet.section.strip().splitlines() != [bullet.section], "a section name is one trimmed line"),
        (not all(bullet.provenance), "a blank episode id"),
        (not 0 <= bullet.helpful <= MAX_VOTES, "the helpful count is out of range"),
        (not 0 <= bullet.harmful <= MAX_VOTES, "the harmful count is out of range"),
        (bullet.position < 0, "a negative position"),
    )
    return next((reason for wrong, reason in checks if wrong), "")


def _result(playbook: Playbook, operation: Operation) -> tuple[Bullet, ...]:
    """The bullets an operation touches, as they are after it."""
    match operation:
        case Add(id, section, content, provenance, position):
            if id in playbook.bullets:
                raise _Refused(f"the id {id!r:.60} was already used")
            return (Bullet(id, section, content, provenance, position=_place(playbook, position)),)
        case Revise(id, content, provenance):
            old = _live(playbook, id)
            cited = old.provenance if provenance is None else provenance
            return (replace(old, content=content, provenance=cited),)
        case Merge():
            return _merged(playbook, operation)
        case Remove(id):
            return (replace(_live(playbook, id), status=Status.REMOVED),)
        case Move(id, section, position):
            return (replace(_live(playbook, id), section=section, position=_place(playbook, position)),)
        case Vote(id, helpful, harmful):
            old = _live(playbook, id)
            return (replace(old, helpful=old.helpful + helpful, harmful=old.harmful + harmful),)
        case Pin(id, pinned):
            return (replace(_live(playbook, id), pinned=pinned),)
        case Quarantine(id):
            return (replace(_live(playbook, id), status=Status.QUARANTINED),)
        case Promote(id):
            return (replace(_known(playbook, id), status=Status.ACTIVE),)


def _merged(playbook: Playbook, merge: Merge) -> tuple[Bullet, ...]:
    ids = touched(merge)
    if len(ids) < 2 or len(set(ids)) < len(ids):
        raise _Refused("a merge needs at least two different bullets")
    into, *sources = (_live(playbook, key) for key in ids)
    result = replace(
        into,
        content=merge.content,
        provenance=tuple(dict.fromkeys(cited for bullet in (into, *sources) for cited in bullet.provenance)),
        pinned=any(bullet.pinned for bullet in (into, *sources)),
        helpful=sum(bullet.helpful for bullet in (into, *sources)),
        harmful=sum(bullet.harmful for bullet in (into, *sources)),
    )
    return (result, *(replace(source, status=Status.REMOVED) for source in sources))


def _known(playbook: Playbook, key: str) -> Bullet:
    bullet = playbook.bullets.get(key)
    if bullet is None:
        raise _Refused(f"no bullet has the id {key!r:.60}")
    return bullet


def _live(playbook: Playbook, key: str) -> Bullet:
    bullet = _known(playbook, key)
    if not bullet.live:
        raise _Refused(f"the bullet {key!r:.60} was removed")
    return bullet


def _place(playbook: Playbook, position: int | None) -> int:
    """Past the end means at the end, so no made-up number can exhaust the positions."""
    return playbook.next_position if position is None else min(position, playbook.next_position)


def _store(playbook: Playbook, bullets: tuple[Bullet, ...]) -> Playbook:
    if reason := next(filter(None, map(flaw, bullets)), ""):
        raise _Refused(reason)
    if all(playbook.bullets.get(bullet.id) == bullet for bullet in bullets):
        raise _Refused("it changes nothing")
    sections = dict.fromkeys(bullet.section for bullet in bullets)
    return Playbook(
        playbook.bullets.update({bullet.id: bullet for bullet in bullets}),
        playbook.section_names + tuple(name for name in sections if name not in playbook.section_names),
        max(playbook.next_position, *(bullet.position + 1 for bullet in bullets)),
    )


def _changes(a: Playbook, b: Playbook, ids: Iterable[str]) -> Delta:
    """What makes the bullets `ids` of `a` what they are in `b`: removals, then the rest in b's order."""
    pairs = [(a.bullets.get(key), b.bullets.get(key)) for key in ids]
    pairs = [(old, new) for old, new in pairs if old != new]
    gone = (old.id for old, new in pairs if old and old.live and not (new and new.live))
    operations: list[Operation] = [Remove(key) for key in sorted(gone)]
    rank = {name: place for place, name in enumerate(b.section_names)}
    kept = [(old, new) for old, new in pairs if new and new.live]
    for old, new in sorted(kept, key=lambda pair: (rank[pair[1].section], pair[1].position, pair[1].id)):
        operations += _edits(old, new, new.position if new.position < a.next_position else None)
    return tuple(operations)


def _edits(old: Bullet | None, new: Bullet, position: int | None) -> Iterator[Operation]:
    """What makes one bullet `new`, which is live; `position` is where it goes if it has to move."""
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
