"""Lessons that chance could explain are heard again at the end of an epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ace.methods.ace.chance import Level
from ace.methods.ace.hearing import NOTE, Confirmation, Hearing
from ace.methods.protocol import Trial
from ace.playbook import Add, Pin, Playbook, Quarantine, Remove, apply
from ace.runs.records import Proposal, Reason
from ace.task import Sample
from tests.fake_lab import FakeBench, FakeLab

OWN = Sample("own", "Question own?")
BOOK, _ = apply(Playbook(), (Add("n", "lessons", "new"),))
HEARING = Hearing({"n": Confirmation("own", 0.0, 4, 4)}, {"own": OWN}, 0.5, Level.share(30, 2))


class EveryOther(FakeBench):
    """Right at every other attempt, whatever it is told."""

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        self.right = lambda name, contents: draw % 2 == 0
        return super().solve(sample, playbook, draw=draw)


def hear(hearing: Hearing, lab: FakeLab, playbook: Playbook = BOOK) -> list[Proposal]:
    """Work the chores off; what they note for the journal names each bullet that was heard."""
    proposals: list[Proposal] = []
    chores = hearing.chores(playbook, 1)
    try:
        chore = next(chores)
        while True:
            update = chore.work(playbook, lab)
            assert list(update.notes[NOTE]) == [chore.name]
            proposals += update.proposals
            playbook, _ = apply(playbook, update.delta)
            chore = chores.send(playbook)
    except StopIteration:
        return proposals


def test_a_lesson_that_helps_stays_though_most_failures_are_chance_by_now() -> None:
    (stays,) = hear(HEARING, FakeLab(lambda sample, contents: "new" in contents))
    assert (stays.outcome, stays.reason) == ("rejected", Reason.PROVEN)


@pytest.mark.parametrize("always", [True, False])
def test_a_lesson_that_changes_nothing_goes(always: bool) -> None:
    lab = FakeLab(lambda sample, contents: True)
    if not always:
        lab.benches["n"] = EveryOther()
    (goes,) = hear(HEARING, lab)
    assert (goes.outcome, goes.reason, goes.delta) == ("accepted", Reason.CHANCE, (Remove("n"),))


def test_what_stands_at_the_rate_of_the_epoch_is_not_heard() -> None:
    assert hear(replace(HEARING, rate=0.05), FakeLab()) == []


def test_pinned_bullets_and_those_out_of_use_are_not_heard() -> None:
    for operation in (Pin("n"), Quarantine("n"), Remove("n")):
        playbook, _ = apply(BOOK, (operation,))
        assert hear(HEARING, FakeLab(), playbook) == []
