"""Credit bullets for the attempts of a batch: votes, and causes of failures.

A large model says which bullets it used. A small model cannot be asked, but where the environment knows the
words of facts, a bullet whose meaning stands in an attempt was used by it, or might as well have been.
Without labels there is nothing to compare with, so nothing is said. No role is asked, and nothing here
decides whether a lesson is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from ace.methods.ace.chance import NO_CONTROLS
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proposals import changes_use
from ace.methods.ace.quarantine import list_unhelpful
from ace.methods.ace.reflection import FailureType
from ace.methods.ace.refusals import identify_situation, list_refuted
from ace.methods.ace.state import Lesson, LessonNotes
from ace.methods.grades import grade
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Delta, Playbook, Status, Vote
from ace.task.types import FeedbackKind
from ace.task.wording import Line, Wording, list_texts

HOPELESS = 8  # proposals that did not make a sample right; a default run makes four in an epoch
AUTHOR = "credit"  # of a version that holds votes only


class Cause(StrEnum):
    """Say why an attempt failed, for the report."""

    MISSING = "missing knowledge"
    WRONG_BULLET = "wrong bullet"
    VARIANCE = "variance"
    IMPOSSIBLE = "impossible"
    UNEXPLAINED = "unexplained"
    SLIP = "slip"
    FORM = "wrong form"
    BAD_LABEL = "bad label"
    NONE = ""  # it did not fail, or nothing shown says so


_BY_FAILURE: Mapping[FailureType, Cause] = {
    FailureType.GAP: Cause.MISSING,
    FailureType.SLIP: Cause.SLIP,
    FailureType.FORMAT: Cause.FORM,
    FailureType.CAPABILITY: Cause.IMPOSSIBLE,
    FailureType.BAD_LABEL: Cause.BAD_LABEL,
    FailureType.VARIANCE: Cause.VARIANCE,
}


def vote(trial: Trial, known: Iterable[Bullet], wording: Wording | None = None) -> tuple[Vote, ...]:
    """Vote on the bullets `known` on the trial's topics: those that the attempt cites, or that stand in it.

    Helpful: a bullet whose meaning stands in a right attempt. Harmful: in a wrong one, and not in the right
    answer. What the question says itself is nobody's credit.
    """
    question, feedback = trial.sample.question, trial.feedback
    if feedback.passed is None:
        return ()
    bullets, cited = tuple(known), frozenset(trial.cited)
    used, wanted = frozenset[str](), frozenset[str]()
    if wording:
        lines = [Line(bullet.id, bullet.content) for bullet in bullets]
        used = wording.find_speakers(question, list_texts(trial.parts), lines)
        wanted = wording.find_speakers(question, list_texts(feedback.facts), lines)
    if feedback.passed:
        return tuple(Vote(bullet.id, helpful=1) for bullet in bullets if bullet.id in cited | used & wanted)
    return tuple(Vote(bullet.id, harmful=1) for bullet in bullets if bullet.id in (cited | used) - wanted)


def find_cause(
    lesson: Lesson, known: Sequence[Bullet], wording: Wording | None = None, *, reflections: int = 0
) -> Cause:
    """Return why an attempt failed: by what the playbook lacks, where facts have words, else by a reflector.

    `reflections`: the proposals that did not make its sample right, so far. UNEXPLAINED: every part of the
    right answer is in the playbook and no bullet speaks against it, or nothing says why.
    """
    trial = lesson.trial
    if is_spoiled(trial):
        return Cause.IMPOSSIBLE
    if trial.feedback.passed is not False:
        return Cause.NONE
    if lesson.suspect:
        return Cause.BAD_LABEL
    if reflections >= HOPELESS:
        return Cause.IMPOSSIBLE
    if vote(trial, known, wording):
        return Cause.WRONG_BULLET
    if wording is None:
        failure = lesson.search.failure if lesson.search else None
        return _BY_FAILURE[failure] if failure else Cause.UNEXPLAINED
    contents = [bullet.content for bullet in known]
    lacking = wording.list_unspoken(trial.sample.question, list_texts(trial.feedback.facts), contents)
    return Cause.MISSING if lacking else Cause.UNEXPLAINED


def is_spoiled(trial: Trial) -> bool:
    """Return whether labels are there, and say nothing of the attempt: the gold answer itself fails."""
    return trial.provable and trial.feedback.kind is FeedbackKind.LABELS and trial.feedback.passed is None


def list_bullets_about(trial: Trial, playbook: Playbook, evidence: Evidence) -> tuple[Bullet, ...]:
    """Return bullets in use on what the right answer or the attempt touches, and those the attempt cites."""
    topics = frozenset(topic for part in trial.parts for topic in part.topics)
    on_topic = evidence.bullets_on(playbook, trial.feedback.topics | topics)
    cited = [playbook.bullets[name] for name in trial.cited if name in playbook.bullets]
    bullets = {bullet.id: bullet for bullet in (*on_topic, *cited)}
    return tuple(bullet for bullet in bullets.values() if bullet.status is Status.ACTIVE)


def write_notes(lesson: Lesson, playbook: Playbook, evidence: Evidence) -> LessonNotes:
    """Return what the journal keeps of a sample beside its result."""
    trial, proposals = lesson.trial, lesson.proposals
    reflections = 0
    if not any(changes_use(proposal) for proposal in proposals):
        reflections = sum(proposal.outcome != "accepted" for proposal in proposals)
    cause = find_cause(
        lesson,
        list_bullets_about(trial, playbook, evidence),
        evidence.wording,
        reflections=evidence.reflections[trial.sample.id] + reflections,
    )
    search, score = lesson.search, grade(trial.feedback)
    return LessonNotes(
        score=score if score is not None and 0.0 < score < 1.0 else None,
        failure=search.failure if search else None,
        controls=search.prover.tally if search else NO_CONTROLS,
        edits=search.refuted if search else (),
        waiting=search.undecided if search else (),
        suspect=lesson.suspect,
        episode=trial.episode if trial.feedback.expected and not evidence.wording else "",
        cause=cause,
        reflections=reflections,
        situation=identify_situation(trial, playbook, evidence),
        refuted=list_refuted(proposals),
        unhelpful=list_unhelpful(proposals),
    )


def cast_votes(lessons: Iterable[Lesson], playbook: Playbook, evidence: Evidence) -> Delta:
    """Return the votes of a batch, one for each bullet.

    They are those of attempts (see `vote`), and the tags of reflectors on the bullets that they were shown,
    as far as these are in use.
    """
    ballots: list[Vote] = []
    tags: list[Vote] = []
    for lesson in lessons:
        bullets = list_bullets_about(lesson.trial, playbook, evidence)
        ballots += vote(lesson.trial, bullets, evidence.wording)
        if lesson.search is None:
            continue
        for tag in lesson.search.tags:
            bullet = playbook.bullets.get(tag.id)
            if bullet is not None and bullet.status is Status.ACTIVE:
                tags.append(Vote(tag.id, helpful=int(tag.helped), harmful=int(not tag.helped)))
    sums: dict[str, Vote] = {}
    for ballot in (*ballots, *tags):
        old = sums.get(ballot.id, Vote(ballot.id))
        sums[ballot.id] = Vote(ballot.id, old.helpful + ballot.helpful, old.harmful + ballot.harmful)
    return tuple(sums.values())
