"""What becomes of bullets that were learned before the world changed: each must prove itself again.

A reopened bullet stays in use until a sample speaks of it. If that is right, or its right answer is made of
what the bullet says, the bullet stands, and cites the new episode. Otherwise it goes into quarantine, where
the next failed sample that it speaks of may take it out again; of a bullet with several names ("Phone
tickets, letter tickets: ...") only the name goes. Knows texts and feedback; asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ace.methods.ace.coverage import vouched
from ace.methods.ace.lesson_scope import stems
from ace.methods.ace.proof import solved
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Operation, Playbook, Quarantine, Revise, Status
from ace.runs.records import Proposal
from ace.task.types import Feedback

AUTHOR = "drift"

Reopened = Mapping[str, Bullet]  # each as it was when this was last looked at


def reopened(playbook: Playbook) -> Reopened:
    """Every bullet in use that may be retired."""
    return {b.id: b for b in playbook.bullets.values() if b.status is Status.ACTIVE and not b.pinned}


def still_open(before: Reopened, playbook: Playbook) -> Reopened:
    """Those in use that no episode was added to. One with new words has those to prove."""
    now = {key: playbook.bullets[key] for key in before if key in playbook.bullets}
    return {
        key: bullet
        for key, bullet in now.items()
        if bullet.status is Status.ACTIVE
        and (bullet.content != before[key].content or bullet.provenance == before[key].provenance)
    }


def weighed(trial: Trial, before: Reopened) -> Iterator[Proposal]:
    """For each reopened bullet that the sample speaks of: it stands, or it waits for proof."""
    right = solved(trial.feedback)
    if right is None:
        return
    for bullet in before.values():
        if not speaks_of(bullet, trial.sample.question):
            continue
        if _holds(bullet, trial.feedback, right):
            cited = tuple(dict.fromkeys((*bullet.provenance, trial.episode)))
            yield _decided(trial, Revise(bullet.id, bullet.content, cited), "holds after the change")
        elif not right:
            yield _decided(trial, _without(bullet, trial.sample.question), "does not hold after the change")


def speaks_of(bullet: Bullet, question: str) -> bool:
    """The question has all the words of one of a bullet's names; any word, where it has no colon."""
    head, colon, _ = bullet.content.partition(":")
    if not colon:
        return bool(stems(head) & stems(question))
    return any(_asked(name, question) for name in head.split(", "))


def _without(bullet: Bullet, question: str) -> Operation:
    """The bullet without the names that the question has, if it keeps one."""
    head, colon, meaning = bullet.content.partition(":")
    names = [name for name in head.split(", ") if not _asked(name, question)]
    if not colon or not names:
        return Quarantine(bullet.id)
    left = ", ".join(names)
    return Revise(bullet.id, f"{left[:1].upper()}{left[1:]}:{meaning}")


def _asked(name: str, question: str) -> bool:
    words = stems(name)
    return bool(words) and words <= stems(question)


def _holds(bullet: Bullet, feedback: Feedback, right: bool) -> bool:
    """Where labels show what the right answer is made of, that decides; else whether it was right."""
    said = vouched(bullet, [fact.text for fact in feedback.facts])
    return right if said is None else said


def _decided(trial: Trial, operation: Operation, what: str) -> Proposal:
    why = f"{trial.sample.id}: it {what}"
    return Proposal(trial.sample.id, AUTHOR, (operation,), "accepted", why, (trial.episode,))
