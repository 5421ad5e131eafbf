"""Refining between epochs: lessons said twice are joined, runs stay the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Reply, Request, RoleModels
from ace.loop import learn
from ace.playbook import Merge, Status
from ace.refine import refine_playbook
from ace.settings import Settings
from ace.store import Store, Version
from ace.task import Sample, Task, define_task
from ace.testing import World

OPTIONS = Settings(batch_size=8, workers=1, replays=0, measure=False)
LESSON = {
    "laptop": "Send hardware questions to queue R7.",
    "mouse": "Hardware questions go to queue R7.",
    "paper": "Send printer questions to queue R3.",
    "toner": "Send printer questions to queue R4.",
}
FLOORS = {"R3": "third", "R4": "fourth", "R7": "seventh"}  # what is asked for, so that no lesson says it
WHAT = {"laptop": "hardware", "mouse": "hardware", "paper": "printer", "toner": "printer"}


def desk(right: dict[str, str]) -> Task:
    """`right`: for each thing the queues that are accepted, separated by |."""
    rows = []
    for thing, queues in right.items():
        floors = "|".join(FLOORS[queue] for queue in queues.split("|"))
        rows.append({"id": thing, "question": f"Which floor has the queue of a {thing}?", "answer": floors})
    return define_task("desk", rows, judge, instructions="Answer with a floor.")


def judge(sample: Sample, answer: str) -> bool:
    return answer in sample.data["answer"].split("|")


def answers(request: Request) -> str:
    """The generator takes the last line that speaks of its thing's kind."""
    return floor_of(request, request.bullets)


def floor_of(request: Request, bullets: Sequence[str]) -> str:
    lines = [said for said in bullets if WHAT[thing_of(request)] in said.lower()]
    return FLOORS[re.findall(r"queue (R\d)", lines[-1])[0]] if lines else "no idea"


def thing_of(request: Request) -> str:
    assert request.sample is not None
    return next(name for name in LESSON if name in request.sample.question)


def client() -> World:
    return World(answers, lambda request: LESSON[thing_of(request)])


class Mortal(World):
    """The same model, of which nothing is heard after some calls."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left, self._inner = iter(range(calls)), client()

    def ask(self, request: Request) -> Reply:
        if next(self._left, None) is None:
            raise KeyboardInterrupt
        return self._inner.ask(request)


def run(
    path: Path, task: Task, options: Settings = OPTIONS, model: World | None = None, *, resume: bool = False
) -> list[Version]:
    with Store.open(path) as store:
        learn(task, store, RoleModels.of(model or client()), options, resume=resume)
        assert store.verify() == []
        return store.log()


TWICE = {"laptop": "R7", "mouse": "R7"}
LENIENT = {"paper": "R3", "toner": "R3|R4"}  # what toner taught is a contradiction that its own label allows


def test_what_two_samples_taught_in_other_words_becomes_one_bullet(tmp_path: Path) -> None:
    head, *_ = run(tmp_path / "a.db", desk(TWICE))
    assert (head.author, head.reason) == ("refiner", "refinement 1")
    with Store.open(tmp_path / "a.db") as store:
        (bullet,) = store.checkout()
        (merge,) = store.operations(head.number)
        assert isinstance(merge, Merge) and merge.into == bullet.id and len(bullet.provenance) == 4
        told = store.proposals()[-1]
        assert (told.author, told.outcome) == ("refiner", "accepted")
        assert told.why == f"says the same as {merge.sources[0]}: other words, the same facts"
        store.revert(head.number - 1, author="me", reason="as it was")
        assert {b.content for b in store.checkout()} == {LESSON["laptop"], LESSON["mouse"]}


def test_a_contradiction_is_left_to_a_person(tmp_path: Path) -> None:
    head, *_ = run(tmp_path / "a.db", desk(LENIENT))
    with Store.open(tmp_path / "a.db") as store:
        assert {bullet.status for bullet in store.checkout()} == {Status.ACTIVE}
        (conflict,) = refine_playbook(store.checkout()).conflicts
        assert "r4 against r3" in conflict.why
    assert head.author == "reflector"


def test_it_can_be_left_out_and_changes_nothing_where_nothing_is_alike(tmp_path: Path) -> None:
    without = replace(OPTIONS, without="refine")
    assert "refiner" not in {v.author for v in run(tmp_path / "a.db", desk(TWICE | LENIENT), without)}
    alone = desk({"laptop": "R7", "paper": "R3"})
    hashes = [v.hash for v in run(tmp_path / "b.db", alone)]
    assert hashes == [v.hash for v in run(tmp_path / "c.db", alone, without)]
    assert len(Store.open(tmp_path / "a.db").checkout()) == 3  # of a contradiction one half is not kept


def test_one_or_many_workers_give_the_same_versions(tmp_path: Path) -> None:
    task = desk(TWICE | LENIENT)
    one = run(tmp_path / "one.db", task, replace(OPTIONS, epochs=2))
    four = run(tmp_path / "four.db", task, replace(OPTIONS, epochs=2, workers=4))
    assert [v.hash for v in one] == [v.hash for v in four]
    assert "refiner" in {v.author for v in one}


@pytest.mark.parametrize("calls", range(1, 15, 2))
def test_a_run_that_died_resumes_to_the_same_versions(tmp_path: Path, calls: int) -> None:
    task = desk(TWICE | LENIENT)
    whole = [v.hash for v in run(tmp_path / "whole.db", task)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut.db", task, model=Mortal(calls))
    assert [v.hash for v in run(tmp_path / "cut.db", task, resume=True)] == whole
