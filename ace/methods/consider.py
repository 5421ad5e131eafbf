"""What to make of a lesson before it costs an attempt: a new bullet, a correction of an old one, nothing.

A false lesson can pass its own proof beside a true one: "Cancelled orders: SUM(ord.total) / 100.0", learned
from a question about what cancelled orders are worth. So the words of a lesson must be free: if a bullet
says already what they mean, the lesson corrects it when both speak of the same columns, and is left out
otherwise. Knows texts only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace.methods.evidence import mentioned, specific
from ace.methods.generality import Rarity, conditions, repeated, stems
from ace.playbook.model import Add, Bullet, Promote, Revise, Status, bullet_id
from ace.refine.similar import same_words, topic

SECTION = "lessons"


@dataclass(frozen=True, slots=True)
class Considered:
    """An operation to prove, or the flaw that speaks against it."""

    operation: Add | Revise | None = None
    flaw: str = ""


def consider(lesson: str, question: str, known: Iterable[Bullet], rarity: Rarity) -> Considered:
    """`known`: the bullets on the subjects of the question that the lesson was learned from."""
    if flaw := _flaw(lesson, question, rarity):
        return Considered(flaw=f"{flaw}: {lesson}")
    for bullet in known:
        if bullet.status is Status.QUARANTINED:  # it means nothing yet; said again, it gets its proof
            continue
        if same_words(bullet.content) == same_words(lesson):
            return Considered(flaw=f"known: {lesson}")
        same_topic = bool(topic(lesson)) and topic(bullet.content) == topic(lesson)
        if same_topic and _names(bullet.content) & _names(lesson):
            return Considered(Revise(bullet.id, lesson, bullet.provenance))
        if same_topic or _uses_its_words(bullet.content, lesson):
            return Considered(flaw=f"its words mean something else already, {bullet.content} Said: {lesson}")
    return Considered(added(lesson))


def added(lesson: str) -> Add:
    """A new bullet for a lesson, its id derived from its content."""
    return Add(bullet_id(SECTION, lesson), SECTION, lesson)


def release(bullet: Bullet) -> tuple[Promote, Revise]:
    """Out of quarantine: the same content, to cite what proves it beside what it cites already."""
    return Promote(bullet.id), Revise(bullet.id, bullet.content, bullet.provenance)


def _flaw(lesson: str, question: str, rarity: Rarity) -> str:
    if copied := repeated(question, lesson):
        return f"it repeats {', '.join(copied)} of its own question"
    if conditions(lesson) > 1:
        return "several things in one line"
    return "" if rarity.sets_apart(question, lesson) else "too general, it would speak for other questions"


def _uses_its_words(bullet: str, lesson: str) -> bool:
    """Both are conditions on different columns, and the lesson's words include all of the bullet's."""
    words = stems(bullet.partition(":")[0])
    return (
        bool(words)
        and conditions(lesson) > 0
        and conditions(bullet) > 0
        and words <= stems(lesson.partition(":")[0])
        and not _names(bullet) & _names(lesson)
    )


def _names(lesson: str) -> frozenset[str]:
    return specific(mentioned(lesson.partition(":")[2]))
