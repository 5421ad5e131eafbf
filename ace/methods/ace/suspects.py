"""Find labels that are probably wrong: most attempts agree on another answer, and proven bullets stand behind it."""

from __future__ import annotations

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.prover import Prover
from ace.playbook.model import Playbook, Status
from ace.runs.records import Proposal, Reason
from ace.task.types import FeedbackKind, Sample

AUTHOR = "proof"
_ROLLOUTS = 3
_WITNESSES = 2  # near samples that bullets in use have made right


def is_label_suspect(prover: Prover, playbook: Playbook, evidence: Evidence) -> bool:
    """Return whether the label of a failed sample goes against proven bullets and most attempts.

    Near samples must have been made right by bullets in use, two of them at least, and most of three attempts at this
    one must give the same wrong answer.
    """
    trial = prover.trial
    if trial.feedback.kind is not FeedbackKind.LABELS or not trial.provable:
        return False
    proven = _list_near_witnesses(prover.pool.guards, playbook, evidence)
    if len(proven) < _WITNESSES:
        return False
    answers = [trial.attempt.answer.strip()]
    answers += [prover.solve_without(draw).attempt.answer.strip() for draw in range(1, _ROLLOUTS)]
    return bool(answers[0]) and 2 * answers.count(answers[0]) > len(answers)


def _list_near_witnesses(guards: tuple[Sample, ...], playbook: Playbook, evidence: Evidence) -> list[str]:
    """Return those of the near passing samples that prove a bullet in use."""
    proven = set[str]()
    for bullet in playbook.bullets.values():
        if bullet.status is Status.ACTIVE:
            proven.update(sample.id for sample in evidence.proofs((bullet.id,)))
    return [guard.id for guard in guards if guard.id in proven]


def record_suspect(prover: Prover) -> Proposal:
    """Return the record that nothing is learned from a label, for people to look at it."""
    trial = prover.trial
    why = f"its label goes against proven bullets: attempts agree on {trial.attempt.answer!r:.100}"
    episodes = (trial.episode, *(control.episode for control in prover.controls))
    return Proposal(
        trial.sample.id, AUTHOR, (), "rejected", why, episodes=episodes, reason=Reason.SUSPECT_LABEL
    )
