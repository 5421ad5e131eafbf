"""Which of two bullets in conflict stays in use, as far as evidence says. Pure.

Pinned beats unpinned. Then votes, where one bullet is clearly more harmful than helpful and the other is not.
Then the newer proof, where both have one: the world may have changed since the older one. The one that gives
way waits in quarantine, where a later attempt may prove it again. Otherwise nothing is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ace.playbook.model import Bullet, Playbook, Quarantine, Status
from ace.refine.conflict import Conflict
from ace.refine.refinement import Refined
from ace.refine.retire import harms


@dataclass(frozen=True, slots=True)
class Settled:
    """The bullets that go into quarantine, and why. None of them: both stay, for that reason."""

    losers: tuple[str, ...]
    why: str


Judge = Callable[[Conflict], Settled | None]


def by_evidence(conflict: Conflict, playbook: Playbook, proven: Mapping[str, int]) -> Settled | None:
    """`proven`: for each episode that counts as a proof, its place in time. None where nothing decides."""
    one, other = playbook.bullets[conflict.one], playbook.bullets[conflict.other]
    if one.pinned != other.pinned:
        return Settled((other.id if one.pinned else one.id,), "the other one is pinned")
    if one.pinned:
        return None
    if harms(one) != harms(other):
        return Settled((one.id if harms(one) else other.id,), "its votes say that it harms")
    first, second = _newest(one, proven), _newest(other, proven)
    if first is None or second is None or first == second:
        return None
    return Settled((one.id if first < second else other.id,), "the other one has the newer proof")


def both_wait(conflict: Conflict) -> Settled:
    """What remains where nothing decides and nothing unproven may be in use."""
    return Settled((conflict.one, conflict.other), "evidence does not decide")


def settled(conflicts: Iterable[Conflict], playbook: Playbook, judge: Judge) -> Refined:
    """What `judge` decides, conflict by conflict; those it does not decide stay open."""
    delta, reasons, left, gone = [], [], [], set[str]()
    for conflict in conflicts:
        ids = (conflict.one, conflict.other)
        if gone & set(ids) or any(playbook.bullets[name].status is not Status.ACTIVE for name in ids):
            continue
        found = judge(conflict)
        if found is None:
            left.append(conflict)
            continue
        for loser in found.losers:
            if not playbook.bullets[loser].pinned:
                gone.add(loser)
                delta.append(Quarantine(loser))
                winner = conflict.other if loser == conflict.one else conflict.one
                reasons.append(f"contradicts {winner} ({conflict.why}): {found.why}")
    return Refined(tuple(delta), tuple(reasons), tuple(left))


def _newest(bullet: Bullet, proven: Mapping[str, int]) -> int | None:
    return max((proven[name] for name in bullet.provenance if name in proven), default=None)
