"""The public test double: roles as functions of a request, every schema spoken by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

import ace
from ace.errors import MalformedReply, ModelUnavailable
from ace.llm.client import Request, Role
from ace.methods.ace import Curator
from ace.playbook import Bullet, Merge, Remove
from ace.store import Store
from ace.testing import World
from tests.orders import STATUS, orders
from tests.world import LESSON, SECRET, judge, world


def reads(request: Request) -> str:
    assert request.sample is not None
    colour = next(word for word in SECRET if word in request.sample.question)
    halves = [int(b.rpartition(" ")[2]) for b in request.bullets if b.startswith(colour)]
    return str(2 * halves[0]) if halves else "no idea"


def teaches(request: Request) -> list[str]:
    assert request.sample and request.feedback and request.attempt
    colour = next(word for word in SECRET if word in request.sample.question)
    return [f"{colour} means twice {int(request.feedback.expected) // 2}"]


def test_a_whole_run_in_two_functions(tmp_path: Path) -> None:
    client = World(generator=reads, lessons=teaches)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client)
    assert report.after and report.after.correct == 10
    assert client.calls["reflector"] == 10 and client.calls["generator"] >= 40


def test_words_for_facts_are_spoken_from_the_same_lessons(tmp_path: Path) -> None:
    def generator(request: Request) -> str:
        assert request.sample is not None
        name = next(word for word in STATUS if word in request.sample.question.lower())
        rule = next((b.partition("= ")[2] for b in request.bullets if b.startswith(name.capitalize())), "0.")
        return f"SELECT COUNT(*) FROM ord WHERE st = {rule.rstrip('.')}"

    def lessons(request: Request) -> list[str]:
        assert request.sample is not None
        name = next(word for word in STATUS if word in request.sample.question.lower())
        return [f"{name.capitalize()} orders: ord.st = {STATUS[name]}."]

    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(
            orders(tmp_path), store, World(generator=generator, lessons=lessons), profile="small"
        )
        contents = sorted(bullet.content for bullet in store.checkout().active)
    assert report.after and report.after.correct == len(STATUS)
    assert contents == sorted(f"{name.capitalize()} orders: ord.st = {n}." for name, n in STATUS.items())


def test_anything_may_be_left_out(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        for feedback in ("labels", "execution", "none"):
            report = ace.learn(world(), store, World(), feedback=feedback)
            assert report.after and report.after.correct == 0 and report.bullets == 0


def test_a_string_is_one_candidate_and_the_next_try_takes_the_next_candidate(tmp_path: Path) -> None:
    for lessons in ("red means twice 1", ["red means twice 1", LESSON["red"]]):
        client = World(generator=reads, lessons=lambda request, lessons=lessons: lessons)
        rows = [{"id": "a", "question": "Which number has red?", "answer": SECRET["red"]}]
        task = ace.define_task("one", rows, judge)
        with Store.open(tmp_path / f"{isinstance(lessons, str)}.db") as store:
            report = ace.learn(task, store, client, tries=2, replays=0)
        assert report.bullets == (0 if isinstance(lessons, str) else 1)


def test_operations_are_values_or_json() -> None:
    bullets = [Bullet("a", "lessons", "One."), Bullet("b", "lessons", "Two.")]
    asked: list[Request] = []

    def operations(request: Request) -> list[object]:
        asked.append(request)
        return [Merge("a", ("b",), "One and two."), {"op": "remove", "id": "b"}]

    delta = Curator(World(operations=operations))(bullets)  # type: ignore[arg-type]
    assert delta == (Merge("a", ("b",), "One and two."), Remove("b"))
    assert asked[0].role is Role.CURATOR and asked[0].bullets == ("One.", "Two.")


def test_faults_are_those_of_a_model() -> None:
    def away(request: Request) -> list[object]:
        raise ModelUnavailable("gone")

    with pytest.raises(ModelUnavailable, match="gone"):
        Curator(World(operations=away))([Bullet("a", "lessons", "One.")])  # type: ignore[arg-type]
    nonsense = World(operations=lambda request: [{"op": "explode"}])
    with pytest.raises(MalformedReply):
        Curator(nonsense)([Bullet("a", "lessons", "One.")])
    assert nonsense.calls == {"curator": 3}
