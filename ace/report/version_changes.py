"""What a version changed, bullet by bullet, with the texts before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Bullet, Delta, Operation
from ace.store.store import Store
from ace.text.word_diff import Piece, diff_words


@dataclass(frozen=True, slots=True)
class BulletChange:
    """Hold an operation and what it made of its bullet."""

    operation: Operation

    before: Bullet | None
    """The bullet as it was; None where it is new."""

    after: Bullet | None
    """The bullet as it is then; None where the operation cannot apply."""

    pieces: tuple[Piece, ...]
    """Both texts, word by word."""


def trace_changes(
    store: Store, base: int, delta: Delta, start: int = 0, most: int = 100
) -> list[BulletChange]:
    """Return what the operations of a delta change one after the other, beginning with version `base`.

    Of long deltas only `most` from number `start` on are returned.
    """
    delta = delta[: start + most]
    ids = [name for operation in delta for name in touched_ids(operation)]
    playbook, _ = apply(store.checkout_part(ids, base), delta[:start])
    changes = []
    for operation in delta[start:]:
        name = touched_ids(operation)[0]
        before = playbook.bullets.get(name)
        playbook, _ = apply(playbook, (operation,))
        after = playbook.bullets.get(name)
        old = before.content if before and before.live else ""
        new = after.content if after and after.live else ""
        changes.append(BulletChange(operation, before, after, diff_words(old, new)))
    return changes
