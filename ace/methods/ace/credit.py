"""Credit bullets for the attempts of a batch: votes, causes of failures, attempts with bullets left out.

A small model cannot be asked which bullets it used, but a bullet "words: meaning" whose meaning stands in an
attempt was used by it, or might as well have been. Without labels there is nothing to compare with, so
nothing is said. No role is asked, and nothing here decides whether a lesson is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from ace.methods.ace.chance import Chance
from ace.methods.ace.coverage import list_teachable, list_unspoken, texts_of
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import generalize_lesson
from ace.methods.ace.pool import grade
from ace.methods.ace.proposals import changes_use
from ace.methods.ace.refusals import find_contested, identify_situation, list_refuted
from ace.methods.ace.state import Lesson, LessonNotes
from ace.methods.protocol import Lab, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Operation, Playbook, Remove, Status, Vote
from ace.refine.similar import word_key
from ace.runs.seeds import seed_of
from ace.runs.steps import Phase, PhaseKind
from ace.task.types import FeedbackKind

Cause = Literal["missing knowledge", "wrong bullet", "bad luck", "impossible", "unexplained", ""]
HOPELESS = 8  # proposals that did not make a sample right; a default run makes four in an epoch
AUTHOR = "credit"  # of a version that holds votes only
_LEFT_OUT = 0.25  # of the bullets; more would measure another playbook


def vote(trial: Trial, known: Iterable[Bullet]) -> tuple[Vote, ...]:
    """Vote on the bullets `known` on the trial's topics.

    Helpful: a bullet whose meaning stands in a right attempt. Harmful: in a wrong one, and not in the right
    answer. What the question says itself is nobody's credit. A bullet that the attempt cites counts as used.
    """
    question, feedback = trial.sample.question, trial.feedback
    if feedback.passed is None:
        return ()
    bullets, cited = tuple(known), frozenset(trial.cited)
    used = _find_speakers(question, texts_of(trial.parts), bullets)
    wanted = _find_speakers(question, texts_of(feedback.facts), bullets)
    if feedback.passed:
        return tuple(Vote(bullet.id, helpful=1) for bullet in bullets if bullet.id in cited | used & wanted)
    return tuple(Vote(bullet.id, harmful=1) for bullet in bullets if bullet.id in (cited | used) - wanted)


def find_cause(
    trial: Trial, known: Sequence[Bullet], *, reflections: int = 0, unlucky: bool = False
) -> Cause:
    """Return why an attempt failed; empty for one that did not, and where no label says so.

    `reflections`: the proposals that did not make its sample right, so far. "unexplained": every part of the
    right answer is in the playbook and no bullet speaks against it, or the answer cannot be taken apart.
    """
    if is_spoiled(trial):
        return "impossible"
    if trial.feedback.passed is not False:
        return ""
    if unlucky:
        return "bad luck"
    if reflections >= HOPELESS:
        return "impossible"
    if vote(trial, known):
        return "wrong bullet"
    lacking = list_unspoken(trial.sample.question, texts_of(trial.feedback.facts), known)
    return "missing knowledge" if lacking else "unexplained"


def is_spoiled(trial: Trial) -> bool:
    """Return whether labels are there, and say nothing of the attempt: the gold answer itself fails."""
    return trial.provable and trial.feedback.kind is FeedbackKind.LABELS and trial.feedback.passed is None


def suggests_luck(trial: Trial, known: Sequence[Bullet]) -> bool:
    """Return whether a trial is wrong although the playbook says every part of its answer, and no other.

    The right answer must be one that can be taken apart.
    """
    facts = texts_of(trial.feedback.facts)
    if not trial.provable or trial.feedback.passed is not False or not facts:
        return False
    return not vote(trial, known) and not list_unspoken(trial.sample.question, facts, known)


def was_bad_luck(trial: Trial, playbook: Playbook, evidence: Evidence, lab: Lab) -> bool:
    """Return, with the setting `rerun`, whether another attempt with the same playbook is right."""
    if not lab.settings.rerun or not suggests_luck(trial, list_bullets_about(trial, playbook, evidence)):
        return False
    return bool(lab.bench_of(trial).solve(trial.sample, playbook, draw=1).feedback.passed)


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
        trial,
        list_bullets_about(trial, playbook, evidence),
        reflections=evidence.reflections[trial.sample.id] + reflections,
        unlucky=lesson.unlucky,
    )
    search, score = lesson.search, grade(trial.feedback)
    return LessonNotes(
        score=score if score is not None and 0.0 < score < 1.0 else None,
        failure=search.failure if search else None,
        controls=search.prover.own_chance if search else Chance(),
        edits=search.refuted if search else (),
        waiting=search.held if search else (),
        suspect=lesson.suspect,
        confirmed=search.confirmed if search else None,
        cause=cause,
        reflections=reflections,
        situation=identify_situation(trial, playbook, evidence),
        refuted=list_refuted(proposals),
        contested=find_contested(trial, proposals),
    )


def cast_tags(lessons: Iterable[Lesson], playbook: Playbook) -> Delta:
    """Return the votes of reflectors on the bullets that they were shown."""
    votes = []
    for lesson in lessons:
        for tag in lesson.search.tags if lesson.search else ():
            bullet = playbook.bullets.get(tag.id)
            if bullet is not None and bullet.status is Status.ACTIVE:
                votes.append(Vote(tag.id, helpful=int(tag.helped), harmful=int(not tag.helped)))
    return tuple(votes)


def join_votes(votes: Iterable[Operation]) -> Delta:
    """Return one vote for each bullet."""
    sums: dict[str, Vote] = {}
    for ballot in votes:
        if isinstance(ballot, Vote):
            old = sums.get(ballot.id, Vote(ballot.id))
            sums[ballot.id] = Vote(ballot.id, old.helpful + ballot.helpful, old.harmful + ballot.harmful)
    return tuple(sums.values())


def cast_votes(trials: Iterable[Trial], playbook: Playbook, evidence: Evidence) -> Delta:
    """Return the votes of a batch, one for each bullet."""
    ballots = [vote(trial, list_bullets_about(trial, playbook, evidence)) for trial in trials]
    return join_votes(ballot for votes in ballots for ballot in votes)


def measure_bullets(
    trials: Sequence[Trial], notes: Sequence[LessonNotes], playbook: Playbook, lab: Lab
) -> Sequence[LessonNotes]:
    """Attempt the samples of a share of batches once more with the same few bullets left out.

    There is one set for the whole batch, so that a served prefix stays cached. These attempts teach nothing
    and are in no score. Attempts that were made elsewhere are not measured.
    """
    if any(trial.recorded for trial in trials):
        return notes
    without = _choose_bullets(lab, trials, playbook)
    if not without:
        return notes
    rest, _ = apply(playbook, [Remove(name) for name in without])
    phase = Phase(PhaseKind.CREDIT, detail=str(lab.phase))
    benches = {trial.sample.id: lab.bench(trial.sample.id, phase=phase) for trial in trials}

    def solve(trial: Trial) -> bool:
        bench = benches[trial.sample.id]
        bench.solve(trial.sample, rest)
        return bench.episodes[0].verdict.correct

    right = lab.map(solve, trials, lambda trial: trial.sample.id)
    pairs = zip(notes, right, strict=True)
    return [replace(note, without=without, right_without=correct) for note, correct in pairs]


def _choose_bullets(lab: Lab, trials: Sequence[Trial], playbook: Playbook) -> tuple[str, ...]:
    """Choose by the seed, the phase and the samples: not by workers, and the same after a resume."""
    samples = (trial.sample.id for trial in trials)
    seed = seed_of(lab.settings.seed, "credit", str(lab.phase), *samples)
    chance = Random(seed)  # noqa: S311 (a choice, not a secret)
    if chance.random() >= lab.settings.measure_credit:
        return ()
    bullets = [bullet.id for bullet in playbook.active]
    if not bullets:
        return ()
    chosen = tuple(name for name in bullets if chance.random() < _LEFT_OUT)
    return chosen or (chance.choice(bullets),)


def _find_speakers(question: str, parts: Sequence[str], bullets: Sequence[Bullet]) -> frozenset[str]:
    """Return bullets that say one of the parts. Neither order nor the side of a join counts."""
    teachable = [set(word_key(generalize_lesson(question, part))) for part in list_teachable(question, parts)]
    speakers = []
    for bullet in bullets:
        words = set(word_key(bullet.content))
        if any(part <= words for part in teachable):
            speakers.append(bullet.id)
    return frozenset(speakers)
