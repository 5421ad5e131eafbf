"""What to make of a lesson before it costs an attempt: a new bullet, a correction of an old one, nothing.

A false lesson can pass its own proof beside a true one: "Cancelled orders: SUM(ord.total) / 100.0", learned
from a question about what cancelled orders are worth. So the words of a lesson must be free: if a bullet
says already what they mean, the lesson corrects it when both speak of the same columns, and is left out
otherwise. Knows texts only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ace.methods.ace.contrast import SPEAKS_FOR
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import PLACEHOLDERS, conditions, mentioned, repeated, stems
from ace.playbook.model import Add, Bullet, Promote, Revise, bullet_id
from ace.refine.similar import means_the_same, topic_key, word_key
from ace.task.types import Sample

SECTION = "lessons"
WORDLESS = "has no words of its own"


@dataclass(frozen=True, slots=True)
class Considered:
    """An operation to prove, or the flaw that speaks against it."""

    operation: Add | Revise | None = None
    flaw: str = ""


def consider(
    lesson: str, sample: Sample, known: Iterable[Bullet], evidence: Evidence, *, widen: bool = True
) -> Considered:
    """`known`: the bullets on the subjects of the sample that the lesson was learned from.

    `widen`: other words for what a bullet says join its line; otherwise they get a line of their own.
    """
    bullets = tuple(known)
    if any(_says(bullet.content, lesson, sample.question) for bullet in bullets):
        return Considered(flaw=f"{lesson} is known")
    if changed := _changed(lesson, sample, bullets, evidence):
        return changed
    if flaw := _flaw(lesson, sample, evidence):
        told_apart = evidence.contrast.apart(lesson, sample.question)
        if flaw == WORDLESS or _flaw(told_apart, sample, evidence):
            return Considered(flaw=f"{lesson} {flaw}")
        lesson = told_apart
    for bullet in bullets:
        same_topic = bool(topic_key(lesson)) and topic_key(bullet.content) == topic_key(lesson)
        if means_the_same(bullet.content, lesson):
            return _widened(bullet, lesson) if widen else Considered(added(lesson))
        if same_topic and _names(bullet.content) & _names(lesson):
            return Considered(Revise(bullet.id, lesson, bullet.provenance))
        if same_topic or _uses_its_words(bullet.content, lesson):
            return Considered(flaw=f"{lesson} uses words that are known to mean: {bullet.content}")
    return Considered(added(lesson))


def _changed(lesson: str, sample: Sample, bullets: Iterable[Bullet], evidence: Evidence) -> Considered | None:
    """Where rules may change: the same words now mean another value of the same column."""
    for bullet in bullets if evidence.newest_wins and conditions(lesson) == 1 else ():
        same = topic_key(lesson) and topic_key(bullet.content) == topic_key(lesson)
        if same and conditions(bullet.content) == 1 and _names(bullet.content) == _names(lesson):
            outdated = evidence.outdated(bullet.content)
            if outdated and not _flaw(lesson, sample, evidence, outdated):
                return Considered(Revise(bullet.id, lesson, bullet.provenance))
    return None


def _says(bullet: str, lesson: str, question: str) -> bool:
    """A bullet is the lesson, or says the same in words that this question has too."""
    if word_key(bullet) == word_key(lesson):
        return True
    names = bullet.partition(":")[0].split(", ")
    return means_the_same(bullet, lesson) and any(stems(name) <= stems(question) for name in names)


def _widened(bullet: Bullet, lesson: str) -> Considered:
    """Another name for what a bullet says already: one line then has both."""
    words, _, meaning = bullet.content.partition(":")
    more = lesson.partition(":")[0]
    if stems(more) <= stems(words):
        return Considered(flaw=f"{lesson} is known")
    return Considered(
        Revise(bullet.id, f"{words}, {more[:1].lower()}{more[1:]}:{meaning}", bullet.provenance)
    )


def added(lesson: str) -> Add:
    """A new bullet for a lesson, its id derived from its content."""
    return Add(bullet_id(SECTION, lesson), SECTION, lesson)


def release(bullet: Bullet) -> tuple[Promote, Revise]:
    """Out of quarantine: the same content, to cite what proves it beside what it cites already."""
    return Promote(bullet.id), Revise(bullet.id, bullet.content, bullet.provenance)


def _flaw(lesson: str, sample: Sample, evidence: Evidence, outdated: Collection[str] = ()) -> str:
    if copied := repeated(sample.question, lesson):
        return f"repeats {', '.join(copied)} of its own question"
    if conditions(lesson) > 1:
        return "says several things in one line"
    if not stems(lesson.partition(":")[0]) - stems(" ".join(PLACEHOLDERS)):
        return WORDLESS
    if other := evidence.contrast.bystander(lesson, (sample.id, *outdated)):
        return f"{SPEAKS_FOR}{other}"
    return "" if evidence.rarity.sets_apart(sample.question, lesson) else "would speak for many questions"


def _uses_its_words(bullet: str, lesson: str) -> bool:
    """Both are conditions on different columns, and the lesson's words include all of the bullet's.

    A unit's may: "Weight of tea in kilograms" speaks of tea and of more. So may a join's.
    """
    words = stems(bullet.partition(":")[0])
    return (
        bool(words)
        and conditions(lesson) > 0
        and conditions(bullet) > 0
        and words <= stems(lesson.partition(":")[0])
        and not _names(bullet) & _names(lesson)
    )


def _names(lesson: str) -> frozenset[str]:
    everything = mentioned(lesson.partition(":")[2])
    dotted = frozenset(name for name in everything if "." in name)
    return dotted or everything
