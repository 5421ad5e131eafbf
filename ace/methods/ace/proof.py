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
from ace.runs.records import Reason
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a proposal holds and why, with the trials that showed it, the last one decisive.

    `why` is for people, `reason` for decisions. `broke`: the question of a neighbour that was right and now
    fails.
    """

    holds: bool
    why: str
    trials: tuple[Trial, ...] = ()
    broke: str = ""
    reason: Reason = Reason.UNKNOWN


def prove(
    delta: Delta, playbook: Playbook, own: Iterable[Sample], neighbours: Iterable[Sample], bench: Bench
) -> Proof:
    """Try `delta` on its own samples, then on those it must not break; the first failure decides.

    A neighbour that is wrong without the delta too is no witness against it.
    """
    candidate, rejections = apply(playbook, delta)
    if len(rejections) == len(delta):
        why = rejections[0].reason if rejections else "it holds no operation"
        return Proof(False, f"nothing of it applies: {why}", reason=Reason.NOTHING_APPLIES)
    trials: list[Trial] = []
    for sample in own:
        trial = bench.solve(sample, candidate)
        trials.append(trial)
        if not trial.solved:
            return Proof(False, f"{sample.id} still fails", tuple(trials), reason=Reason.STILL_FAILS)
        repeats = () if trial.sure else bench.again(sample, candidate)
        trials += repeats
        alike = 1 + sum(_agrees(repeat, trial) for repeat in repeats)
        if 2 * alike <= 1 + len(repeats):
            why = f"{sample.id} runs, but only {alike} of {1 + len(repeats)} attempts agree"
            return Proof(False, why, tuple(trials), reason=Reason.NO_AGREEMENT)
    for sample in neighbours:
        trial = bench.solve(sample, candidate)
        trials.append(trial)
        if not trial.solved and bench.solve(sample, playbook).solved:
            why = f"{sample.id} was right and now fails"
            return Proof(False, why, tuple(trials), sample.question, Reason.BROKE_NEIGHBOUR)
    right = dict.fromkeys(trial.sample.id for trial in trials if trial.solved)
    return Proof(True, f"right with it: {', '.join(right)}", tuple(trials), reason=Reason.PROVEN)


def _agrees(repeat: Trial, first: Trial) -> bool:
    return bool(repeat.solved) and repeat.feedback.text == first.feedback.text
