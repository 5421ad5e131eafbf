"""The calls that learning may take: never passed, the same end for any number of workers and after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import InputError
from ace.llm import Caps
from ace.llm.client import Request
from ace.methods import METHODS
from ace.runs.report import LearningEnd, Report
from ace.store import Store
from ace.testing import World
from tests.world import knows, teaches, world

NEVER = {"zero_shot", "chain_of_thought", "self_refine", "best_of_n"}  # take no calls to learn
METHODS_THAT_ASK = sorted(METHODS.keys() - NEVER - {"gepa"})


def student(asked: list[Request] | None = None) -> World:
    def writes(request: Request) -> str:
        text = "\n".join([*request.bullets, "Colours have numbers."])[:400]
        return f"<cheatsheet>{text}</cheatsheet>" if "<cheatsheet>" in request.messages[0].content else text

    return World(knows, teaches, writer=writes)


def hashes(store: Store) -> list[str]:
    return [version.hash for version in store.log()]


@pytest.mark.parametrize("calls", [1, 14])
@pytest.mark.parametrize("method", METHODS_THAT_ASK)
def test_learning_ends_at_its_calls_and_what_it_came_to_is_scored(
    tmp_path: Path, method: str, calls: int
) -> None:
    settings: dict[str, Any] = {"method": method, "batch_size": 2, "calls": calls}
    with Store.open(tmp_path / "one.db") as store:
        client = student()
        report = ace.learn(world(), store, client, workers=1, **settings)
        versions, total = hashes(store), sum(client.calls.values())
        assert report.after and report.after.total == 10 and not report.stopped
        scoring = 40 if method == "cheatsheet_retrieval" else 20
        assert report.learning_calls == total - scoring <= calls
        is_spent = report.learning_calls == calls
        assert (report.learning_end is LearningEnd.BUDGET) is is_spent
        assert any(f"its {calls} call" in note for note in report.notes) is is_spent
        assert is_spent or method.startswith(("few_shot", "raw_episodes"))  # which take 10 in all
        assert Report.from_json(report.to_json()) == report
    with Store.open(tmp_path / "four.db") as store:
        client = student()
        ace.learn(world(), store, client, workers=4, **settings)
        assert hashes(store) == versions and sum(client.calls.values()) == total


@pytest.mark.parametrize("loop", ["learn", "online"])
@pytest.mark.parametrize("method", ["ace", "few_shot", "cheatsheet", "ace_published"])
@pytest.mark.parametrize("cap", [13, 21, 33])
def test_a_run_that_was_stopped_comes_to_the_same_end(
    tmp_path: Path, method: str, loop: str, cap: int
) -> None:
    run = getattr(ace, loop)
    settings: dict[str, Any] = {"method": method, "batch_size": 2, "workers": 1, "calls": 18}
    with Store.open(tmp_path / "whole.db") as store:
        client = student()
        expected = run(world(), store, client, **settings)
        versions, total = hashes(store), sum(client.calls.values())
    with Store.open(tmp_path / "cut.db") as store:
        client = student()
        stopped = run(world(), store, client, caps=Caps(calls=cap), **settings)
        if stopped.stopped:
            report = run(world(), store, client, resume=True, **settings)
            assert (report.after, report.learning_end) == (expected.after, expected.learning_end)
        assert hashes(store) == versions and sum(client.calls.values()) == total


def test_online_every_sample_is_answered_and_nothing_more_is_learned(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        client = student()
        report = ace.online(world(), store, client, batch_size=1, workers=1, calls=8)
        assert report.after and report.after.total == 10 and report.learning_end is LearningEnd.BUDGET
        assert client.calls["generator"] >= 10
        lessons = client.calls["reflector"]
        last = max(n for n, request in enumerate(client.requests) if request.role == "reflector")
        assert lessons and last < 8
        assert {r.role for r in client.requests[last + 1 :]} <= {"generator"} and store.verify() == []


def test_zero_is_no_limit_and_scoring_takes_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        free = ace.learn(world(), store, student(), calls=0)
        assert free.learning_end is LearningEnd.COMPLETE and free.learning_calls > 20
    with Store.open(tmp_path / "q.db") as store:
        report = ace.learn(world(), store, student(), calls=free.learning_calls + 1)
        assert report.learning_end is LearningEnd.COMPLETE and report.after == free.after


def test_validation_counts_and_what_was_selected_until_then_is_used(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, student(), epochs=4, workers=2, calls=70)
        assert report.learning_calls == 70 and report.after and report.after.total == 10


def test_behind_its_answers_a_learner_has_no_calls_of_its_own(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store, pytest.raises(InputError, match="cannot be told from"):
        ace.online(world(), store, student(), behind=True, calls=5)
