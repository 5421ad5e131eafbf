"""Settling conflicts: which of two bullets stays in use, as far as evidence says. Pure.

Pinned beats unpinned. Then votes, where one bullet is clearly more harmful than helpful and the other is not.
Then the newer proof, where both have one: the world may have changed since the older one. The one that gives
way waits in quarantine, where a later attempt may prove it again. Otherwise nothing is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ace.playbook.model import Operation, Playbook, Quarantine, Status
from ace.refine.conflict import Conflict
from ace.refine.refinement import Refinement
from ace.refine.retire import is_harmful


@dataclass(frozen=True, slots=True)
class Ruling:
    """Decide a conflict between two bullets."""

    losers: tuple[str, ...]
    """The bullets that go into quarantine; without any, both stay."""

    why: str
    """The reason for either, as a clause for people."""


Judge = Callable[[Conflict], Ruling | None]
"""Decides a conflict; None leaves it open."""


def judge_by_evidence(conflict: Conflict, playbook: Playbook, proven: Mapping[str, int]) -> Ruling | None:
    """Decide by pins, votes and proofs; None where nothing decides.

    `proven` gives for each episode that counts as a proof its place in time: the larger number is the newer.
    Both bullets of the conflict are in the playbook.
    """
    first = playbook.bullets[conflict.one]
    second = playbook.bullets[conflict.other]
    if first.pinned and second.pinned:
        return None
    if first.pinned or second.pinned:
        unpinned = second if first.pinned else first
        return Ruling((unpinned.id,), "the other one is pinned")
    first_harms = is_harmful(first)
    if first_harms != is_harmful(second):
        harmful = first if first_harms else second
        return Ruling((harmful.id,), "its votes say that it harms")
    first_proofs = [proven[name] for name in first.provenance if name in proven]
    second_proofs = [proven[name] for name in second.provenance if name in proven]
    if not first_proofs or not second_proofs or max(first_proofs) == max(second_proofs):
        return None
    older = first if max(first_proofs) < max(second_proofs) else second
    return Ruling((older.id,), "the other one has the newer proof")


def settle_conflicts(conflicts: Iterable[Conflict], playbook: Playbook, judge: Judge) -> Refinement:
    """Carry out what `judge` decides, conflict by conflict; conflicts that it does not decide stay open.

    A conflict is passed over if one of its bullets is not active, or has lost an earlier one. Pinned bullets
    stay active, whatever is decided.
    """
    delta: list[Operation] = []
    reasons: list[str] = []
    undecided: list[Conflict] = []
    losers: set[str] = set()
    for conflict in conflicts:
        ids = (conflict.one, conflict.other)
        are_active = all(playbook.bullets[key].status is Status.ACTIVE for key in ids)
        if losers.intersection(ids) or not are_active:
            continue
        ruling = judge(conflict)
        if ruling is None:
            undecided.append(conflict)
            continue
        for loser in ruling.losers:
            if not playbook.bullets[loser].pinned:
                losers.add(loser)
                delta.append(Quarantine(loser))
                winner = conflict.other if loser == conflict.one else conflict.one
                reasons.append(f"contradicts {winner} ({conflict.why}): {ruling.why}")
    return Refinement(tuple(delta), tuple(reasons), tuple(undecided))
