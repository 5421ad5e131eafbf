"""Domains of one file: the router, branches that do not touch each other, and the benchmark of retention."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ace as api
from ace import evaluate, learn
from ace.llm.client import Request
from ace.loop.domains import CORE, name_branch, open_domain, read_router
from ace.playbook.model import Add, bullet_id
from ace.retrieval.domain_router import DomainRouter
from ace.store import Store
from ace.task import Task, define_task, load_task
from ace.testing import World
from benchmarks import retention
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.world import write_world

ROOT = Path(__file__).parents[1]

COLOURS = ["red", "green", "blue", "pink", "grey", "brown", "white", "black"]
TOWNS = ["Rome", "Paris", "Oslo", "Bern", "Riga", "Lima", "Cairo", "Delhi"]
PAINTS = [f"Which paint do we mix for a {colour} wall?" for colour in COLOURS]
TRAINS = [f"At what hour leaves the express to {town}?" for town in TOWNS]


def test_questions_go_to_the_domain_that_they_are_like() -> None:
    router = DomainRouter({"paint": PAINTS[:6], "trains": TRAINS[:6]})
    for question in PAINTS[6:]:
        route = router.choose(question)
        assert route.domain == "paint" and route.likeness > 0.5 and route.lead > 0.5
    assert {router.choose(question).domain for question in TRAINS[6:]} == {"trains"}


@pytest.mark.parametrize(
    "question", ["", "?", "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich", "42"]
)
def test_what_is_like_no_domain_gets_what_is_shared(question: str) -> None:
    route = DomainRouter({"paint": PAINTS, "trains": TRAINS}).choose(question)
    assert route.domain == ""


def test_a_router_that_knows_little_still_answers() -> None:
    assert DomainRouter({}).choose("x").domain == ""
    assert DomainRouter({"paint": []}).choose("x").domain == ""
    assert DomainRouter({"paint": PAINTS[:1]}).choose(PAINTS[1]).domain == "paint"
    twice = DomainRouter({"paint": [PAINTS[0], PAINTS[0]], "trains": TRAINS})
    assert twice.choose(PAINTS[1]).domain == "paint"


@given(st.text(max_size=200))
def test_any_question_has_a_route(question: str) -> None:
    assert _ROUTER.choose(question).domain in ("", "paint", "trains")


_ROUTER = DomainRouter({"paint": PAINTS, "trains": TRAINS})


def test_several_threads_get_the_same_routes() -> None:
    questions = [*PAINTS, *TRAINS] * 3
    alone = [DomainRouter({"paint": PAINTS, "trains": TRAINS}).choose(each) for each in questions]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_ROUTER.choose, questions)) == alone


def test_the_tasks_of_this_project_are_told_apart() -> None:
    tasks = [
        load_task(ROOT / "tasks" / name, trust=True, check=False)
        for name in ("shop_sql", "handbook_qa", "office_tools")
    ]
    router = DomainRouter({task.name: [sample.question for sample in task.train] for task in tasks})
    for task in tasks:
        routes = [router.choose(sample.question).domain for sample in task.test[:30]]
        assert routes.count(task.name) >= 28 and set(routes) <= {task.name, ""}


def rules(name: str, questions: list[str]) -> Task:
    """Return a task whose answers are known by its own playbook only."""
    rows = [{"id": f"{name}{n}", "question": text, "answer": f"{name}-7"} for n, text in enumerate(questions)]
    return define_task(name, rows[:5], "short", test=rows[5:])


def reads_last_lesson(request: Request) -> str:
    """Say what the last lesson of the prompt says: with lessons of two domains it is often the wrong one."""
    return request.bullets[-1].rsplit(" ", 1)[-1] if request.bullets else "nothing"


def teach(request: Request) -> list[str]:
    assert request.sample is not None
    name = request.sample.id[:-1]
    return [f"All answers about {name} are {name}-7"]


def test_a_domain_learns_on_its_own_branch_and_begins_with_what_is_shared(tmp_path: Path) -> None:
    shared = Add(bullet_id("core", "Be short."), "core", "Be short.")
    with Store.open(tmp_path / "p.db") as store:
        store.commit((shared,), author="human", reason="by hand")
        for task in (rules("paint", PAINTS), rules("trains", TRAINS)):
            open_domain(store, task.name)
            learn(task, store, World(reads_last_lesson, teach), profile="full")
        contents = {
            domain: {bullet.content for bullet in store.checkout(name_branch(domain)).active}
            for domain in ("", "paint", "trains")
        }
        router = read_router(store)
        assert store.verify() == []
        open_domain(store, "paint")  # again: it is there
        assert store.branch_name == "domain/paint"
        store.switch(CORE)
        report = evaluate(
            rules("paint", PAINTS), store, World(reads_last_lesson), version=name_branch("paint")
        )
    assert contents[""] == {"Be short."}
    assert contents["paint"] == {"Be short.", "All answers about paint are paint-7"}
    assert contents["trains"] == {"Be short.", "All answers about trains are trains-7"}
    assert set(router.questions) == {"paint", "trains"}
    assert set(router.questions["paint"]) == set(PAINTS[:5]), "what was only scored is not known"
    assert router.choose(TRAINS[7]).domain == "trains"
    assert report.after and report.after.correct == 3


def test_domains_by_commands(tmp_path: Path, ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ModelServer()
    try:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        named = [
            "--model",
            "openai/tiny",
            "--api-base",
            server.api_base,
            "--no-measure",
            "--playbook",
            "w.db",
        ]
        write_world(tmp_path / "colours")
        assert ace("domains", "list", "--playbook", "w.db").code == 1  # there is no such file yet
        assert ace("learn", "colours", *named, "--limit", "4", "--domain", "paint").code == 0
        with Store.open(tmp_path / "w.db") as store:
            assert [branch.name for branch in store.branches()] == [CORE, "domain/paint"]
            learned = len(store.checkout("domain/paint").active)
            assert learned and not store.checkout(CORE).active
        assert ace("learn", "colours", *named, "--domain", "paint", "--limit", "1").code == 0  # goes on
        refused = ace("learn", "colours", *named, "--domain", "paint", "--branch", "other")
        assert refused.code == 2 and "--branch" in refused.err
        unknown = ace("eval", "colours", *named[:4], "--playbook", "w.db", "--domain", "pianos")
        assert unknown.code and "domain/pianos" in unknown.err
        done = ace("eval", "colours", *named[:4], "--playbook", "w.db", "--domain", "paint", "--json")
        assert json.loads(done.out)["after"]["correct"] == learned
    finally:
        server.close()
    rows = json.loads(ace("domains", "list", "--playbook", "w.db", "--json").out)["domains"]
    assert [(row["name"], row["branch"], row["bullets"]) for row in rows] == [
        ("paint", "domain/paint", learned)
    ]
    assert f"{learned} bullets" in ace("domains", "list", "--playbook", "w.db").out
    routed = ace("domains", "route", "Which number has red?", "--playbook", "w.db")
    assert routed.out.startswith("paint: branch domain/paint (likeness ")
    other = json.loads(ace("domains", "route", "???", "--playbook", "w.db", "--json").out)
    assert (other["domain"], other["branch"]) == ("", CORE)


def test_a_file_without_domains_says_so(tmp_path: Path, ace: Ace) -> None:
    with Store.open(tmp_path / "w.db"):
        pass
    assert ace("domains", "list").out == "No domains: all learn on main.\n"
    assert ace("domains", "route", "x").out.startswith("none: branch main")


def test_the_public_names_choose_a_playbook_for_a_question(tmp_path: Path) -> None:
    with api.open_playbook(tmp_path / "p.db") as store:
        api.open_domain(store, "paint")
        assert store.branch_name == "domain/paint"
        assert api.read_router(store).choose("x").domain == ""
        api.open_domain(store, "")
        assert store.branch_name == CORE


def test_retention_is_measured_once_and_learning_one_domain_leaves_others(tmp_path: Path) -> None:
    tasks = [rules("paint", PAINTS), rules("trains", TRAINS)]
    words = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--profile", "full"]
    options = retention.read_options(words)
    model = World(reads_last_lesson, teach)
    page = retention.measure(options, words, model, tasks)
    record: dict[str, Any] = json.loads((tmp_path / "out" / "retention.json").read_text("utf-8"))
    matrix = {
        arm: [[sum(d["right"].values()) for d in row["domains"].values()] for row in found["stages"]]
        for arm, found in record["arms"].items()
    }
    nothing, first, last = matrix["routed"]
    assert nothing == [0, 0] and first[0] >= 2 and first[1] == 0 and last == [3, 3]
    assert matrix["shared"][2] != [3, 3], "one playbook for all forgets"
    assert record["arms"]["routed"]["since_learned"]["paint"]["by"] >= 0
    assert record["arms"]["shared"]["since_learned"]["paint"]["by"] < 0
    domains = record["arms"]["routed"]["stages"][2]["domains"]
    assert {name: domains[name]["routes"] for name in domains} == {
        "paint": {"paint": 3},
        "trains": {"trains": 3},
    }
    assert "Where the questions went" in page and "McNemar" not in page
    asked = sum(model.calls.values())
    retention.measure(options, words, model, tasks)
    assert sum(model.calls.values()) == asked
