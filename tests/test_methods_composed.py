"""Candidates meet other bullets on a question made of two: what holds alone and not there is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.llm import Request
from ace.methods.ace.chance import Chance, Level
from ace.methods.ace.composed import ComposedGuard, find_partners
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.pool import Pool, SampleMap
from ace.methods.ace.proof import Proof
from ace.methods.ace.prover import Prover
from ace.playbook import Add, Playbook, apply
from ace.runs.records import Reason
from ace.store import Store
from ace.task import (
    AnswerEnvironment,
    Attempt,
    Composing,
    Database,
    Sample,
    SqlEnvironment,
    Task,
    score_attempt,
)
from ace.task.environments.tools.tools_environment import ToolsEnvironment
from ace.task.guarded_scoring import compose_samples
from ace.testing import World
from tests.counter_world import Shop, order
from tests.fake_lab import FakeBench
from tests.test_task_sql import SCRIPT

OWN, FIRST, SECOND, THIRD = (
    Sample(name, f"Question {name}?") for name in ("own", "first", "second", "third")
)
BOOK, _ = apply(Playbook(), (Add("a", "lessons", "old"),))
NEW = (Add("n", "lessons", "new"),)


def join(first: Sample, second: Sample) -> Sample | None:
    return Sample(f"{first.id} + {second.id}", f"{first.question} {second.question}")


def prove(
    right: Callable[[str, str], bool], compose: Any = join, partners: tuple[Sample, ...] = (FIRST, SECOND)
) -> tuple[Proof, FakeBench]:
    bench = FakeBench(right)
    trial = bench.record(OWN, bench.feedback(OWN, False))
    prover = Prover(
        trial=trial,
        playbook=BOOK,
        bench=bench,
        pool=Pool(),
        chance=Chance(100, 0),
        level=Level.share(10, 1),
        composed=ComposedGuard(compose, OWN, partners),
    )
    return prover.prove(NEW), bench


def alone(sample: str, contents: str) -> bool:
    """The new lesson makes its own sample right, and nothing that is composed with it."""
    if "+" in sample:
        return "new" not in contents and "own" not in sample
    return sample != "own" or "new" in contents


def test_what_is_right_beside_another_costs_one_more_attempt() -> None:
    proof, bench = prove(lambda sample, contents: "own" not in sample or "new" in contents)
    assert proof.holds and bench.asked.count("own + first") == 1
    assert [name for name in bench.asked if "+" in name] == ["own + first"]
    assert proof.witnesses == ("own",)  # a composed question is no second witness


def test_what_is_right_alone_and_breaks_a_composed_question_is_refused() -> None:
    proof, bench = prove(alone)
    assert not proof.holds and proof.reason is Reason.BROKE_COMPOSED
    assert [name for name in bench.asked if "+" in name] == ["own + first"] * 3 + ["first + second"]


def test_an_agent_that_cannot_answer_two_in_one_says_nothing_against_a_lesson() -> None:
    proof, _ = prove(lambda sample, contents: "+" not in sample and alone(sample, contents))
    assert proof.holds


def test_without_a_control_nothing_is_refused() -> None:
    proof, _ = prove(alone, partners=(FIRST,))
    assert proof.holds
    proof, bench = prove(alone, partners=())
    assert proof.holds and not any("+" in name for name in bench.asked)


def test_the_nearest_partner_that_makes_a_question_is_taken() -> None:
    def compose(first: Sample, second: Sample) -> Sample | None:
        return None if FIRST in (first, second) else join(first, second)

    proof, bench = prove(alone, compose, (FIRST, SECOND, THIRD))
    assert proof.reason is Reason.BROKE_COMPOSED and "own + second" in bench.asked
    assert "second + third" in bench.asked
    proof, bench = prove(alone, lambda first, second: None)
    assert proof.holds and not any("+" in name for name in bench.asked)


def test_partners_are_right_prove_a_bullet_in_use_and_are_of_the_same_user() -> None:
    known, evidence = SampleMap(), Evidence()
    others = [Sample("x", "Question x?", {"user": "eve"}), Sample("wrong", "Question?"), Sample("free", "Q?")]
    for sample in (OWN, FIRST, *others):
        known.add([sample])
        known.record(sample.id, 0.0 if sample.id in ("own", "wrong") else 1.0, ())
    evidence.record_proofs(BOOK.bullets["a"], ["first", "x", "wrong"])
    assert find_partners(OWN, BOOK, known, evidence) == (FIRST,)
    assert find_partners(OWN, Playbook(), known, evidence) == ()


@dataclass(eq=False)
class Counting(AnswerEnvironment):
    """Keeps which samples are composed."""

    composed: list[tuple[str, str]] = field(default_factory=list)

    def compose(self, first: Sample, second: Sample) -> Sample | None:
        self.composed.append((first.id, second.id))
        return super().compose(first, second)


CODES = {"tiles": "A7", "rugs": "B9", "lamps": "C3", "desks": "D5"}
ONLY = "Beds: say E and the digit 1, nothing else."
RULE = "Beds: E and the digit 1, said like the code of any other thing."


def codes() -> Task:
    def sample(split: str, name: str, code: str) -> Sample:
        return Sample(f"{split}-{name}", f"Which code have {name}?", {"answer": [code]})

    train = [sample("train", name, code) for name, code in CODES.items()]
    train.append(sample("train", "beds", "E1"))
    others = {split: (sample(split, "tiles", "A7"), sample(split, "rugs", "B9")) for split in ("val", "test")}
    return Task("codes", "Answer by code.", Counting("labels"), train=tuple(train), **others)


def clerk(request: Request) -> str:
    """Knows codes from bullets; with the lesson on beds alone it says no other code beside theirs."""
    assert request.sample is not None
    told = " ".join(request.bullets)
    names = [name for name in (*CODES, "beds") if name in request.sample.question]
    names.sort(key=request.sample.question.index)
    if "beds" in names and ONLY in told:
        return "E1"
    words = {**{name: code for name, code in CODES.items() if f"{name}: {code[0]}" in told}}
    if RULE in told:
        words["beds"] = "E1"
    return ", ".join(words.get(name, "?") for name in names)


def teacher(request: Request) -> list[str]:
    assert request.sample is not None
    if "beds" in request.sample.question:
        return [ONLY, RULE]
    name = next(name for name in CODES if name in request.sample.question)
    return [f"The code of {name}: {CODES[name][0]} and a digit, {CODES[name][1]}."]


def learn(folder: Path, **options: Any) -> tuple[list[str], list[str], Task, list[Reason]]:
    """Contents and hashes of the last playbook, the task, and why proposals were refused."""
    task = codes()
    with Store.open(folder / "run.db") as store:
        report = ace.learn(
            task,
            store,
            World(clerk, teacher),
            profile="full",
            batch_size=1,
            replays=0,
            without=["refine"],
            seed=3,
            **options,  # beds come when others are known
        )
        book = store.checkout()
        contents = [bullet.content for bullet in book.active]
        reasons = [proposal.reason for proposal in store.proposals(report.run)]
        return contents, [version.hash for version in store.log()], task, reasons


def test_a_run_refuses_the_lesson_that_holds_alone_and_keeps_the_one_that_holds_beside_others(
    tmp_path: Path,
) -> None:
    for name in ("off", "on", "again"):
        (tmp_path / name).mkdir()
    contents, _, task, _ = learn(tmp_path / "off")
    assert isinstance(task.environment, Counting) and task.environment.composed == []
    assert ONLY in contents and RULE not in contents
    contents, hashes, task, reasons = learn(tmp_path / "on", compose=True)
    assert RULE in contents and ONLY not in contents and Reason.BROKE_COMPOSED in reasons
    assert isinstance(task.environment, Counting)
    asked = {name for pair in task.environment.composed for name in pair}
    assert asked and all(name.startswith("train-") for name in asked)  # never of validation or test
    assert learn(tmp_path / "again", compose=True, workers=1)[1] == hashes


@pytest.mark.parametrize(
    "problem", [ValueError("no"), SystemExit(1), "not a sample", Sample("own", "the id of one of them")]
)
def test_an_environment_that_cannot_compose_ends_nothing(problem: Any) -> None:
    class Odd(AnswerEnvironment):
        def compose(self, first: Sample, second: Sample) -> Any:
            if isinstance(problem, BaseException):
                raise problem
            return problem

    assert compose_samples(Odd(), OWN, FIRST) is None


def answered(name: str, answer: Any, **more: Any) -> Sample:
    return Sample(name, f"What is {name}?", {"answer": answer, **more})


@pytest.mark.parametrize(
    ("environment", "first", "second", "right", "half"),
    [
        (AnswerEnvironment("labels"), "red, blue", ["green"], "red, blue, green", "red, blue, red"),
        (AnswerEnvironment("exact"), "Red", "Blue", "red, blue", "red, red"),
        (AnswerEnvironment("json"), {"n": 1}, {"n": 2}, '{"1": {"n": 1}, "2": {"n": 2}}', '{"1": {"n": 1}}'),
    ],
)
def test_two_answers_make_one_question(
    environment: AnswerEnvironment, first: Any, second: Any, right: str, half: str
) -> None:
    composed = compose_samples(environment, answered("a", first), answered("b", second))
    assert composed is not None and isinstance(environment, Composing)
    assert "What is a?" in composed.question and "What is b?" in composed.question
    scores = [
        score_attempt(environment, composed, Attempt(composed.id, each)).score for each in (right, half)
    ]
    assert scores[0] == 1.0 and scores[1] is not None and 0 < scores[1] < 1


@pytest.mark.parametrize(
    ("scorer", "first", "second"),
    [
        ("numeric", answered("a", 5), answered("b", 6)),
        ("short", answered("a", "5 km"), answered("b", "Rome")),
        ("exact", answered("a", "red, blue"), answered("b", "green")),  # a text with a comma is no label
        ("exact", answered("a", ["red", "crimson"]), answered("b", "green")),  # several are right
        ("labels", answered("a", "red", page="one"), answered("b", "green", page="two")),
        ("labels", answered("a", "red"), answered("b", '{"n": 1}', scorer="json")),
    ],
)
def test_what_makes_no_single_question_is_not_composed(scorer: str, first: Sample, second: Sample) -> None:
    assert compose_samples(AnswerEnvironment(scorer), first, second) is None
    assert compose_samples(AnswerEnvironment("labels", ordered=False), first, second) is None


def shop(name: str, what: str, dozens: int, **more: Any) -> Sample:
    data = order(name, what, dozens)
    return Sample(data["id"], data["question"], {"actions": data["actions"], **more})


def test_chains_of_calls_that_do_not_meet_make_one_question() -> None:
    environment = ToolsEnvironment(Shop)
    composed = compose_samples(environment, shop("a", "apples", 2), shop("b", "pears", 3))
    assert composed is not None
    assert composed.question == "1. Put 24 apples on their shelf.\n2. Put 36 pears on their shelf."
    way = environment.follow(composed)
    assert way.state == {"stock": {"S7": 2, "S9": 3, "S4": 0, "S2": 0}} and len(way.steps) == 4
    for second in (
        shop("b", "pears", 3, season="spring"),  # begins in another world
        shop("b", "pears", 3, answer="ok"),
        Sample(
            "b", "Look.", {"actions": [{"name": "find", "arguments": {"name": "figs"}}]}
        ),  # leaves nothing
        Sample("b", "Put.", {"actions": [{"name": "add", "arguments": {"shelf": "?", "dozens": 1}}]}),
        Sample("b", "Put.", {"actions": 5}),
    ):
        assert compose_samples(environment, shop("a", "apples", 2), second) is None


class Till(Shop):
    """A shop in which the order of calls counts."""

    def add(self, shelf: str, dozens: int) -> str:
        """Fill a shelf from what is left."""
        self.stock[shelf] = dozens + sum(self.stock.values())
        return "ok"


def test_chains_of_which_one_changes_what_the_other_does_make_none() -> None:
    assert ToolsEnvironment(Till).compose(shop("a", "apples", 2), shop("b", "pears", 3)) is None


FROM = "SELECT id FROM ord WHERE"


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (f"{FROM} st = 5", f"{FROM} cid = 1;", f"{FROM} st = 5 AND cid = 1"),
        (f"{FROM} st = 7 OR tot < 1000", f"{FROM} cid = 1", f"{FROM} (st = 7 OR tot < 1000) AND cid = 1"),
        (
            "SELECT count(*) FROM ord WHERE st = 5",
            "SELECT count(*) FROM ord WHERE tot > 990",
            None,  # two rows, with either alone and with both: nothing shows that both count
        ),
        (f"{FROM} st = 5", f"{FROM} st = 5", None),  # the same
        (f"{FROM} st = 5", f"{FROM} st = 7", None),  # nothing meets both
        (f"{FROM} st = 5", f"{FROM} tot > 1", None),  # the second says nothing beside the first
        (f"{FROM} st = 5", "SELECT id FROM cust WHERE id = 1", None),
        (f"{FROM} st = 5", "SELECT cid FROM ord WHERE tot > 990", None),
        (f"{FROM} st = 5", "SELECT id FROM ord", None),
        (f"{FROM} st = 5 LIMIT 1", f"{FROM} tot > 990 LIMIT 1", None),
        (f"{FROM} st = 5 GROUP BY id", f"{FROM} tot > 990 GROUP BY id", None),
        (f"{FROM} st = 5", f"{FROM} cid IN (SELECT id FROM cust WHERE id = 1)", None),
        (f"{FROM} st = 5", "no SQL at all (", None),
    ],
)
def test_two_filters_on_the_same_rows_make_one_question(
    first: str, second: str, both: str | None, tmp_path: Path
) -> None:
    (tmp_path / "shop.sql").write_text(SCRIPT, encoding="utf-8")
    environment = SqlEnvironment({"shop": Database.open(tmp_path / "shop.sql")})
    golds = [Sample(name, f"{name}?", {"gold_sql": sql}) for name, sql in (("a", first), ("b", second))]
    composed = compose_samples(environment, *golds)
    assert (composed and composed.data["gold_sql"]) == both
