"""What a batch of attempts says about bullets: votes, causes of failures, and attempts with bullets left out.

Bookkeeping after the attempts: no role is asked, and nothing here decides whether a lesson is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from ace.methods.ace.credit import cause, spoiled, suggests_luck, votes
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.refusals import contested, is_kept, refuted, situation
from ace.methods.ace.state import Lesson, LessonNotes
from ace.methods.protocol import Lab, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove, Status, Vote
from ace.runs.seeds import seed_of
from ace.runs.steps import Phase, PhaseKind

AUTHOR = "credit"  # of a version that holds votes only
_LEFT_OUT = 0.25  # of the bullets; more would measure another playbook


def is_spoiled(trial: Trial) -> bool:
    """Tell whether the right answer of a sample itself fails, so that nothing can be learned from it."""
    return spoiled(trial)


def was_bad_luck(trial: Trial, playbook: Playbook, evidence: Evidence, lab: Lab) -> bool:
    """Tell, with the setting `rerun`, whether another attempt with the same playbook is right."""
    if not lab.settings.rerun or not suggests_luck(trial, bullets_about(trial, playbook, evidence)):
        return False
    return bool(lab.bench_of(trial).solve(trial.sample, playbook, draw=1).feedback.passed)


def bullets_about(trial: Trial, playbook: Playbook, evidence: Evidence) -> tuple[Bullet, ...]:
    """Return bullets in use on what the right answer or the attempt touches, and those the attempt cites."""
    topics = frozenset(topic for part in trial.parts for topic in part.topics)
    related = evidence.related(playbook, trial.feedback.topics | topics)
    named = [playbook.bullets[name] for name in trial.cited if name in playbook.bullets]
    bullets = {bullet.id: bullet for bullet in (*related, *named)}
    return tuple(bullet for bullet in bullets.values() if bullet.status is Status.ACTIVE)


def notes_on(lesson: Lesson, playbook: Playbook, evidence: Evidence) -> LessonNotes:
    """Return what the journal keeps of a sample beside its result."""
    trial, proposals = lesson.trial, lesson.proposals
    rejected = sum(proposal.outcome != "accepted" for proposal in proposals)
    reflections = 0 if any(is_kept(proposal) for proposal in proposals) else rejected
    before = evidence.reflections[trial.sample.id]
    known = bullets_about(trial, playbook, evidence)
    return LessonNotes(
        cause=cause(trial, known, reflections=before + reflections, unlucky=lesson.unlucky),
        reflections=reflections,
        situation=situation(trial, playbook, evidence),
        refuted=refuted(proposals),
        contested=contested(trial, proposals),
    )


def cast_votes(trials: Sequence[Trial], playbook: Playbook, evidence: Evidence) -> Delta:
    """Return the votes of a batch, one for each bullet."""
    sums: dict[str, Vote] = {}
    for trial in trials:
        for vote in votes(trial, bullets_about(trial, playbook, evidence)):
            old = sums.get(vote.id, Vote(vote.id))
            sums[vote.id] = Vote(vote.id, old.helpful + vote.helpful, old.harmful + vote.harmful)
    return tuple(sums.values())


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
    """Depend on the seed, the phase and the samples: not on workers, and the same after a resume."""
    samples = (trial.sample.id for trial in trials)
    seed = seed_of(lab.settings.seed, "credit", str(lab.phase), *samples)
    chance = Random(seed)  # noqa: S311 (a choice, not a secret)
    bullets = [bullet.id for bullet in playbook.active]
    if not bullets or chance.random() >= lab.settings.measure_credit:
        return ()
    chosen = tuple(name for name in bullets if chance.random() < _LEFT_OUT)
    return chosen or (chance.choice(bullets),)
