"""What `ace` can learn without: a part that is left out changes what its stage decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import InputError
from ace.llm.client import Request
from ace.playbook import Add
from ace.runs.records import Reason
from ace.settings import Part, Settings
from ace.store import Store
from ace.testing import World
from tests.test_methods_prover import GUARDS, NEW, Moody, prover
from tests.world import client, world

FULL: dict[str, Any] = {"profile": "full", "workers": 1, "replays": 0}


def test_parts_are_named_once_in_their_order_by_a_text_or_a_list() -> None:
    assert Settings(without=" refine,proof ,proof").without == "proof,refine"
    named: Any = [Part.TRANSFER, "guard"]
    assert Settings(without=named).without == "transfer,guard" and Settings(without="").without is None
    settings = Settings(without="batch")
    assert [part for part in Part if not settings.has(part)] == [Part.BATCH]
    for wrong in ("luck", "proof,", 3):
        with pytest.raises(InputError, match="without is") as caught:
            Settings(without=wrong)  # type: ignore[arg-type]
        assert "transfer" in caught.value.hint


def test_without_proof_false_lessons_are_kept(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client(wrong=("red",)), without="proof", **FULL)
        assert not report.verified and any("red" in bullet.content for bullet in report.learned)


def answer_keys(request: Request) -> str:
    """The right answer where a lesson says it, word for word."""
    sample = request.sample
    assert sample is not None
    return sample.data["answer"] if any(sample.data["answer"] in text for text in request.bullets) else "?"


@pytest.mark.parametrize("without", [None, "transfer"])
def test_without_transfer_an_answer_key_needs_no_other_sample(tmp_path: Path, without: str | None) -> None:
    model = World(answer_keys, lambda request: f"It is {request.sample.data['answer']}.")
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, model, without=without, **FULL)
    assert bool(report.learned) is (without is not None)


def test_without_guards_a_lesson_may_break_what_was_right() -> None:
    def is_right(sample: str, contents: str, draw: int) -> bool:
        return ("new" in contents) == (sample == "own")

    careful, careless = (replace(prover(Moody(rule=is_right)), guards=guards) for guards in (True, False))
    assert careful.prove(NEW).reason is Reason.BROKE_NEIGHBOUR
    assert careless.prove(NEW, guards=GUARDS).holds


@pytest.mark.parametrize("without", [None, "batch"])
def test_without_batches_no_reflection_is_on_several_failures(tmp_path: Path, without: str | None) -> None:
    model = World(lambda request: "?", lambda request: "Nothing helps.")
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, model, without=without, **FULL)
    several = [r for r in model.requests if "Another failure" in r.messages[-1].content]
    assert bool(several) is (without is None)


def test_top_shows_the_nearest_bullets_and_no_more(tmp_path: Path) -> None:
    model = client()
    with Store.open(tmp_path / "p.db") as store:
        adds = [
            Add(f"b{n}", "lessons", f"{colour} means twice {n}")
            for n, colour in enumerate(("red", "blue", "teal"))
        ]
        store.commit(adds, author="me", reason="test")
        for select in ("hybrid", "oldest"):
            ace.evaluate(world(), store, model, top=1, select=select, workers=1)
    shown = [(request.sample.id, request.bullets) for request in model.requests if request.sample]
    nearest = dict(shown[:10])
    assert all(len(bullets) == 1 for _, bullets in shown)
    assert nearest["test-blue"] == ("blue means twice 1",) and nearest["test-teal"] == ("teal means twice 2",)
    assert {bullets for _, bullets in shown[10:]} == {("red means twice 0",)}
