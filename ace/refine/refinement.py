"""Refining: bullets that say the same become one, and contradictions are found. Playbook in, delta out.

Pure but for the index that it is handed. Every operation comes with a reason, and can be taken back by
`playbook.invert`. A pinned bullet is never touched: the bullet that says the same goes instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace.playbook.model import Bullet, Delta, Merge, Operation, Playbook, Remove, Status
from ace.refine.conflict import Conflict, Kind, compare
from ace.refine.similarity_index import Index
from ace.task.team import name_owner


@dataclass(frozen=True, slots=True)
class Refinement:
    """Hold what is to be done to a playbook, and what is left open."""

    delta: Delta = ()
    """What is to be done, in order."""

    reasons: tuple[str, ...] = ()
    """A sentence for people to each operation of `delta`."""

    conflicts: tuple[Conflict, ...] = ()
    """Those among the bullets that stay."""

    def __add__(self, more: Refinement) -> Refinement:
        """Put one behind the other: `more` was found on the playbook as this one leaves it."""
        return Refinement(
            self.delta + more.delta, self.reasons + more.reasons, self.conflicts + more.conflicts
        )


def sort_for_comparison(playbook: Playbook, ids: Iterable[str] | None = None) -> tuple[Bullet, ...]:
    """Return live bullets in the order in which each is compared with those before it.

    Pinned bullets come first, then the older before the newer. Without `ids`, all bullets.
    """
    live = []
    for name in playbook.bullets if ids is None else set(ids):
        bullet = playbook.bullets.get(name)
        if bullet is not None and bullet.live:
            live.append(bullet)
    return tuple(sorted(live, key=lambda bullet: (not bullet.pinned, bullet.position, bullet.id)))


def refine_playbook(
    playbook: Playbook, index: Index | None = None, changed: Iterable[str] | None = None
) -> Refinement:
    """Find merges and conflicts among the bullets of `playbook`.

    `index` holds those that were compared before; then only `changed` ones, by id, are compared with it and
    among themselves, and afterwards it holds what is left of them too. The work is that of the changed ones.

    Only bullets of the same status meet: an active one is never merged into one that waits for proof, and
    conflicts are those of active ones. So do only bullets of the same agent of a team. Of two bullets that
    say the same the older stays, or the pinned one.
    """
    if index is None:
        index = Index()
    new = sort_for_comparison(playbook, changed)
    index.remove(playbook.bullets if changed is None else changed)
    index.add(new)
    merges: dict[str, dict[str, str]] = {}  # bullet -> what goes into it, and why
    conflicts: list[Conflict] = []
    for name, candidates in index.before([bullet.id for bullet in new]):
        bullet = playbook.bullets[name]
        bullet_conflicts: list[Conflict] = []
        for older_name in candidates:
            older = playbook.bullets[older_name]
            if older.status is not bullet.status or (older.pinned and bullet.pinned):
                continue
            if name_owner(older.section) != name_owner(bullet.section):
                continue
            likeness = compare(older.content, bullet.content)
            if likeness.kind is Kind.SAME and bullet.pinned:
                merges.setdefault(name, {})[older_name] = likeness.why
                index.remove((older_name,))
            elif likeness.kind is Kind.SAME:
                merges.setdefault(older_name, {})[name] = likeness.why
                index.remove((name,))
                bullet_conflicts = []
                break
            elif likeness.kind is Kind.CONFLICT and bullet.status is Status.ACTIVE:
                bullet_conflicts.append(Conflict(older_name, name, likeness.why))
        conflicts += bullet_conflicts
    delta, reasons = _merge_bullets(playbook, merges)
    return Refinement(delta, reasons, tuple(conflicts))


def _merge_bullets(
    playbook: Playbook, merges: dict[str, dict[str, str]]
) -> tuple[tuple[Operation, ...], tuple[str, ...]]:
    """Merge into the older bullet, whose place and words stay; a pinned one is left alone.

    Returns the operations and a reason for each.
    """
    operations: list[Operation] = []
    reasons = []
    for into, sources in merges.items():
        bullet = playbook.bullets[into]
        if bullet.pinned:
            for name, why in sources.items():
                operations.append(Remove(name))
                reasons.append(f"says the same as {into}, which is pinned: {why}")
        else:
            named = "; ".join(f"{name}: {why}" for name, why in sources.items())
            operations.append(Merge(into, tuple(sources), bullet.content))
            reasons.append(f"says the same as {named}")
    return tuple(operations), tuple(reasons)
