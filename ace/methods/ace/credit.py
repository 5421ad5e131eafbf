"""Which bullets an attempt used, and why it failed: read off what it and the right answer are made of.

A small model cannot be asked which bullets it used, but a bullet "words: meaning" whose meaning stands in an
attempt was used by it, or might as well have been. Knows texts and feedback; without labels there is nothing
to compare with, so nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from ace.methods.ace.coverage import teachable, texts_of, unspoken
from ace.methods.ace.lesson_scope import generalised
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Vote
from ace.refine.similar import word_key
from ace.task.types import FeedbackKind

Cause = Literal["missing knowledge", "wrong bullet", "bad luck", "impossible", "unexplained", ""]
CAUSES: tuple[Cause, ...] = ("missing knowledge", "wrong bullet", "bad luck", "impossible", "unexplained")
HOPELESS = 8  # proposals that did not make a sample right; a default run makes four in an epoch


def votes(trial: Trial, known: Iterable[Bullet]) -> tuple[Vote, ...]:
    """Helpful: a bullet whose meaning stands in a right attempt. Harmful: in a wrong one, and not in the
    right answer. What the question says itself is nobody's credit. A bullet that the attempt cites counts as
    used. `known`: bullets on the trial's subjects.
    """
    question, feedback = trial.sample.question, trial.feedback
    if feedback.passed is None:
        return ()
    bullets, named = tuple(known), frozenset(trial.cited)
    used = _speakers(question, texts_of(trial.parts), bullets)
    wanted = _speakers(question, texts_of(feedback.facts), bullets)
    if feedback.passed:
        return tuple(Vote(b.id, helpful=1) for b in bullets if b.id in named | used & wanted)
    return tuple(Vote(b.id, harmful=1) for b in bullets if b.id in (named | used) - wanted)


def cause(trial: Trial, known: Sequence[Bullet], *, reflections: int = 0, unlucky: bool = False) -> Cause:
    """Why an attempt failed; empty for one that did not, and where no label says so.

    `reflections`: the proposals that did not make its sample right, so far. "unexplained": every part of the
    right answer is in the playbook and no bullet speaks against it, or the answer cannot be taken apart.
    """
    if spoiled(trial):
        return "impossible"
    if trial.feedback.passed is not False:
        return ""
    if unlucky:
        return "bad luck"
    if reflections >= HOPELESS:
        return "impossible"
    if votes(trial, known):
        return "wrong bullet"
    return "missing knowledge" if _unknown(trial, known) else "unexplained"


def spoiled(trial: Trial) -> bool:
    """Labels are there, and say nothing of the attempt: the gold answer itself fails."""
    return trial.provable and trial.feedback.kind is FeedbackKind.LABELS and trial.feedback.passed is None


def suggests_luck(trial: Trial, known: Sequence[Bullet]) -> bool:
    """Wrong although the right answer can be taken apart, and the playbook says every part and no other."""
    wrong = trial.provable and trial.feedback.passed is False and bool(trial.feedback.facts)
    return wrong and not votes(trial, known) and not _unknown(trial, known)


def _unknown(trial: Trial, known: Sequence[Bullet]) -> tuple[str, ...]:
    return unspoken(trial.sample.question, texts_of(trial.feedback.facts), known)


def _speakers(question: str, parts: Sequence[str], bullets: Sequence[Bullet]) -> frozenset[str]:
    """Bullets that say one of the parts. Neither order nor the side of a join counts."""
    told = [set(word_key(generalised(question, part))) for part in teachable(question, parts)]
    words = {bullet.id: set(word_key(bullet.content)) for bullet in bullets}
    return frozenset(name for name, said in words.items() if any(part <= said for part in told))
