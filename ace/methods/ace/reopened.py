"""Prove bullets again that were learned before the world changed.

A reopened bullet stays in use until a sample speaks of it. If that is right, or its right answer is made of
what the bullet says, the bullet stands, and cites the new episode. Otherwise it goes into quarantine, where
the next failed sample that it speaks of may take it out again; of a bullet with several names ("Phone
tickets, letter tickets: ...") only the name goes. Knows texts and feedback; asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ace.methods.ace.coverage import has_part, texts_of
from ace.methods.ace.lesson_scope import find_stems
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Operation, Playbook, Quarantine, Revise, Status
from ace.runs.records import Proposal, Reason

AUTHOR = "drift"

Reopened = Mapping[str, Bullet]  # each as it was when this was last looked at


def reopen_all(playbook: Playbook) -> Reopened:
    """Return every bullet in use that may be retired."""
    return {b.id: b for b in playbook.bullets.values() if b.status is Status.ACTIVE and not b.pinned}


def keep_open(before: Reopened, playbook: Playbook) -> Reopened:
    """Return those in use that no episode was added to. One with new words has those to prove."""
    still_open = {}
    for name, old in before.items():
        bullet = playbook.bullets.get(name)
        if bullet is None or bullet.status is not Status.ACTIVE:
            continue
        if bullet.content != old.content or bullet.provenance == old.provenance:
            still_open[name] = bullet
    return still_open


def weigh_reopened(trial: Trial, before: Reopened) -> Iterator[Proposal]:
    """Yield a proposal for each reopened bullet that the sample speaks of: it stands, or waits for proof.

    Where labels show what the right answer is made of, that decides; else whether the attempt was right.
    """
    right = trial.feedback.is_solved
    if right is None:
        return
    parts = texts_of(trial.feedback.facts)
    for bullet in before.values():
        if not _speaks_of(bullet, trial.sample.question):
            continue
        says_part = has_part(bullet, parts)
        holds = right if says_part is None else says_part
        if not holds and right:
            continue
        operation: Operation = _drop_names(bullet, trial.sample.question)
        if holds:
            cited = tuple(dict.fromkeys((*bullet.provenance, trial.episode)))
            operation = Revise(bullet.id, bullet.content, cited)
        yield Proposal(
            sample_id=trial.sample.id,
            author=AUTHOR,
            delta=(operation,),
            outcome="accepted",
            why=f"{trial.sample.id}: it {'holds' if holds else 'does not hold'} after the change",
            episodes=(trial.episode,),
            reason=Reason.HOLDS_AFTER_CHANGE if holds else Reason.FAILS_AFTER_CHANGE,
        )


def _speaks_of(bullet: Bullet, question: str) -> bool:
    """Return whether a question has all words of one of a bullet's names; any word, where it has no colon."""
    head, colon, _ = bullet.content.partition(":")
    if not colon:
        return bool(find_stems(head) & find_stems(question))
    return any(_has_words(question, name) for name in head.split(", "))


def _drop_names(bullet: Bullet, question: str) -> Operation:
    """Return what takes the names that a question has from a bullet; if it keeps none, it must wait."""
    head, colon, meaning = bullet.content.partition(":")
    names = [name for name in head.split(", ") if not _has_words(question, name)]
    if not colon or not names:
        return Quarantine(bullet.id)
    remaining = ", ".join(names)
    return Revise(bullet.id, f"{remaining[:1].upper()}{remaining[1:]}:{meaning}")


def _has_words(question: str, name: str) -> bool:
    words = find_stems(name)
    return bool(words) and words <= find_stems(question)
