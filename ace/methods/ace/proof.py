"""Prove a proposal: its own sample must now be right, and its neighbours must still be right.

The acceptance rules see feedback only. With labels that is the match. Without, it is the environment's own
check of the answer, where it has one; else the attempt must run, return something, and most of a few attempts
at a temperature must return the same: what a lesson explains comes out alike, what is guessed does not. Where
nothing is shown nothing can be proven.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Reason
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class Proof:
    """Say whether a proposal holds and why, with the trials that showed it."""

    holds: bool

    why: str
    """A sentence for people; no code reads it."""

    trials: tuple[Trial, ...] = ()
    """The attempts made with it, in order, those at its own samples first."""

    broke: str = ""
    """The question of a neighbour that was right and now fails."""

    reason: Reason = Reason.UNKNOWN
    """The rule that decided."""

    witnesses: tuple[str, ...] = ()
    """The samples that it made right, its own first."""

    losses: int = 0
    """How many samples it broke."""

    delta: Delta = ()
    """What was proven, where that is not what was asked about."""

    @property
    def right(self) -> tuple[str, ...]:
        """Return the samples that were right in it, each once."""
        return tuple(dict.fromkeys(trial.sample.id for trial in self.trials if trial.feedback.is_solved))


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
        if not trial.feedback.is_solved:
            return Proof(False, f"{sample.id} still fails", tuple(trials), reason=Reason.STILL_FAILS)
        # Without a check of the answer, most of a few attempts must agree with the first.
        repeats = () if trial.sure else bench.again(sample, candidate)
        trials += repeats
        agree = 1
        for repeat in repeats:
            if repeat.feedback.is_solved and repeat.feedback.text == trial.feedback.text:
                agree += 1
        if 2 * agree <= 1 + len(repeats):
            why = f"{sample.id} runs, but only {agree} of {1 + len(repeats)} attempts agree"
            return Proof(False, why, tuple(trials), reason=Reason.NO_AGREEMENT)
    for sample in neighbours:
        trial = bench.solve(sample, candidate)
        trials.append(trial)
        if not trial.feedback.is_solved and bench.solve(sample, playbook).feedback.is_solved:
            why = f"{sample.id} was right and now fails"
            return Proof(False, why, tuple(trials), sample.question, Reason.BROKE_NEIGHBOUR)
    proof = Proof(True, "", tuple(trials), reason=Reason.PROVEN)
    return replace(proof, why=f"right with it: {', '.join(proof.right)}")
