"""Choosing a version: the newest one meets the one selected so far on validation samples, in pairs.

What is compared is what the learner may see: no verdict comes here, so labels choose nothing unless the
feedback is labels. Learning goes on from the newest version whatever comes of it. All answers are steps of
the journal and everything else follows from them, so a resumed run decides the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from ace.loop import steps
from ace.loop.run import Run
from ace.loop.version_rules import RULES
from ace.runs.report import Comparison
from ace.runs.seeds import seed_of
from ace.runs.steps import Phase, PhaseKind
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class Side:
    """Answer validation samples with a version."""

    phase: Phase
    """The one that its steps are journaled in."""

    version: int

    right: dict[str, bool | None] = field(default_factory=dict)
    """Its answers so far, by sample: None where nothing that the learner may see decides."""


class Selection:
    """Selects versions of one run. `selected` holds the place; `comparisons` say how it came to.

    The first to hold it is the version that the run began with. Validation samples are asked in an order
    that depends on the run's seed.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rule = RULES[run.settings.accept]
        self.selected = run.version
        self.comparisons: list[Comparison] = []
        self._right: dict[int, dict[str, bool | None]] = defaultdict(dict)  # version -> sample -> right
        order = list(run.task.val)
        Random(seed_of(run.settings.seed, "validation")).shuffle(order)  # noqa: S311 (an order, not a secret)
        self._samples: Sequence[Sample] = order

    def select_newest(self, epoch: int) -> None:
        """Let the newest version take the place at the end of an epoch, or leave it.

        Nothing is asked where it holds the place already, or has met the same one before.
        """
        old, new = self.selected, self._run.version
        if new == old or any((pair.new, pair.old) == (new, old) for pair in self.comparisons):
            return
        phase = Phase(PhaseKind.VALIDATION, epoch)
        # What a version has answered in this run it is not asked again.
        new_side = Side(phase, new, self._right[new])
        old_side = Side(replace(phase, detail=f"version {old}"), old, self._right[old])
        name = str(phase).removeprefix(f"{PhaseKind.VALIDATION} ")
        comparison = self._compare(name, old_side, new_side)
        self.comparisons.append(comparison)
        if comparison.accepted:
            self.selected = new

    def _compare(self, name: str, old: Side, new: Side) -> Comparison:
        """Ask both sides as many validation samples as the rule wants to know about, batch by batch."""
        rule = self._rule
        wins = losses = compared = asked = 0
        total = len(self._samples)
        verdict = rule(wins, losses, total - asked)
        while verdict is None:
            batch = self._samples[asked : asked + self._run.settings.batch_size]
            for side in (old, new):
                due = [sample for sample in batch if sample.id not in side.right]
                for result in steps.score(self._run, side.phase, due, side.version):
                    side.right[result.sample] = result.right
            pairs = [(old.right[sample.id], new.right[sample.id]) for sample in batch]
            asked += len(pairs)
            compared += sum(None not in pair for pair in pairs)
            wins += pairs.count((False, True))
            losses += pairs.count((True, False))
            verdict = rule(wins, losses, total - asked)
        return Comparison(
            phase=name,
            new=new.version,
            old=old.version,
            wins=wins,
            losses=losses,
            compared=compared,
            asked=asked,
            total=total,
            accepted=verdict,
        )
