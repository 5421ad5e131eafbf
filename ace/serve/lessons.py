"""Lessons that somebody else's agent proposes: checked, and kept in quarantine, in no prompt.

Attempts of a run may prove them there, as any other bullet that waits; a person may let them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ace.errors import LessonRefused
from ace.playbook.delta import find_flaw
from ace.playbook.model import Add, Bullet, Quarantine, Status, bullet_id
from ace.runs.records import Proposal, Reason
from ace.safety.copied import holds_private
from ace.safety.injection import find_suspicion
from ace.safety.secrets import hide_secrets
from ace.store import Store

LONGEST = 1_500
"""The most characters of a lesson."""

LONGEST_REASON = 500
"""The most characters of the reason for one."""

LONGEST_SECTION = 80
"""The most characters of a section's name."""

MOST_WAITING = 1_000
"""The most bullets that may wait in quarantine for another to be proposed."""


class LessonRule(StrEnum):
    """Name the rule that refused a lesson. Clients read the values: add to them, and never rename one."""

    MALFORMED = "malformed"  # no text, no section, or what no bullet can hold
    TOO_LONG = "too long"
    INSTRUCTION = "instruction"  # it asks to be obeyed, hides something, or carries markup
    PRIVATE = "private"  # it holds what a user said
    FULL = "full"  # too many wait already


@dataclass(frozen=True, slots=True)
class Lesson:
    """Hold what is proposed."""

    section: str
    content: str

    reason: str
    """Why it should be known; recorded with the version."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what became of a lesson."""

    bullet: str
    """The id of the bullet that says so."""

    status: Status
    """That of the bullet."""

    version: int
    """The version that the playbook is at."""

    is_new: bool
    """Whether the bullet was added."""


def propose_lesson(store: Store, lesson: Lesson, author: str) -> Decision:
    """Add a lesson in quarantine, in a version of its own; `author` proposes it. Secrets are hidden.

    A lesson that the playbook has, or had, changes nothing. Raises LessonRefused.
    """
    section = hide_secrets(lesson.section.strip())
    content = hide_secrets(lesson.content.strip())
    reason = lesson.reason.strip()
    flaw = find_flaw(Bullet(bullet_id(section, content), section, content))
    if flaw:
        raise _refuse(LessonRule.MALFORMED, f"That cannot be a bullet: {flaw}.", "Give both texts.")
    for what, text, most in (
        ("The lesson", content, LONGEST),
        ("The section", section, LONGEST_SECTION),
        ("The reason", reason, LONGEST_REASON),
    ):
        if len(text) > most:
            problem = f"{what} has {len(text):,} characters, of at most {most:,}."
            raise _refuse(LessonRule.TOO_LONG, problem, "Say it shorter.")
        why = find_suspicion(text)
        if why:
            hint = "Say how the work is done, in plain words."
            raise _refuse(LessonRule.INSTRUCTION, f"{what} reads as an attempt to give orders: {why}.", hint)
    if holds_private(content, [memory.text for memory in store.memories(every=True)]):
        hint = "Say what holds for everybody."
        raise _refuse(LessonRule.PRIVATE, "The lesson holds what a user said.", hint)
    return _keep_waiting(store, Lesson(section, content, reason), author)


def _keep_waiting(store: Store, lesson: Lesson, author: str) -> Decision:
    """Commit a lesson that was checked, unless it is known. Raises LessonRefused where too many wait."""
    base = store.head().number
    add = Add(bullet_id(lesson.section, lesson.content), lesson.section, lesson.content)
    twin = store.find_text(lesson.content, base)
    same = twin or store.checkout_part([add.id], base).bullets.get(add.id)
    if same is not None:
        return Decision(same.id, same.status, base, is_new=False)
    statuses = store.list_ids("", base)
    if list(statuses.values()).count(Status.QUARANTINED) >= MOST_WAITING:
        hint = "A person has to look at them first: `ace playbook show`."
        raise _refuse(LessonRule.FULL, f"{MOST_WAITING:,} bullets wait in quarantine.", hint)
    delta = (add, Quarantine(add.id))
    why = "proposed by a client: nothing has proven it"
    proposal = Proposal("", author, delta, "accepted", why, reason=Reason.QUARANTINED)
    reason = lesson.reason or "proposed"
    commit = store.commit(delta, author=author, reason=reason, expect=base, proposals=[proposal], whole=False)
    return Decision(add.id, Status.QUARANTINED, commit.version.number, is_new=not commit.rejections)


def _refuse(rule: LessonRule, message: str, hint: str) -> LessonRefused:
    """Return the error."""
    return LessonRefused(message, hint=hint, rule=rule.value)
