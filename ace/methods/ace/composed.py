"""Try a candidate on one question made of its own sample and a right one that other bullets speak for.

A lesson may be right alone and fail where it is needed beside another one. Only environments that compose
offer such a question, and only of samples that are learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.pool import SampleMap
from ace.methods.grades import grade, is_better
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import Playbook
from ace.task.types import Sample

Compose = Callable[[Sample, Sample], Sample | None]
"""Makes one sample of two; None where two do not make one."""

_MOST_PARTNERS = 4  # samples that are composed with, until one makes a question


@dataclass(slots=True)
class ComposedGuard:
    """Hold what one failed sample may be composed with. At most one question is made, for all candidates."""

    compose: Compose
    sample: Sample
    """That of the candidates."""

    partners: Sequence[Sample]
    """Samples that are right and prove a bullet in use, the nearest first."""

    _question: Sample | None = None
    _base: float | None = None
    """How good an attempt at the question is without a candidate, once that was asked."""

    def find_loss(
        self, candidate: Playbook, playbook: Playbook, bench: Bench, trials: list[Trial]
    ) -> Sample | None:
        """Return the composed question, where a candidate fails at it twice and can be blamed for it.

        It fails where the question comes out no better with it than without. It can be blamed where the
        agent does answer two questions in one that were right before, without the candidate. One attempt is
        made where it does not fail, at most five where it does.
        """
        question = self._choose_question()
        if question is None:
            return None
        for draw in (0, 1):
            trial = bench.solve(question, candidate, draw=draw)
            trials.append(trial)
            score = grade(trial.feedback)
            if score is None or score >= 1.0:
                return None
            if self._base is None:
                self._base = grade(bench.solve(question, playbook).feedback) or 0.0
            if is_better(trial, self._base):
                return None
        partner = self.partners[0]
        for other in self.partners[1:]:
            control = self.compose(partner, other)
            if control is not None:
                is_able = grade(bench.solve(control, playbook).feedback) == 1.0
                return question if is_able else None
        return None

    def _choose_question(self) -> Sample | None:
        """Return the question, made once; the partner that makes it comes first from then on."""
        for number, partner in enumerate(self.partners if self._question is None else ()):
            self._question = self.compose(self.sample, partner)
            if self._question is not None:
                others = [*self.partners[:number], *self.partners[number + 1 :]]
                self.partners = (partner, *others)
                break
        else:
            if self._question is None:
                self.partners = ()
        return self._question


def find_partners(
    sample: Sample, playbook: Playbook, known: SampleMap, evidence: Evidence
) -> tuple[Sample, ...]:
    """Return right samples that prove a bullet in use, the nearest to `sample` first.

    What belongs to another user is left out.
    """
    names = []
    for name, score in known.grades.items():
        is_own = known.samples[name].owner in ("", sample.owner) if name in known.samples else False
        if is_own and score >= 1.0 and evidence.list_proven(playbook, name):
            names.append(name)
    return tuple(known.samples[name] for name in known.rank(sample, names)[:_MOST_PARTNERS])
