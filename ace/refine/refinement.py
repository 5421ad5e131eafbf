"""Refining: what says the same becomes one bullet, and what contradicts is found. Playbook in, delta out.

Pure but for the index that it is handed. Every operation comes with a reason, and can be taken back by
`playbook.invert`. A pinned bullet is never touched: what says the same as it goes instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace.playbook.model import Bullet, Delta, Merge, Operation, Playbook, Remove, Status
from ace.refine.conflict import Conflict, compare
from ace.refine.similarity_index import Index


@dataclass(frozen=True, slots=True)
class Refined:
    """Operations, a reason for each, and the conflicts among what stays."""

    delta: Delta = ()
    reasons: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def __add__(self, other: Refined) -> Refined:
        return Refined(
            self.delta + other.delta, self.reasons + other.reasons, self.conflicts + other.conflicts
        )


def in_order(playbook: Playbook, ids: Iterable[str] | None = None) -> tuple[Bullet, ...]:
    """Live bullets in the order of comparison, each with those before it: pinned ones first, then by age."""
    chosen = playbook.bullets if ids is None else set(ids)
    live = (playbook.bullets[name] for name in chosen if name in playbook.bullets)
    return tuple(sorted((b for b in live if b.live), key=lambda b: (not b.pinned, b.position, b.id)))


def refined(playbook: Playbook, index: Index | None = None, changed: Iterable[str] | None = None) -> Refined:
    """Merges and conflicts among the bullets of `playbook`.

    `index` holds those that were compared before; then only `changed` ones, by id, are compared with it and
    among themselves, and afterwards it holds what is left of them too. The work is that of the changed ones.
    """
    index = Index() if index is None else index
    new = in_order(playbook, changed)
    index.remove(playbook.bullets if changed is None else changed)
    index.add(new)
    same: dict[str, dict[str, str]] = {}  # bullet -> what goes into it, and why
    conflicts: list[Conflict] = []
    for name, candidates in index.before([bullet.id for bullet in new]):
        found: list[Conflict] = []
        for other in candidates:
            kept, bullet = playbook.bullets[other], playbook.bullets[name]
            if kept.status is not bullet.status or (kept.pinned and bullet.pinned):
                continue
            told = compare(kept.content, bullet.content)
            if told.kind == "same" and bullet.pinned:
                same.setdefault(name, {})[other] = told.why
                index.remove((other,))
            elif told.kind == "same":
                found = []
                same.setdefault(other, {})[name] = told.why
                index.remove((name,))
                break
            elif told.kind == "conflict" and bullet.status is Status.ACTIVE:
                found.append(Conflict(other, name, told.why))
        conflicts += found
    operations = [_joined(playbook, into, sources) for into, sources in same.items()]
    return Refined(
        tuple(operation for each in operations for operation, _ in each),
        tuple(reason for each in operations for _, reason in each),
        tuple(conflicts),
    )


def _joined(playbook: Playbook, into: str, sources: dict[str, str]) -> list[tuple[Operation, str]]:
    """Into the older one, whose place and words stay; a pinned one is left alone."""
    bullet = playbook.bullets[into]
    if bullet.pinned:
        return [
            (Remove(name), f"says the same as {into}, which is pinned: {why}")
            for name, why in sources.items()
        ]
    told = "; ".join(f"{name}: {why}" for name, why in sources.items())
    return [(Merge(into, tuple(sources), bullet.content), f"says the same as {told}")]
