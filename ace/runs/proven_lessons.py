"""Lessons of a run as they are proven: a fold of its journal.

It is the same in the run itself and in another process that reads the file. Knows the journal and
bullets, and nothing of how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ace.playbook.model import Playbook, Status
from ace.runs.steps import StepRecord

_NAMED = 3  # samples that a line names
_SHOWN = 70  # characters of a question


@dataclass(frozen=True, slots=True)
class Witness:
    """Name a sample that is right with a lesson."""

    sample: str
    """Its id."""

    question: str
    """What it asks; "" where that is not known here."""

    is_fixed: bool
    """Whether the last attempt at it without the lesson was wrong."""


@dataclass(frozen=True, slots=True)
class ProvenLesson:
    """Hold a bullet that attempts have proven, with the samples that are right with it."""

    bullet: str
    """The id of the bullet."""

    content: str
    version: int
    """The version that has it first in this form."""

    witnesses: tuple[Witness, ...]
    """Those that it fixed first."""


class LessonFold:
    """Find the lessons in the steps of a run, which are taken in one after another.

    A lesson comes up once for each form of its content. Bullets that wait in quarantine are none.
    """

    def __init__(self) -> None:
        self._right: dict[str, bool | None] = {}
        self._contents: dict[str, str] = {}

    def take(
        self,
        step: StepRecord,
        playbook: Playbook,
        name_questions: Callable[[frozenset[str]], Mapping[str, str]],
    ) -> list[ProvenLesson]:
        """Return the lessons that a step has proven. `playbook` holds at least the bullets of its proofs.

        `name_questions` returns the questions of samples by their ids, as far as they are known; it is called
        only where there are lessons.
        """
        for result in step.results:
            if result.phase.learns:
                self._right[result.sample] = result.right
        proven = {}
        for bullet, samples in step.proofs.items():
            current = playbook.bullets.get(bullet)
            if not samples or current is None or current.status is not Status.ACTIVE:
                continue
            if self._contents.get(bullet) != current.content:
                proven[bullet] = current.content
                self._contents[bullet] = current.content
        if not proven:
            return []
        questions = name_questions(step.taught)
        lessons = []
        for bullet, content in proven.items():
            witnesses = []
            for sample in dict.fromkeys(step.proofs[bullet]):
                is_fixed = self._right.get(sample) is False
                witnesses.append(Witness(sample, questions.get(sample, ""), is_fixed))
            witnesses.sort(key=lambda witness: not witness.is_fixed)
            lessons.append(ProvenLesson(bullet, content, step.version, tuple(witnesses)))
        for sample in step.taught:
            self._right[sample] = True
        return lessons


def render_lesson(lesson: ProvenLesson) -> str:
    """Return a lesson as text: what it says, then what it fixed, or what else is right with it."""
    content = " ".join(lesson.content.split())
    fixed = [witness for witness in lesson.witnesses if witness.is_fixed]
    named = fixed or list(lesson.witnesses)
    texts = []
    for witness in named[:_NAMED]:
        text = " ".join(witness.question.split()) or witness.sample
        texts.append(text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()}...")
    more = len(named) - len(texts)
    line = f"{'fixed' if fixed else 'right with it'}: {'; '.join(texts)}"
    if more:
        line += f"; and {more} more"
    others = len(lesson.witnesses) - len(named)
    if others:
        line += f" ({others} more right with it)"
    return f"lesson {lesson.bullet}, version {lesson.version}: {content}\n    {line}"
