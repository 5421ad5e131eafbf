"""Choosing a version: the newest one meets the one selected so far on validation samples, in pairs.

What is compared is what the learner may see: no verdict comes here, so labels choose nothing unless the
feedback is labels. Learning goes on from the newest version whatever comes of it. All answers are steps of
the journal and everything else follows from them, so a resumed run decides the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from ace.loop import steps
from ace.loop.options import seed_of
from ace.loop.run import Session
from ace.loop.version_rules import RULES, Rule
from ace.playbook.model import Playbook
from ace.runs.report import Comparison
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class Side:
    """Who answers validation samples: a version, or a `playbook` made from it. `right`: what it answered."""

    phase: str
    version: int
    right: dict[str, bool | None] = field(default_factory=dict)
    playbook: Playbook | None = None


class Selection:
    """Of one run. `selected` is the version that holds the place, `comparisons` is how it came to."""

    def __init__(self, run: Session) -> None:
        self._run, self._rule = run, RULES[run.options.accept]
        self.selected = run.version
        self.comparisons: list[Comparison] = []
        self._right: dict[int, dict[str, bool | None]] = defaultdict(dict)  # version -> sample -> right
        order = list(run.task.val)
        Random(seed_of(run.options.seed, "validation")).shuffle(order)  # noqa: S311 (an order, not a secret)
        self._samples: Sequence[Sample] = order

    @property
    def validated(self) -> bool:
        """Whether any two versions could be told apart or found equal: without feedback nothing can."""
        return any(met.compared for met in self.comparisons)

    def side(self, phase: str, version: int) -> Side:
        """What a version has answered in this run it is not asked again."""
        return Side(phase, version, self._right[version])

    def meet(self, name: str) -> None:
        """Let the newest version take the place, or leave it. `name` tells when, as in "1" or "2.6"."""
        old, new = self.selected, self._run.version
        if new == old or any((met.new, met.old) == (new, old) for met in self.comparisons):
            return
        phase = f"validation {name}"
        sides = self.side(f"{phase}, version {old}", old), self.side(phase, new)
        met = self.compare(name, *sides, self._rule)
        self.comparisons.append(met)
        if met.accepted:
            self.selected = new

    def compare(self, name: str, old: Side, new: Side, rule: Rule) -> Comparison:
        """As far as `rule` wants to know."""
        wins = losses = compared = asked = 0
        total = len(self._samples)
        while (taken := rule(wins, losses, total - asked)) is None:
            pairs = self._pairs(old, new, asked)
            asked += len(pairs)
            compared += sum(None not in pair for pair in pairs)
            wins += pairs.count((False, True))
            losses += pairs.count((True, False))
        return Comparison(name, new.version, old.version, wins, losses, compared, asked, total, bool(taken))

    def _pairs(self, old: Side, new: Side, start: int) -> list[tuple[bool | None, bool | None]]:
        """The next few samples, right with the old and the new side, as far as the learner may see."""
        few = self._samples[start : start + self._run.options.batch_size]
        for side in (old, new):
            due = [sample for sample in few if sample.id not in side.right]
            for result in steps.score(self._run, side.phase, due, side.version, side.playbook):
                side.right[result["sample"]] = result["right"]
        return [(old.right[sample.id], new.right[sample.id]) for sample in few]
