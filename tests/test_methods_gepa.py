"""GEPA through the real package: its own optimizer finds the instruction that a scripted world rewards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import InputError, ModelError, ModelUnavailable
from ace.llm import Caps
from ace.llm.client import Request, Role
from ace.store import Store
from ace.task import Task
from ace.testing import World

pytest.importorskip("gepa", reason="the extra gepa is not installed")

RULE = "Write the word twice."
TEXT = f"You get a word. {RULE}"


def twice() -> Task:
    rows = [{"id": f"{n}", "question": f"word{n}", "answer": f"word{n} word{n}"} for n in range(18)]
    parts = {"val": rows[6:12], "test": rows[12:]}
    return ace.define_task("twice", rows[:6], "exact", instructions="Answer with the word.", **parts)


def answers(request: Request) -> str:
    """The word; twice where an instruction says so."""
    assert request.sample is not None
    word = request.sample.question
    return f"{word} {word}" if any(RULE in content for content in request.bullets) else word


def proposes(request: Request) -> str:
    """Two instructions that do not help, then the one that does."""
    return f"```\n{TEXT if request.draw == 2 else f'Try {request.draw}.'}\n```"


def client() -> World:
    return World(answers, writer=proposes)


def hashes(store: Store) -> list[str]:
    return [version.hash for version in store.log()]


def test_the_optimizer_finds_the_instruction_that_helps(tmp_path: Path) -> None:
    model = client()
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(twice(), store, model, method="gepa")
        (bullet,) = store.checkout().active
        assert (bullet.section, bullet.content) == ("instructions", TEXT) and store.verify() == []
    assert report.before and report.before.correct == 0 and report.after and report.after.correct == 6
    asked = [request for request in model.requests if request.role is Role.REFLECTOR]
    text = asked[0].messages[0].content
    assert "Answer with the word." in text and "Right answer: word" in text  # its seed, and its examples
    assert report.usage["reflector"].calls == len(asked)
    ids = {request.sample.id for request in model.requests[6:] if request.sample}
    assert {str(n) for n in range(12)} <= ids  # training and validation samples


def test_versions_do_not_depend_on_workers_nor_on_a_stop(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"method": "gepa", "seed": 3}
    with Store.open(tmp_path / "one.db") as store:
        expected = ace.learn(twice(), store, client(), workers=1, **settings)
        versions = hashes(store)
    with Store.open(tmp_path / "four.db") as store:
        ace.learn(twice(), store, client(), workers=4, **settings)
        assert hashes(store) == versions
    with Store.open(tmp_path / "cut.db") as store:
        model = client()
        assert ace.learn(twice(), store, model, caps=Caps(calls=31), workers=1, **settings).stopped
        report = ace.learn(twice(), store, model, resume=True, workers=1, **settings)
        assert hashes(store) == versions and report.after == expected.after
        assert sum(model.calls.values()) == sum(usage.calls for usage in expected.usage.values())


def test_its_calls_end_exactly_and_the_best_until_then_is_taken(tmp_path: Path) -> None:
    found = []
    for calls in (4, 20, 45):
        with Store.open(tmp_path / f"{calls}.db") as store:
            model = client()
            report = ace.learn(twice(), store, model, method="gepa", calls=calls)
            assert sum(model.calls.values()) == 12 + calls == 12 + report.learning_calls
            assert report.learning_end == "budget" and any("used up" in text for text in report.notes)
            found.append(len(store.checkout()))
    assert found == [0, 0, 1]


def test_a_second_epoch_goes_on_from_what_was_found(tmp_path: Path) -> None:
    model = client()
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(twice(), store, model, method="gepa", epochs=2, validate=False)
        assert [bullet.content for bullet in store.checkout().active] == [TEXT]


def test_a_reflection_that_fails_changes_nothing_and_a_model_that_is_away_ends_it(
    tmp_path: Path,
) -> None:
    class Fails(World):
        error: Exception = ModelError("It will not.")

        def ask(self, request: Request) -> Any:
            if request.role is Role.REFLECTOR:
                raise self.error
            return super().ask(request)

    model = Fails(answers)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(twice(), store, model, method="gepa")
        assert report.versions == 0 and report.after and report.after.correct == 0
        model.error = ModelUnavailable("It is away.")
        with pytest.raises(ModelUnavailable):
            ace.learn(twice(), store, model, method="gepa")


def test_without_a_training_set_or_scores_it_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        with pytest.raises(InputError, match="training set"):
            ace.online(twice(), store, client(), method="gepa")
        with pytest.raises(InputError, match="needs scores"):
            ace.learn(twice(), store, client(), method="gepa", feedback="none")
        assert store.checkout().active == ()
