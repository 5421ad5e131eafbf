"""What a batch of attempts says about bullets: votes, causes of failures, and attempts with bullets left out.

Bookkeeping after the attempts: no role is asked, and nothing here decides whether a lesson is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from ace.loop.lab import Bench
from ace.loop.options import seed_of
from ace.loop.run import Session, Work
from ace.methods.ace.credit import cause, spoiled, suggests_luck, votes
from ace.methods.ace.lesson_scope import mentioned
from ace.methods.ace.refusals import contested, kept, refuted, situation
from ace.methods.protocol import Trial
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Delta, Playbook, Remove, Status, Vote
from ace.runs.records import Proposal
from ace.task.types import Episode, Sample

AUTHOR = "credit"  # of a version that holds votes only
_LEFT_OUT = 0.25  # of the bullets; more would measure another playbook


def edits_nothing(run: Session, bench: Bench, trial: Trial, playbook: Playbook) -> bool:
    """The gold answer fails, or (with `rerun`) another attempt with the same playbook is right."""
    if spoiled(trial):
        return True
    if run.options.rerun and suggests_luck(trial, about(run, trial, playbook)):
        bench.unlucky = bool(bench.solve(trial.sample, playbook, draw=1).feedback.passed)
    return bench.unlucky


def about(run: Session, trial: Trial, playbook: Playbook) -> tuple[Bullet, ...]:
    """Bullets in use on what the right answer or the attempt touches, and those that the attempt cites."""
    columns = {name for part in trial.parts for name in mentioned(part) if "." in name}
    related = run.evidence.related(playbook, trial.feedback.topics | columns)
    named = (playbook.bullets[name] for name in trial.cited if name in playbook.bullets)
    found = {bullet.id: bullet for bullet in (*related, *named)}
    return tuple(bullet for bullet in found.values() if bullet.status is Status.ACTIVE)


def told(
    run: Session, bench: Bench, trial: Trial, proposals: Sequence[Proposal], playbook: Playbook
) -> dict[str, Any]:
    """What the journal keeps of a sample beside its result."""
    failed = sum(proposal.outcome != "accepted" for proposal in proposals)
    made = 0 if any(kept(proposal) for proposal in proposals) else failed
    before = run.evidence.reflections[trial.sample.id]
    known = about(run, trial, playbook)
    why = cause(trial, known, reflections=before + made, unlucky=bench.unlucky)
    return {
        "cause": why,
        "reflections": made,
        "situation": situation(trial, playbook, run.evidence),
        "refuted": refuted(proposals),
        "contested": contested(trial, proposals),
    }


def cast(run: Session, trials: Sequence[Trial], playbook: Playbook) -> Delta:
    """The votes of a batch, one for each bullet."""
    summed: dict[str, Vote] = {}
    for vote in (vote for trial in trials for vote in votes(trial, about(run, trial, playbook))):
        old = summed.get(vote.id, Vote(vote.id))
        summed[vote.id] = Vote(vote.id, old.helpful + vote.helpful, old.harmful + vote.harmful)
    return tuple(summed.values())


def measured(run: Session, phase: str, samples: Sequence[Sample], work: Work) -> Work:
    """In a share of batches, the samples attempted once more with the same few bullets left out.

    One set for the whole batch, so that a served prefix stays cached. These attempts teach nothing and are
    in no score.
    """
    playbook = run.playbook
    left_out = _left_out(run, phase, samples, playbook)
    if not left_out:
        return work
    rest, _ = apply(playbook, [Remove(name) for name in left_out])

    def solve(sample: Sample) -> tuple[bool, Episode]:
        bench = run.bench(f"credit {phase}", run.version, sample.id)
        bench.solve(sample, rest)
        return bench.verdict.correct, bench.episodes[0]

    done = list(run.map(solve, samples, lambda sample: sample.id))
    results = [
        {**result, "credit": {"without": list(left_out), "correct": correct}}
        for result, (correct, _) in zip(work.results, done, strict=True)
    ]
    return replace(work, results=results, episodes=[*work.episodes, *(episode for _, episode in done)])


def _left_out(run: Session, phase: str, samples: Sequence[Sample], playbook: Playbook) -> tuple[str, ...]:
    """Depends on the seed, the phase and the samples: not on workers, and the same after a resume."""
    chance = Random(seed_of(run.options.seed, "credit", phase, *(sample.id for sample in samples)))  # noqa: S311
    bullets = [bullet.id for bullet in playbook.active]
    if not bullets or chance.random() >= run.options.measure_credit:
        return ()
    return tuple(name for name in bullets if chance.random() < _LEFT_OUT) or (chance.choice(bullets),)
