"""Prove bullets again that were learned before the world changed.

A reopened bullet stays in use until a sample speaks of it. If that is right, or its right answer is made of
what the bullet says, the bullet stands, and cites the new episode. Otherwise it goes into quarantine, where
the next failed sample that it speaks of may take it out again; where the environment knows its words, only
those for this sample go. Knows texts and feedback; asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ace.methods.ace.proposals import revise_lesson
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Operation, Playbook, Quarantine, Status
from ace.runs.records import Proposal, Reason
from ace.task.wording import Wording, list_texts
from ace.text import weigh_shared_terms

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


def weigh_reopened(trial: Trial, before: Reopened, wording: Wording | None = None) -> Iterator[Proposal]:
    """Yield a proposal for each reopened bullet that the sample speaks of: it stands, or waits for proof.

    Where it is known what the right answer is made of, that decides; else whether the attempt was right.
    """
    right = trial.feedback.is_solved
    if right is None:
        return
    parts = list_texts(trial.feedback.facts)
    for bullet, rest in _find_spoken_of(trial, before, wording):
        says_part = wording.says_part(bullet.content, parts) if wording else None
        holds = right if says_part is None else says_part
        if not holds and right:
            continue
        operation: Operation = revise_lesson(bullet.id, rest) if rest else Quarantine(bullet.id)
        if holds:
            cited = tuple(dict.fromkeys((*bullet.provenance, trial.episode)))
            operation = revise_lesson(bullet.id, bullet.content, cited)
        yield Proposal(
            sample_id=trial.sample.id,
            author=AUTHOR,
            delta=(operation,),
            outcome="accepted",
            why=f"{trial.sample.id}: it {'holds' if holds else 'does not hold'} after the change",
            episodes=(trial.episode,),
            reason=Reason.HOLDS_AFTER_CHANGE if holds else Reason.FAILS_AFTER_CHANGE,
        )


def _find_spoken_of(trial: Trial, before: Reopened, wording: Wording | None) -> list[tuple[Bullet, str]]:
    """Return the bullets that a sample speaks of, each with what remains of it without the words for it.

    Without a wording, those that the attempt cites and those whose terms are nearest to the question: shared
    terms count for more the fewer bullets have them. Where all of several are equally near, it speaks of
    none.
    """
    question = trial.sample.question
    if wording:
        remains = [(bullet, wording.drop_words(bullet.content, question)) for bullet in before.values()]
        return [(bullet, rest) for bullet, rest in remains if rest is not None]
    shared = weigh_shared_terms(question, {name: bullet.content for name, bullet in before.items()})
    most = max(shared.values(), default=0.0)
    tells_apart = len(shared) == 1 or min(shared.values(), default=0.0) < most
    spoken_of = []
    for name, bullet in before.items():
        is_nearest = tells_apart and 0.0 < most == shared[name]
        if is_nearest or name in trial.cited:
            spoken_of.append((bullet, ""))
    return spoken_of
