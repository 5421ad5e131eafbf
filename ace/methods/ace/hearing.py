"""Hear lessons again at the end of an epoch, once it is known how often attempts are right by chance.

What was kept early was measured against a guess. What does not stand against the rate of the whole epoch is
attempted further, without it and with it, and removed where chance cannot be ruled out. The rate of the epoch
alone removes nothing: the better the playbook, the more of the failures that are left are chance.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.pool import is_better
from ace.methods.protocol import Chore, Lab, Update
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Playbook, Remove, Status
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind
from ace.task.types import Sample

AUTHOR = "proof"
NOTE = "hearing"  # in the journal: how bullets that were heard stand
_MOST = 16  # attempts with one lesson, those of its first proof included
_CONTROLS = 8  # attempts without it


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Hold how attempts at a lesson's own sample came out with it.

    `sample`: the id of its own sample.
    `base`: the score of the failed attempt, 0 to 1: what is better than that counts as right.
    `right`: how many attempts with it were.
    `attempts`: how many there were.
    """

    sample: str
    base: float
    right: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Hearing:
    """Hold what lessons are heard by.

    `confirmed`: how each lesson was, by the id of its bullet.
    `samples`: those that are known, by id.
    `rate`: the share of failed samples that came out right without any lesson in this run, 0 to 1.
    `level`: how probable it may be that a lesson is kept by chance.
    """

    confirmed: dict[str, Confirmation]
    samples: dict[str, Sample]
    rate: float
    level: Level

    def chores(self, playbook: Playbook, epoch: int) -> Generator[Chore, Playbook, Playbook]:
        """Yield a chore for each bullet in use that chance could explain; return the playbook after them."""
        doubtful = []
        for name, record in self.confirmed.items():
            bullet = playbook.bullets.get(name)
            if bullet is None or bullet.status is not Status.ACTIVE or bullet.pinned:
                continue
            stands = self.level.is_reached(record.right, record.attempts, self.rate)
            if record.sample in self.samples and not stands:
                doubtful.append(bullet)
        for bullet in doubtful:
            chore = Chore(Phase(PhaseKind.CURATION, epoch), bullet.id, partial(self._hear, bullet))
            playbook = yield chore
        return playbook

    def _hear(self, bullet: Bullet, playbook: Playbook, lab: Lab) -> Update:
        record, bench = self.confirmed[bullet.id], lab.bench(bullet.id)
        sample, right, attempts = self.samples[record.sample], record.right, record.attempts
        without, _ = apply(playbook, (Remove(bullet.id),))
        controls = [bench.solve(sample, without, draw=draw) for draw in range(1, 1 + _CONTROLS)]
        rate = Chance(_CONTROLS, sum(is_better(trial, record.base) for trial in controls)).rate
        while not self.level.is_reached(right, attempts, rate):
            if not self.level.is_within_reach(right, attempts, rate, most=_MOST):
                break
            trial = bench.solve(sample, playbook, draw=attempts)
            attempts += 1
            right += is_better(trial, record.base)
        stands = self.level.is_reached(right, attempts, rate)
        proposal = Proposal(
            sample_id=sample.id,
            author=AUTHOR,
            delta=(Remove(bullet.id),),
            outcome="rejected" if stands else "accepted",
            why=f"{right} of {attempts} attempts right with it, where {rate:.2f} of those without are",
            episodes=tuple(episode.id for episode in bench.episodes),
            reason=Reason.PROVEN if stands else Reason.CHANCE,
        )
        delta = () if stands else (Remove(bullet.id),)
        heard = {bullet.id: [sample.id, record.base, right, attempts]}
        return Update(delta=delta, proposals=(proposal,), author=AUTHOR, notes={NOTE: heard})
