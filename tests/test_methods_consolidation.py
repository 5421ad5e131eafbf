"""Saying a section anew after an epoch: shorter and not worse is taken, everything else stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Request, RoleModels
from ace.loop import learn
from ace.playbook import Merge, Operation, Remove, Revise
from ace.runs.records import Reason
from ace.settings import Profile, Settings
from ace.store import Store, Version
from ace.task import Sample, Task, define_task
from ace.testing import World

QUEUES = {"laptop": "R1", "printer": "R2", "phone": "R3", "badge": "R4"}
FLOORS = {"R1": "first", "R2": "second", "R3": "third", "R4": "fourth"}  # no lesson holds its answer
SHORT = "Queues: laptop R1, printer R2, phone R3, badge R4."
LOSSY = "Queues: laptop R1, printer R2, phone R3; badges are not here, see R4."
OPTIONS = Settings(
    profile=Profile.FULL, epochs=2, workers=1, replays=0, measure=False, validate=False, batch_size=8
)

Edit = Callable[[Sequence[str]], list[Operation]]


def desk() -> Task:
    rows = [
        {
            "id": thing,
            "question": f"On which floor is the queue for a broken {thing}?",
            "answer": FLOORS[queue],
        }
        for thing, queue in QUEUES.items()
    ]
    return define_task("desk", rows, lambda sample, answer: answer == sample.data["answer"])


def thing_of(sample: Sample | None) -> str:
    assert sample is not None
    return sample.id


def answer(request: Request) -> str:
    thing = thing_of(request.sample)
    known = any(f"{thing} {QUEUES[thing]}" in bullet for bullet in request.bullets)
    return FLOORS[QUEUES[thing]] if known else "no idea"


def lesson(thing: str) -> str:
    return (
        f"What to do with things that are broken at the desk, where it is a {thing}: {thing} {QUEUES[thing]}."
    )


def run(path: Path, edit: Edit, *, workers: int = 1, resume: bool = False, die_at: int = 0) -> list[Version]:
    """Learn with a curator that edits nothing after the batch, and everything when asked after the epoch."""
    asked = 0

    def operations(request: Request) -> list[Operation]:
        nonlocal asked
        asked += 1
        if asked == die_at:
            raise KeyboardInterrupt
        with Store.open(path) as store:
            names = [bullet.id for bullet in store.checkout()]
        return edit(names) if len(names) == len(QUEUES) else []

    world = World(answer, lambda request: [lesson(thing_of(request.sample))], operations)
    with Store.open(path) as store:
        learn(desk(), store, RoleModels.of(world), replace(OPTIONS, workers=workers), resume=resume)
        assert store.verify() == []
        return store.log()


def contents(path: Path) -> list[str]:
    with Store.open(path) as store:
        return [bullet.content for bullet in store.checkout()]


def merge_into(content: str) -> Edit:
    return lambda names: [Merge(names[0], tuple(names[1:]), content)]


def test_a_section_that_is_shorter_and_not_worse_is_taken(tmp_path: Path) -> None:
    head, *_ = run(tmp_path / "a.db", merge_into(SHORT))
    assert contents(tmp_path / "a.db") == [SHORT]
    assert (head.author, head.reason) == ("curator", "refinement 1: section lessons")
    with Store.open(tmp_path / "a.db") as store:
        (bullet,) = store.checkout()
        accepted = store.proposals()[-1]
        assert accepted.reason is Reason.PROVEN and set(bullet.provenance)
        assert len(accepted.episodes) == len(QUEUES)  # each sample that proved a bullet was asked again


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (merge_into(LOSSY), Reason.BROKE_NEIGHBOUR),
        (lambda names: [Remove(names[2])], Reason.BROKE_NEIGHBOUR),
        (
            lambda names: [
                Revise(names[0], lesson("laptop") + lesson("printer") + lesson("phone") + lesson("badge"))
            ],
            Reason.NOTHING_NEW,
        ),
    ],
    ids=["a fact is lost", "a bullet is lost", "longer"],
)
def test_what_loses_a_sample_or_is_longer_is_not_taken(tmp_path: Path, edit: Edit, reason: Reason) -> None:
    run(tmp_path / "a.db", edit)
    assert sorted(contents(tmp_path / "a.db")) == sorted(map(lesson, QUEUES))
    with Store.open(tmp_path / "a.db") as store:
        refused = [proposal for proposal in store.proposals() if proposal.reason is reason]
        assert len(refused) == 1  # and an unchanged section is not asked for again in the second epoch


def test_a_curator_whose_reply_is_no_use_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path / "a.db", lambda names: [Remove("nobody")])
    assert len(contents(tmp_path / "a.db")) == len(QUEUES)


def test_it_is_the_same_with_many_workers_and_after_a_kill(tmp_path: Path) -> None:
    whole = [version.hash for version in run(tmp_path / "a.db", merge_into(SHORT))]
    assert [version.hash for version in run(tmp_path / "b.db", merge_into(SHORT), workers=4)] == whole
    for call in (1, 2):
        path = tmp_path / f"{call}.db"
        with pytest.raises(KeyboardInterrupt):
            run(path, merge_into(SHORT), die_at=call)
        assert [version.hash for version in run(path, merge_into(SHORT), resume=True)] == whole
