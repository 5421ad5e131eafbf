"""Find labels that are probably wrong: most attempts agree otherwise, and proven bullets stand behind it."""

from __future__ import annotations

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.prover import Prover
from ace.playbook.delta import apply
from ace.playbook.model import Playbook, Remove
from ace.runs.records import Proposal, Reason
from ace.task.types import FeedbackKind

AUTHOR = "proof"
_ROLLOUTS = 3
_WITNESSES = 2  # near samples that bullets in use have made right


def is_label_suspect(prover: Prover, playbook: Playbook, evidence: Evidence) -> bool:
    """Return whether the label of a failed sample goes against proven bullets and most attempts.

    Near samples must have been made right by bullets in use, two of them at least. Most of three attempts at
    this one must give the same wrong answer, and one without those bullets another: else they say nothing of
    it.
    """
    trial = prover.trial
    if trial.feedback.kind is not FeedbackKind.LABELS or not trial.provable:
        return False
    bullets, witnesses = dict[str, None](), list[str]()
    for guard in prover.pool.guards:
        proven = evidence.list_proven(playbook, guard.id)
        if proven:
            bullets |= dict.fromkeys(bullet.id for bullet in proven)
            witnesses.append(guard.id)
    if len(witnesses) < _WITNESSES:
        return False
    answer = trial.attempt.answer.strip()
    answers = [answer]
    for draw in range(1, _ROLLOUTS):
        answers.append(prover.solve_without(draw).attempt.answer.strip())
    if not answer or 2 * answers.count(answer) <= len(answers):
        return False
    without, _ = apply(playbook, map(Remove, bullets))
    return prover.bench.solve(trial.sample, without).attempt.answer.strip() != answer


def record_suspect(prover: Prover) -> Proposal:
    """Return the record that nothing is learned from a label, for people to look at it."""
    trial = prover.trial
    why = f"its label goes against proven bullets: attempts agree on {trial.attempt.answer!r:.100}"
    episodes = (trial.episode, *(control.episode for control in prover.controls))
    return Proposal(
        trial.sample.id, AUTHOR, (), "rejected", why, episodes=episodes, reason=Reason.SUSPECT_LABEL
    )
