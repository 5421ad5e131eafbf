"""Know from which playbook a playbook was made, and which bullets differ.

So what is kept of one is brought up to date for another at the cost of the difference. It is a note beside
the value: it takes no part in comparisons, is in no file, and may be missing. It keeps the last few
playbooks in memory, which share all bullets that are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Playbook, Status

_FARTHEST = 4  # generations that are kept: a step's playbook and what candidates are made from it


class Ancestry:
    """Note a playbook's parent and the ids of the bullets that may differ; copies and pickles know none.

    `ordered` has the playbook's bullets of a status in order, and `digest` the sum of the hashes of what the
    bullets in use say, once they were asked for.
    """

    __slots__ = ("changed", "digest", "ordered", "parent")

    def __init__(self) -> None:
        self.parent: Playbook | None = None
        self.changed: frozenset[str] = frozenset()
        self.ordered: dict[Status, tuple[Bullet, ...]] = {}
        self.digest: int | None = None

    def follow(self, parent: Playbook, changed: Iterable[str]) -> None:
        """Note the parent of the playbook that this belongs to; what is too far back is let go."""
        self.parent, self.changed = parent, frozenset(changed)
        for generation, (playbook, _) in enumerate(trace_back(parent)):
            if generation == _FARTHEST:
                playbook.ancestry.parent = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes an empty one: the parent is somewhere else."""
        return Ancestry, ()


def trace_back(playbook: Playbook) -> Iterator[tuple[Playbook, frozenset[str]]]:
    """Yield a playbook and those it was made from, as far as they are in memory, the newest first.

    Each comes with the ids of all bullets that may differ from the first one.
    """
    changed: frozenset[str] = frozenset()
    yield playbook, changed
    while (parent := playbook.ancestry.parent) is not None:  # another thread may let go of it
        changed |= playbook.ancestry.changed
        playbook = parent
        yield playbook, changed


def find_changed(old: Playbook, new: Playbook) -> frozenset[str]:
    """Return the ids of all bullets in which two playbooks may differ, and few others.

    Where nothing is known of how they are related, all bullets are looked at.
    """
    ways = list(trace_back(old))
    for playbook, changed in trace_back(new):
        for earlier, changed_since in ways:
            if earlier is playbook:
                return changed | changed_since
    differ = [name for name, bullet in new.bullets.items() if old.bullets.get(name) is not bullet]
    differ += [name for name in old.bullets if name not in new.bullets]
    return frozenset(differ)
