"""Whether a proposal may be kept: its own sample must now be right, and its neighbours still right.

The acceptance rules see feedback only. With labels that is the match. Without, it is the environment's own
check of the answer, where it has one; else the attempt must run, return something, and most of a few attempts
at a temperature must return the same: what a lesson explains comes out alike, what is guessed does not. Where
nothing is shown nothing can be proven.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Delta, Playbook
from ace.task.types import Feedback, Sample

BROKE = "was right and now fails"


@dataclass(frozen=True, slots=True)
class Proof:
    """`holds` and why, with the trials that showed it, the last one decisive. `broke`: the question of a
    neighbour that was right and now fails.
    """

    holds: bool
    why: str
    trials: tuple[Trial, ...] = ()
    broke: str = ""


def solved(feedback: Feedback) -> bool | None:
    """Right, as far as the learner may see; None when nothing shown says so."""
    return feedback.ran if feedback.passed is None else feedback.passed


def sure(trial: Trial) -> bool:
    """A label or the environment's own check spoke, and not only that the attempt ran."""
    return trial.feedback.passed is not None or trial.checked


def _alike(one: Trial, other: Trial) -> bool:
    return bool(solved(other.feedback)) and one.feedback.text == other.feedback.text


def prove(
    delta: Delta, playbook: Playbook, own: Iterable[Sample], neighbours: Iterable[Sample], bench: Bench
) -> Proof:
    """Try `delta` on its own samples, then on those it must not break; the first failure decides.

    A neighbour that is wrong without the delta too is no witness against it.
    """
    candidate, rejections = apply(playbook, delta)
    if len(rejections) == len(delta):
        reason = rejections[0].reason if rejections else "it holds no operation"
        return Proof(False, f"nothing of it applies: {reason}")
    trials: list[Trial] = []
    for sample in own:
        trials.append(bench.solve(sample, candidate))
        if not solved(trials[-1].feedback):
            return Proof(False, f"{sample.id} still fails", tuple(trials))
        more = () if sure(trials[-1]) else bench.again(sample, candidate)
        alike = 1 + sum(_alike(trials[-1], other) for other in more)
        trials += more
        if 2 * alike <= 1 + len(more):
            why = f"{sample.id} runs, but only {alike} of {1 + len(more)} attempts agree"
            return Proof(False, why, tuple(trials))
    for sample in neighbours:
        trials.append(bench.solve(sample, candidate))
        if not solved(trials[-1].feedback) and solved(bench.solve(sample, playbook).feedback):
            return Proof(False, f"{sample.id} {BROKE}", tuple(trials), sample.question)
    right = dict.fromkeys(trial.sample.id for trial in trials if solved(trial.feedback))
    return Proof(True, f"right with it: {', '.join(right)}", tuple(trials))
