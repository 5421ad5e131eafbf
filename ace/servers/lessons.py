"""Lessons that somebody else's agent proposes: checked, and kept in quarantine, in no prompt.

Attempts of a run may prove them there, as any other bullet that waits; a person may let them out.
"""

from __future__ import annotations

from enum import StrEnum

from ace.errors import LessonRefused
from ace.playbook.delta import find_flaw
from ace.playbook.model import Add, Bullet, Quarantine, Status, bullet_id
from ace.runs.records import Proposal, Reason, Version
from ace.safety.copied import holds_private
from ace.safety.injection import find_suspicion
from ace.safety.secrets import hide_secrets
from ace.servers.arguments import LONGEST_LESSON, LONGEST_REASON, LONGEST_SECTION
from ace.store import Store

MOST_WAITING = 1_000
"""The most bullets that may wait in quarantine for another to be proposed."""


class LessonRule(StrEnum):
    """Name the rule that refused a lesson. Clients read the values: add to them, and never rename one."""

    MALFORMED = "malformed"  # no text, no section, or what no bullet can hold
    TOO_LONG = "too long"
    INSTRUCTION = "instruction"  # it asks to be obeyed, hides something, or carries markup
    PRIVATE = "private"  # it holds what a user said
    FULL = "full"  # too many wait already


def check_lesson(section: str, content: str, reason: str) -> Bullet:
    """Return the bullet that a lesson would be, in quarantine and without secrets. Raises LessonRefused."""
    section = hide_secrets(section.strip())
    content = hide_secrets(content.strip())
    bullet = Bullet(bullet_id(section, content), section, content, status=Status.QUARANTINED)
    flaw = find_flaw(bullet)
    if flaw:
        message = f"That cannot be a bullet: {flaw}."
        raise LessonRefused(message, hint="Give both texts.", rule=LessonRule.MALFORMED.value)
    for what, text, most in (
        ("The lesson", content, LONGEST_LESSON),
        ("The section", section, LONGEST_SECTION),
        ("The reason", reason, LONGEST_REASON),
    ):
        if len(text) > most:
            message = f"{what} has {len(text):,} characters, of at most {most:,}."
            raise LessonRefused(message, hint="Say it shorter.", rule=LessonRule.TOO_LONG.value)
        why = find_suspicion(text)
        if why:
            message = f"{what} reads as an attempt to give orders: {why}."
            hint = "Say how the work is done, in plain words."
            raise LessonRefused(message, hint=hint, rule=LessonRule.INSTRUCTION.value)
    return bullet


def propose_lesson(store: Store, bullet: Bullet, reason: str, author: str) -> tuple[Bullet, Version]:
    """Commit a bullet that was checked, in a version of its own; `author` proposes it, for a `reason`.

    Return the bullet that says so, and the newest version. What the playbook has, or had, changes nothing.
    Raises LessonRefused for what a user said, and where too many bullets wait.
    """
    if holds_private(bullet.content, [memory.text for memory in store.memories(every=True)]):
        message = "The lesson holds what a user said."
        raise LessonRefused(message, hint="Say what holds for everybody.", rule=LessonRule.PRIVATE.value)
    base = store.head()
    twin = store.find_text(bullet.content, base.number)
    same = twin or store.checkout_part([bullet.id], base.number).bullets.get(bullet.id)
    if same is not None:
        return same, base
    statuses = list(store.list_ids("", base.number).values())
    if statuses.count(Status.QUARANTINED) >= MOST_WAITING:
        message = f"{MOST_WAITING:,} bullets wait in quarantine."
        hint = "A person has to look at them first: `ace playbook show`."
        raise LessonRefused(message, hint=hint, rule=LessonRule.FULL.value)
    delta = (Add(bullet.id, bullet.section, bullet.content), Quarantine(bullet.id))
    why = "proposed by a client: nothing has proven it"
    proposal = Proposal("", author, delta, "accepted", why, reason=Reason.QUARANTINED)
    commit = store.commit(
        delta,
        author=author,
        reason=reason.strip() or "proposed",
        expect=base.number,
        proposals=[proposal],
        whole=False,
    )
    return bullet, commit.version
