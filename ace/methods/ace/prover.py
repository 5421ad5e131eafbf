"""Prove a candidate on a small pool, in pairs and in stages, each of which may end it.

Screen: its own sample must come out right, or better by a margin. Confirm: further attempts with it, and one
without, must show that this is no chance (see `chance`). Transfer: a near failing sample that comes out right
with it as well is a second witness; a candidate that holds its own right answer is confirmed there. Guard:
near samples that were right must not fail with it; each loss is asked again, with and without. Composed,
where the run asks for it: a question made of its sample and another must come out better with it, too.

What a learner may not see decides nothing here. Without labels the environment's own check counts, else
agreement of several attempts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.composed import ComposedGuard
from ace.methods.ace.pool import Pool
from ace.methods.ace.proof import Proof
from ace.methods.grades import grade, is_better, is_worse
from ace.methods.protocol import Bench, Trial
from ace.playbook.delta import apply
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Reason
from ace.task.types import Sample

_NEAREST = 2  # helpers, of which one must be made right by what holds its own right answer
_CONTROLS = 4  # attempts without a candidate, where one of them is right
_LEAD = 2  # by which wins must exceed losses where there are any: one sample for another is no gain


@dataclass(slots=True)
class Prover:
    """Prove candidates for one failed trial. Attempts without a candidate are made once and kept."""

    trial: Trial
    """The failed one; its sample is the candidates' own."""

    playbook: Playbook
    """That which the trial was made with, and to which candidates are applied."""

    bench: Bench
    """Makes the attempts."""

    pool: Pool
    """Near samples: `helpers` may witness for a candidate, `guards` against it."""

    chance: Chance
    """How often failed samples of the run come out right without any lesson."""

    level: Level
    """How probable it may be that a candidate is kept by chance."""

    transfers: bool = True
    """Whether another sample may witness for a candidate, or has to."""

    guards: bool = True
    """Whether samples that were right speak against a candidate that loses them."""

    controls: list[Trial] = field(default_factory=list)
    """Attempts at the own sample without any candidate, in the order of their draws from 1 on."""

    composed: ComposedGuard | None = None
    """Tries candidates together with other bullets; None where the environment does not compose."""

    _others: dict[tuple[str, int], Trial] = field(default_factory=dict)
    """Attempts at other samples without any candidate, by sample and draw."""

    @property
    def base(self) -> float:
        """Return the score of the trial that failed."""
        return grade(self.trial.feedback) or 0.0

    @property
    def own_chance(self) -> Chance:
        """Return how the controls of this sample came out."""
        return Chance(len(self.controls), sum(is_better(trial, self.base) for trial in self.controls))

    @property
    def tally(self) -> Chance:
        """Return how all attempts at failed samples came out that were made again without a candidate."""
        others = [trial for (_, draw), trial in self._others.items() if draw]
        return self.own_chance + Chance(len(others), sum(is_better(trial, 0.0) for trial in others))

    def prove(
        self,
        delta: Delta,
        *,
        needs_witness: bool = False,
        is_vouched: bool = False,
        guards: Iterable[Sample] = (),
        known: Collection[str] = (),
    ) -> Proof:
        """Return whether a delta holds. `guards` are asked besides those of the pool.

        With `needs_witness` its own sample says nothing for it: it must make another one right, beyond
        chance, and waits for one otherwise. What is vouched for, since right answers say it, is confirmed
        by a witness alone. Samples that are `known` to the delta are no witnesses.
        """
        candidate, rejections = apply(self.playbook, delta)
        if len(rejections) == len(delta):
            why = rejections[0].reason if rejections else "it holds no operation"
            return Proof(False, f"nothing of it applies: {why}", reason=Reason.NOTHING_APPLIES)
        own = self.trial.sample
        trials = [self.bench.solve(own, candidate)]
        if not is_better(trials[0], self.base):
            return Proof(False, f"{own.id} still fails", tuple(trials), reason=Reason.STILL_FAILS)
        needs_witness = needs_witness and self.transfers
        if not needs_witness and not is_vouched:
            failure = self._confirm(candidate, trials)
            if failure is not None:
                return failure
        helpers = [sample for sample in self.pool.helpers if self.transfers and sample.id not in known]
        wins = list[str]()
        if needs_witness:
            wins += self._find_sure_witness(candidate, trials, helpers[:_NEAREST])
        else:
            self._find_witnesses(candidate, trials, wins, helpers, most=1)
            if is_vouched and not wins:
                failure = self._confirm(candidate, trials)
                if failure is not None:
                    return failure
        if needs_witness and not wins:
            why = f"it holds the right answer of {own.id}, and helps no other sample yet"
            return Proof(False, why, tuple(trials), reason=Reason.WAITS_FOR_WITNESS, witnesses=(own.id,))
        losses = self._find_losses(candidate, trials, guards) if self.guards else ()
        if losses:
            self._find_witnesses(candidate, trials, wins, helpers, most=len(helpers))
        right = (own.id, *wins)
        if losses and len(right) - len(losses) < _LEAD:
            why = f"{', '.join(sample.id for sample in losses)} was right and now fails"
            proof = Proof(False, why, tuple(trials), losses[0].question, Reason.BROKE_NEIGHBOUR)
            return replace(proof, witnesses=right, losses=len(losses))
        if self.composed is not None and trials[0].sure:
            loss = self.composed.find_loss(candidate, self.playbook, self.bench, trials)
            if loss is not None:
                why = f"{loss.id}, one question made of two, fails with it"
                proof = Proof(False, why, tuple(trials), loss.question, Reason.BROKE_COMPOSED)
                return replace(proof, witnesses=right, losses=1)
        proof = Proof(True, f"right with it: {', '.join(right)}", tuple(trials), reason=Reason.PROVEN)
        return replace(proof, witnesses=right)

    def screen(self, delta: Delta) -> Proof:
        """Return whether the own sample is right with a delta that another sample of the batch has proven."""
        candidate, _ = apply(self.playbook, delta)
        own, trial = self.trial.sample, self.bench.solve(self.trial.sample, candidate)
        if is_better(trial, self.base):
            why = f"proven by another sample, right with it: {own.id}"
            return Proof(True, why, (trial,), reason=Reason.PROVEN, witnesses=(own.id,))
        return Proof(False, f"{own.id} still fails", (trial,), reason=Reason.STILL_FAILS)

    def solve_without(self, draw: int = 1) -> Trial:
        """Return an attempt at the own sample without any candidate."""
        while len(self.controls) < draw:
            self.controls.append(
                self.bench.solve(self.trial.sample, self.playbook, draw=len(self.controls) + 1)
            )
        return self.controls[draw - 1]

    def _confirm(self, candidate: Playbook, trials: list[Trial]) -> Proof | None:
        """Attempt the own sample again until chance is ruled out, or can no longer be."""
        sample = self.trial.sample
        if not trials[0].sure:  # nothing but agreement speaks for an answer
            repeats = self.bench.again(sample, candidate)
            trials += repeats
            agree = 1
            for repeat in repeats:
                if repeat.feedback.is_solved and repeat.feedback.text == trials[0].feedback.text:
                    agree += 1
            if 2 * agree > 1 + len(repeats):
                return None
            why = f"{sample.id} runs, but only {agree} of {1 + len(repeats)} attempts agree"
            return Proof(False, why, tuple(trials), reason=Reason.NO_AGREEMENT)
        self.solve_without()
        right, attempts = 1, 1
        while True:
            own, rate = self.own_chance, self.chance.at(self.own_chance)
            if self.level.is_reached(right, attempts, rate):
                if not own.right or own.controls >= _CONTROLS:
                    return None
                self.solve_without(own.controls + 1)  # it was right without it, too: how often?
                continue
            if not self.level.is_within_reach(right, attempts, rate):
                why = (
                    f"{sample.id} may be right by chance: {right} of {attempts} attempts with it, and "
                    f"{own.right} of {own.controls} without"
                )
                return Proof(False, why, tuple(trials), reason=Reason.CHANCE)
            trial = self.bench.solve(sample, candidate, draw=attempts)
            trials.append(trial)
            attempts += 1
            right += is_better(trial, self.base)

    def _find_sure_witness(
        self, candidate: Playbook, trials: list[Trial], helpers: Sequence[Sample]
    ) -> tuple[str, ...]:
        """Return the first helper that the candidate makes right so often that it is hardly chance."""
        level = Level(self.level.alpha / max(1, len(helpers)))
        for sample in helpers:
            trial = self.bench.solve(sample, candidate)
            trials.append(trial)
            if not is_better(trial, 0.0):
                continue
            base = grade(self._solve_other(sample, 0).feedback) or 0.0
            if not is_better(trial, base):
                continue
            control = self._solve_other(sample, 1)
            rate = self.chance.at(Chance(1, int(is_better(control, base))))
            right = attempts = 1
            while not level.is_reached(right, attempts, rate):
                if not level.is_within_reach(right, attempts, rate):
                    break
                trial = self.bench.solve(sample, candidate, draw=attempts)
                trials.append(trial)
                attempts += 1
                right += is_better(trial, base)
            else:
                return (sample.id,)
        return ()

    def _find_witnesses(
        self,
        candidate: Playbook,
        trials: list[Trial],
        witnesses: list[str],
        helpers: Sequence[Sample],
        *,
        most: int,
    ) -> None:
        """Add helpers that are right with the candidate twice, and not without it, up to `most` in all."""
        asked = {trial.sample.id for trial in trials}
        for sample in helpers:
            if len(witnesses) >= most:
                return
            if sample.id in asked:
                continue
            trial = self.bench.solve(sample, candidate)
            trials.append(trial)
            if not is_better(trial, 0.0):
                continue
            base = grade(self._solve_other(sample, 0).feedback) or 0.0
            if is_better(trial, base) and is_better(self.bench.solve(sample, candidate, draw=1), base):
                witnesses.append(sample.id)

    def _find_losses(
        self, candidate: Playbook, trials: list[Trial], more: Iterable[Sample]
    ) -> Sequence[Sample]:
        """Return guards that fail with the candidate, twice, and not without it."""
        losses = []
        guards = {sample.id: sample for sample in (*more, *self.pool.guards)}
        guards.pop(self.trial.sample.id, None)
        for sample in guards.values():
            trial = self.bench.solve(sample, candidate)
            trials.append(trial)
            if not is_worse(trial, self.pool.grades.get(sample.id, 1.0)):
                continue
            base = min(grade(self._solve_other(sample, draw).feedback) or 0.0 for draw in (0, 1))
            if is_worse(trial, base) and is_worse(self.bench.solve(sample, candidate, draw=1), base):
                losses.append(sample)
        return losses

    def _solve_other(self, sample: Sample, draw: int) -> Trial:
        """Return an attempt at another sample without any candidate, made once."""
        if (sample.id, draw) not in self._others:
            self._others[sample.id, draw] = self.bench.solve(sample, self.playbook, draw=draw)
        return self._others[sample.id, draw]
