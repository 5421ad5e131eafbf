"""Edits that a person makes: each is one version, with a person as its author and a reason.

An edit is decided on a version that the person has seen. So what others edited since then is found to
conflict, and nothing is written. Knows nothing about how a person says what to do.
"""

from __future__ import annotations

from enum import StrEnum

from ace.errors import InputError
from ace.playbook.delta import apply, diff, find_flaw, touched_ids
from ace.playbook.model import (
    Bullet,
    Delta,
    Move,
    Operation,
    Pin,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Status,
    bullet_id,
)
from ace.runs.records import Version
from ace.safety.injection import find_suspicion
from ace.safety.secrets import find_secrets
from ace.store.store import Store
from ace.store.store_bullets import Ref

PERSON = "person"
"""The author of what a person does."""


class HandEdit(StrEnum):
    """Name what a person can do with a bullet that is there."""

    EDIT = "edit"
    REMOVE = "remove"
    PIN = "pin"
    UNPIN = "unpin"
    QUARANTINE = "quarantine"
    PROMOTE = "promote"
    MOVE = "move"


def decide_edit(
    edit: HandEdit, bullet: Bullet, *, text: str = "", section: str = "", anyway: bool = False
) -> Operation | str:
    """Return the operation that an edit is, or say in a clause why there is nothing to do.

    `text` is what `EDIT` writes and `section` where `MOVE` goes, both checked. `anyway` promotes even what
    reads as an attempt to give orders. Raises InputError for that, and for a change of a removed bullet.
    """
    if edit is HandEdit.REMOVE:
        return Remove(bullet.id) if bullet.live else "was removed already"
    if edit is HandEdit.PROMOTE:
        why = find_bullet_suspicion(bullet)
        if why and not anyway:
            hint = (
                "Read it. If every attempt shall be told this, add --anyway, or tick that you have read it."
            )
            raise InputError(f"{bullet.id} is suspicious: {why}.\n  {bullet.content}", hint=hint)
        return "is in use already" if bullet.status is Status.ACTIVE else Promote(bullet.id)
    if not bullet.live:
        hint = f"`ace playbook promote {bullet.id}` brings it back."
        raise InputError(f"{bullet.id} was removed.", hint=hint)
    if edit is HandEdit.EDIT:
        return "says that already" if bullet.content == text else Revise(bullet.id, text)
    if edit is HandEdit.MOVE:
        return f"is in {section} already" if bullet.section == section else Move(bullet.id, section)
    if edit is HandEdit.QUARANTINE:
        waits = bullet.status is Status.QUARANTINED
        return "is in quarantine already" if waits else Quarantine(bullet.id)
    if edit is HandEdit.PIN:
        return "is pinned already" if bullet.pinned else Pin(bullet.id)
    return Pin(bullet.id, pinned=False) if bullet.pinned else "is not pinned"


def find_bullet_suspicion(bullet: Bullet) -> str:
    """Return why a bullet reads as an attempt to give orders; "" where it does not."""
    return find_suspicion(bullet.content) or find_suspicion(bullet.section)


def check_text(text: str, section: str) -> str:
    """Return a text as it will be kept. Raises InputError for what no bullet of the section can hold."""
    text = text.strip()
    reason = find_flaw(Bullet(bullet_id("", ""), section, text))
    if reason:
        raise InputError(f"That cannot be a bullet: {reason}.")
    if find_secrets(text):
        hint = "Every prompt would hold it. Name the place where it is kept instead."
        raise InputError("That cannot be a bullet: it holds what looks like a secret.", hint=hint)
    return text


def check_twin(store: Store, bullet: Bullet, text: str, base: int) -> None:
    """Raise InputError where another live bullet of version `base` says a text already."""
    twin = store.find_text(text, base)
    if twin and twin.id != bullet.id:
        hint = f"`ace playbook remove {bullet.id}` if one of them is enough."
        raise InputError(f"{twin.id} says that already.", hint=hint)


def commit_edit(store: Store, base: int, delta: Delta, *, reason: str, author: str = PERSON) -> Version:
    """Commit what was decided on version `base`, and return the new version.

    Raises InputError for an operation that cannot apply, StoreConflict where others edited the same bullets
    since then.
    """
    ids = [name for operation in delta for name in touched_ids(operation)]
    _, rejections = apply(store.checkout_part(ids, base), delta)
    if rejections:
        raise InputError(f"That cannot be done: {rejections[0].reason}.")
    return store.commit(delta, author=author, reason=reason, expect=base, whole=False).version


def restore_bullet(store: Store, bullet: str, base: int, to: Ref) -> Delta:
    """Return what makes a bullet of version `base` as it was at version `to`: empty where it is so already.

    Where `to` has no such bullet, or has it removed, it is removed. Raises UnknownVersion.
    """
    return diff(store.checkout_part([bullet], base), store.checkout_part([bullet], to))
