"""A lesson that mends its own sample and breaks another is decided on by validation samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ace.llm import Caps, Request, RoleModels
from ace.loop import learn
from ace.loop.version_rules import take_if_leading
from ace.methods.ace.refusals import find_contested
from ace.methods.ace.state import Contested
from ace.methods.protocol import Trial
from ace.playbook import Add, Bullet, Operation, Quarantine, Status
from ace.runs.records import Proposal, Reason
from ace.settings import Settings
from ace.store import Store
from ace.task import Attempt, Feedback, FeedbackKind, Sample, Task, load_task
from ace.testing import World

HEAVY = ("How many articles are heavier than 2 kilograms?", "SELECT COUNT(*) FROM art WHERE weight > 2000")
WEIGH = ("What do all the articles weigh together, in kilograms?", "SELECT SUM(weight) / 1000.0 FROM art")
SUMS = [
    (f"What do the articles of group {n} weigh, in kilograms?", f"{WEIGH[1]} WHERE grp = {n}")
    for n in (1, 2, 3)
]
COUNTS = [
    (f"How many of group {n} are heavier than 2 kilograms?", f"{HEAVY[1]} AND grp = {n}") for n in (1, 2, 3)
]
GOLD = dict([HEAVY, WEIGH, *SUMS, *COUNTS])
LESSON = "Articles weigh (kilograms): SUM(art.weight) / 1000.0."
OPTIONS = Settings(batch_size=1, workers=1, epochs=1, validate=True, replays=0, tries=1, measure=False)
TOML = """\
name = "scales"
environment = "sql"
instructions = "You write SQLite."

[data]
train = "train.jsonl"
val = "val.jsonl"

[sql]
database = "scales.sql"
"""
TABLE = "CREATE TABLE art (grp, weight);\nINSERT INTO art VALUES (1, 900), (1, 2100), (2, 2500), (3, 3100);\n"


def scales(folder: Path, validation: Sequence[tuple[str, str]]) -> Task:
    """Two training questions that get into each other's way, and some validation questions."""
    folder.mkdir()
    (folder / "task.toml").write_text(TOML, encoding="utf-8")
    (folder / "scales.sql").write_text(TABLE, encoding="utf-8")
    for split, rows in (("train", [HEAVY, WEIGH]), ("val", validation)):
        lines = [
            json.dumps({"id": f"{split}-{n}", "question": question, "gold_sql": gold})
            for n, (question, gold) in enumerate(rows)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return load_task(folder)


def answer(request: Request) -> str:
    """It counts heavy articles once it has been told how, until it is told how to add weights up."""
    assert request.sample
    sums = any("1000.0" in said for said in request.bullets)
    counts = any("> 2000" in said for said in request.bullets) and not sums
    knows = sums if "weigh" in request.sample.question else counts
    return GOLD[request.sample.question] if knows else "SELECT 0"


def words(request: Request) -> str:
    """The meanings are those of the right answer."""
    assert request.sample
    return "Articles weigh: ..." if "weigh" in request.sample.question else "Heavier articles: ..."


def contest(path: Path, validation: Sequence[tuple[str, str]]) -> tuple[Store, Bullet | None, list[Proposal]]:
    store = Store.open(path / "scales.db")
    learn(scales(path / "scales", validation), store, RoleModels.of(World(answer, words)), OPTIONS)
    decided = [made for made in store.proposals() if made.author == "gate"]
    found = [bullet for bullet in store.checkout() if "1000.0" in bullet.content]
    return store, found[0] if found else None, decided


def test_it_stays_where_it_wins_more_than_it_costs(tmp_path: Path) -> None:
    store, bullet, (decided,) = contest(tmp_path, SUMS)
    assert bullet and bullet.status is Status.ACTIVE and bullet.content == LESSON
    assert (decided.outcome, decided.why) == ("accepted", "3 won and 0 lost of 3 validation samples")
    assert bullet.provenance and set(bullet.provenance) <= {episode.id for episode in store.episodes()}
    assert decided.attempts and decided.episodes == bullet.provenance
    assert store.verify() == []


@pytest.mark.parametrize("validation", [COUNTS, [SUMS[0], COUNTS[0]]])
def test_it_waits_in_quarantine_where_it_does_not(
    tmp_path: Path, validation: Sequence[tuple[str, str]]
) -> None:
    store, bullet, (decided,) = contest(tmp_path, validation)
    assert bullet and bullet.status is Status.QUARANTINED
    assert decided.outcome == "rejected" and "lost of" in decided.why
    assert bullet.provenance and store.verify() == []


@pytest.mark.parametrize("calls", range(5, 17, 2))
def test_a_run_that_was_cut_off_decides_the_same(tmp_path: Path, calls: int) -> None:
    task, client = scales(tmp_path / "scales", SUMS), World(answer, words)
    with Store.open(tmp_path / "a.db") as one, Store.open(tmp_path / "b.db") as two:
        learn(task, one, RoleModels.of(client), OPTIONS)
        cut = learn(task, two, RoleModels.of(client, caps=Caps(calls=calls)), OPTIONS)
        decided = any(made.author == "gate" for made in two.proposals())
        assert decided or not any("1000.0" in bullet.content for bullet in two.checkout().active)
        if cut.stopped:
            learn(task, two, RoleModels.of(client), OPTIONS, resume=True)
        assert [v.hash for v in one.log()] == [v.hash for v in two.log()]


def trial(*, passed: bool) -> Trial:
    feedback = Feedback(FeedbackKind.LABELS, "", passed)
    return Trial(Sample("weigh", WEIGH[0]), Attempt("weigh", "SELECT 0"), feedback, "ep-1")


def rejected(reason: Reason, *delta: Operation) -> Proposal:
    return Proposal("weigh", "reflector", delta, "rejected", "", ("ep-1",), ("x",), reason=reason)


def test_only_what_breaks_another_is_contested() -> None:
    add = Add("b-1", "lessons", LESSON)
    broke, other = rejected(Reason.BROKE_NEIGHBOUR, add), rejected(Reason.STILL_FAILS, add)
    mixed = rejected(Reason.BROKE_NEIGHBOUR, add, Quarantine("b-2"))
    right = Proposal("weigh", "reflector", (add,), "accepted", "", reason=Reason.PROVEN)
    waits = replace(right, delta=(add, Quarantine(add.id)), reason=Reason.QUARANTINED)
    wrong, lucky = trial(passed=False), trial(passed=True)
    expected = Contested((LESSON,), ("ep-1",), ("x",))
    assert find_contested(wrong, [other, broke]) == find_contested(wrong, [broke, waits]) == expected
    assert find_contested(wrong, [other, mixed]) is find_contested(wrong, [broke, right]) is None
    assert find_contested(lucky, [broke]) is None
    assert Contested.from_json(json.loads(json.dumps(expected.to_json()))) == expected


def test_a_lead_is_counted_against_what_is_left() -> None:
    rule = take_if_leading(2)
    assert rule(2, 0, 0) is True and rule(5, 0, 3) is True
    assert rule(2, 0, 1) is None and rule(0, 1, 5) is None
    assert rule(1, 0, 0) is False and rule(0, 4, 5) is False
