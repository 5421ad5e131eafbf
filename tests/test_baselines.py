"""Methods beside ACE behind the same protocol: offline and online, resumed, and one of somebody's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import ace
from ace.errors import InputError
from ace.llm import Caps, RoleModels
from ace.llm.client import Request
from ace.methods import Equipment
from ace.methods.few_shot import SECTION, build_few_shot
from ace.playbook import Add, Playbook, apply
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample
from ace.testing import World
from tests.world import SECRET, world

BASELINES = ("zero_shot", "few_shot", "few_shot_nearest")


def copies(request: Request) -> str:
    """Answer what an example or a lesson says of the colour that is asked about; else a guess."""
    assert request.sample is not None
    colour = next(word for word in SECRET if word in request.sample.question)
    for content in request.bullets:
        if colour in content and "Answer: " in content:
            return content.rpartition("Answer: ")[2]
    return "0"


def hashes(store: Store) -> list[str]:
    return [version.hash for version in store.log()]


def test_zero_shot_learns_nothing_and_asks_nobody_but_the_generator(tmp_path: Path) -> None:
    client = World(generator=copies, lessons=lambda request: ["red means 1"])
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client, method="zero_shot")
        assert (report.bullets, report.versions, set(client.calls)) == (0, 0, {"generator"})
        assert report.before and report.after and report.after.correct == report.before.correct == 0


@pytest.mark.parametrize("method", ["few_shot", "few_shot_nearest"])
def test_few_shot_answers_from_the_examples_that_fit(tmp_path: Path, method: str) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, World(generator=copies), method=method, examples=10)
        assert report.after and report.after.correct == 10
        assert {bullet.section for bullet in store.checkout().active} == {"examples"}
        assert store.verify() == []


def test_fixed_examples_are_the_first_and_the_same_for_every_question(tmp_path: Path) -> None:
    client = World(generator=copies)
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client, method="few_shot", examples=3)
    assert report.after and report.after.correct == 3
    tested = [
        r.bullets for r in client.requests if r.sample and r.sample.id.startswith("test-") and r.bullets
    ]
    assert {len(bullets) for bullets in tested} == {3} and len(set(tested)) == 1


def test_the_nearest_examples_suit_the_question(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, World(generator=copies), method="few_shot_nearest", examples=3)
    assert report.after and report.after.correct > 3


def test_no_example_shows_the_answer_of_its_own_sample(tmp_path: Path) -> None:
    client = World(generator=copies)
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, client, method="few_shot", epochs=2, examples=10, validate=False)
    for request in client.requests:
        assert request.sample is not None
        assert not any(request.sample.question in content for content in request.bullets)


def test_a_secret_of_a_question_is_in_no_example_and_hides_no_own_sample(tmp_path: Path) -> None:
    token = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"
    rows = [{"id": str(n), "question": f"Push {n} with {token}?", "answer": f"a{n}"} for n in range(2)]
    client = World(generator=lambda request: "no")
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(ace.define_task("keys", rows, "exact"), store, client, method="few_shot", epochs=2)
        contents = [bullet.content for bullet in store.checkout().active]
    assert contents and all(token not in content and "[hidden]" in content for content in contents)
    for request in client.requests:
        assert request.sample is not None
        assert not any(f"Push {request.sample.id} with" in content for content in request.bullets)


def test_without_labels_nothing_becomes_an_example(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        for feedback in ("execution", "none"):
            report = ace.learn(world(), store, World(generator=copies), method="few_shot", feedback=feedback)
            assert report.bullets == 0


@pytest.mark.parametrize("method", [*BASELINES, "ace"])
def test_every_method_runs_online(tmp_path: Path, method: str) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.online(world(), store, World(generator=copies), method=method, batch_size=3)
        assert report.after and report.after.total == 10
        assert (report.bullets == 10) is method.startswith("few_shot")


@pytest.mark.parametrize("loop", ["learn", "online"])
@pytest.mark.parametrize("method", [*BASELINES, "ace"])
@pytest.mark.parametrize("calls", [3, 17])
def test_a_capped_run_resumes_to_the_same_versions(
    tmp_path: Path, method: str, loop: str, calls: int
) -> None:
    def client() -> World:
        return World(generator=copies, lessons=lambda request: ["Colours: see the list."])

    run = getattr(ace, loop)
    settings = {"method": method, "batch_size": 3, "workers": 1}
    with Store.open(tmp_path / "whole.db") as whole:
        expected = run(world(), whole, client(), **settings)
        versions = hashes(whole)
    with Store.open(tmp_path / "cut.db") as store:
        stopped = run(world(), store, client(), caps=Caps(calls=calls), **settings)
        if not stopped.stopped:
            return  # the cap was never reached
        report = run(world(), store, client(), resume=True, **settings)
        assert hashes(store) == versions and report.after == expected.after
        assert len(store.runs()) == 1


def test_a_method_that_does_not_exist_is_refused_before_the_run_begins(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        with pytest.raises(InputError, match="There is no method 'mipro'") as caught:
            ace.learn(world(), store, World(), method="mipro")
        assert "few_shot" in caught.value.hint and store.runs() == []


def test_another_method_cannot_resume_a_run(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(world(), store, World(), caps=Caps(calls=3))
        with pytest.raises(InputError, match="other method"):
            ace.learn(world(), store, World(), method="zero_shot", resume=True)


def test_nearest_examples_without_vectors_are_the_first_ones() -> None:
    method = build_few_shot(RoleModels.of(World()), Settings(examples=1), Equipment(), nearest=True)
    contents = [f"Question: {name}?\nAnswer: {name}" for name in ("one", "two")]
    playbook, _ = apply(Playbook(), [Add(str(place), SECTION, text) for place, text in enumerate(contents)])
    shown = method.context(None, playbook, Sample("three", "two, or three?"), 1_000)
    assert method.name == "few_shot_nearest" and shown.bullets == ("0",) and shown.specific == ()
