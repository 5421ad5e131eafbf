"""Decide what to make of a lesson before it costs an attempt: a new bullet, a corrected one, or nothing.

A false lesson can pass its own proof beside a true one: "Cancelled orders: SUM(ord.total) / 100.0", learned
from a question about what cancelled orders are worth. So the words of a lesson must be free: if a bullet
says already what they mean, the lesson corrects it when both speak of the same topics, and is left out
otherwise. Knows texts only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ace.methods.ace.contrast import SPEAKS_FOR
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import (
    PLACEHOLDERS,
    count_conditions,
    find_identifiers,
    find_repeated_numbers,
    find_stems,
    find_topics,
)
from ace.playbook.model import Add, Bullet, Promote, Revise, bullet_id
from ace.refine.similar import means_the_same, topic_key, word_key
from ace.task.types import Sample

SECTION = "lessons"
WORDLESS = "has no words of its own"


@dataclass(frozen=True, slots=True)
class Considered:
    """Hold an operation to prove, or the flaw that speaks against a lesson."""

    operation: Add | Revise | None = None
    flaw: str = ""


def consider(
    lesson: str, sample: Sample, known: Iterable[Bullet], evidence: Evidence, *, widen: bool = True
) -> Considered:
    """Return what to make of a lesson that was learned from `sample`.

    `known`: the bullets on the sample's topics. `widen`: other words for what a bullet says join its line;
    otherwise they get a line of their own.
    """
    bullets = tuple(known)
    if any(_says(bullet.content, lesson, sample.question) for bullet in bullets):
        return Considered(flaw=f"{lesson} is known")
    if evidence.newest_wins and (revision := _revise_value(lesson, sample, bullets, evidence)):
        return Considered(revision)
    if flaw := _find_flaw(lesson, sample, evidence):
        narrowed = evidence.contrast.narrow(lesson, sample.question)
        if flaw == WORDLESS or _find_flaw(narrowed, sample, evidence):
            return Considered(flaw=f"{lesson} {flaw}")
        lesson = narrowed
    for bullet in bullets:
        has_same_words = bool(topic_key(lesson)) and topic_key(bullet.content) == topic_key(lesson)
        if means_the_same(bullet.content, lesson):
            return _widen(bullet, lesson) if widen else Considered(add_lesson(lesson))
        if has_same_words and _find_subjects(bullet.content) & _find_subjects(lesson):
            return Considered(Revise(bullet.id, lesson, bullet.provenance))
        if has_same_words or _takes_words(bullet.content, lesson):
            return Considered(flaw=f"{lesson} uses words that are known to mean: {bullet.content}")
    return Considered(add_lesson(lesson))


def add_lesson(lesson: str, section: str = SECTION) -> Add:
    """Return the operation that adds a lesson as a bullet, its id derived from its content."""
    return Add(bullet_id(section, lesson), section, lesson)


def release(bullet: Bullet) -> tuple[Promote, Revise]:
    """Return what takes a bullet out of quarantine, so that it can cite its new proof beside the old ones."""
    return Promote(bullet.id), Revise(bullet.id, bullet.content, bullet.provenance)


def _says(bullet: str, lesson: str, question: str) -> bool:
    """Return whether a bullet is the lesson, or says the same in words that this question has too."""
    if word_key(bullet) == word_key(lesson):
        return True
    names = bullet.partition(":")[0].split(", ")
    asked = find_stems(question)
    return means_the_same(bullet, lesson) and any(find_stems(name) <= asked for name in names)


def _revise_value(
    lesson: str, sample: Sample, bullets: Iterable[Bullet], evidence: Evidence
) -> Revise | None:
    """Return the correction of a bullet whose words now mean another value of the same topic."""
    if count_conditions(lesson) != 1 or not topic_key(lesson):
        return None
    for bullet in bullets:
        has_same_words = topic_key(bullet.content) == topic_key(lesson)
        has_same_subjects = _find_subjects(bullet.content) == _find_subjects(lesson)
        if has_same_words and has_same_subjects and count_conditions(bullet.content) == 1:
            outdated = evidence.list_outdated(bullet.content)
            if outdated and not _find_flaw(lesson, sample, evidence, outdated):
                return Revise(bullet.id, lesson, bullet.provenance)
    return None


def _widen(bullet: Bullet, lesson: str) -> Considered:
    """Give the line of a bullet another name for what it says already."""
    words, _, meaning = bullet.content.partition(":")
    name = lesson.partition(":")[0]
    if find_stems(name) <= find_stems(words):
        return Considered(flaw=f"{lesson} is known")
    content = f"{words}, {name[:1].lower()}{name[1:]}:{meaning}"
    return Considered(Revise(bullet.id, content, bullet.provenance))


def _find_flaw(lesson: str, sample: Sample, evidence: Evidence, outdated: Collection[str] = ()) -> str:
    if numbers := find_repeated_numbers(sample.question, lesson):
        return f"repeats {', '.join(numbers)} of its own question"
    if count_conditions(lesson) > 1:
        return "says several things in one line"
    if not find_stems(lesson.partition(":")[0]) - find_stems(" ".join(PLACEHOLDERS)):
        return WORDLESS
    if bystander := evidence.contrast.find_bystander(lesson, (sample.id, *outdated)):
        return f"{SPEAKS_FOR}{bystander}"
    return "" if evidence.rarity.sets_apart(sample.question, lesson) else "would speak for many questions"


def _takes_words(bullet: str, lesson: str) -> bool:
    """Return whether both are conditions on different topics, and the lesson has all words of the bullet.

    A unit's lesson may: "Weight of tea in kilograms" speaks of tea and of more. So may a join's.
    """
    words = find_stems(bullet.partition(":")[0])
    has_words = bool(words) and words <= find_stems(lesson.partition(":")[0])
    both_compare = count_conditions(lesson) > 0 and count_conditions(bullet) > 0
    return has_words and both_compare and not _find_subjects(bullet) & _find_subjects(lesson)


def _find_subjects(lesson: str) -> frozenset[str]:
    """Return the topics of a lesson's meaning; where it has none, all its identifiers."""
    return find_topics(lesson) or find_identifiers(lesson.partition(":")[2])
