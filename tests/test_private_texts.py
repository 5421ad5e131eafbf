"""What one user said never becomes a bullet, and proves nothing for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.methods.guard import guard_delta
from ace.playbook import Add, Playbook, Quarantine
from ace.playbook.model import Merge, Revise
from ace.runs.records import Reason
from ace.safety.copied import holds_private
from ace.settings import FeedbackKind, Profile
from ace.store import Store
from ace.task import Sample, Task
from ace.testing import World

ADDRESS = "8 Chapel Hill"
ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "Where will you deliver my order?", "answer": ADDRESS, "user": "ana"},
    {"id": "a2", "question": "What is my delivery address?", "answer": ADDRESS, "user": "ana"},
    {"id": "c", "question": "My delivery address, please?", "answer": "2 Mill Lane", "user": "cy"},
]
SAYINGS = [
    f"Delivery address: {ADDRESS}.",
    "Orders go to Chapel Hill, number 8.",
    "8\u200b ch\u0430pel hill is where orders go.",
    "Send orders to 8-CHAPEL-HILL",
]


def shop(rows: Sequence[dict[str, Any]] = ROWS, *, memories: bool = True) -> Task:
    def judge(sample: Sample, answer: str) -> bool:
        return answer.strip() == sample.data["answer"]

    return ace.define_task("shop", list(rows), judge, memories=memories)


def learn(store: Store, task: Task, lesson: str, **options: Any) -> World:
    """Learn with a reflector that says one thing of everything; a lesson with the address helps."""

    def answer(request: Any) -> str:
        return ADDRESS if "hapel" in "".join(request.bullets).lower() else "unknown"

    client = World(answer, lambda _: [lesson])
    ace.learn(task, store, client, workers=1, **options)
    return client


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("lesson", SAYINGS)
@pytest.mark.parametrize("remembered", [True, False])
def test_what_a_user_said_becomes_no_bullet(
    lesson: str, profile: Profile, remembered: bool, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "p.db") as store:
        if remembered:
            store.remember("delivery address", ADDRESS, user="ana")
        client = learn(store, shop(memories=remembered), lesson, profile=profile)
        assert list(store.checkout()) == []
    prompts = [
        message.content
        for request in client.requests
        if request.role == "generator" and request.sample and request.sample.id == "c"
        for message in request.messages
    ]
    assert prompts and not any("hapel" in prompt for prompt in prompts)


@pytest.mark.parametrize("options", [{"without": "proof"}, {"feedback": FeedbackKind.NONE}])
def test_nor_does_it_without_proof(options: dict[str, Any], tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        store.remember("delivery address", ADDRESS, user="ana")
        learn(store, shop(ROWS[:2]), SAYINGS[0], **options)
        assert list(store.checkout()) == []
        assert Reason.PRIVATE in {proposal.reason for proposal in store.proposals()}


@pytest.mark.parametrize("method", ["few_shot", "few_shot_nearest"])
def test_a_question_of_one_user_is_no_example_for_all(method: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        learn(store, shop(), SAYINGS[0], method=method)
        assert list(store.checkout()) == []


def test_what_helps_only_its_own_user_waits_and_what_helps_another_is_kept(tmp_path: Path) -> None:
    rule = "Unknown orders: say late."
    rows = [
        {"id": "a", "question": "Is my order of boots late?", "answer": "late", "user": "ana"},
        {"id": "a2", "question": "Is my order of gloves late?", "answer": "late", "user": "ana"},
    ]
    for number, owners in enumerate((("ana", "ana"), ("ana", "bob"))):
        own = [{**row, "user": owner} for row, owner in zip(rows, owners, strict=True)]
        client = World(lambda request: "late" if rule in request.bullets else "?", lambda _: [rule])
        with Store.open(tmp_path / f"{number}.db") as store:
            ace.learn(shop(own), store, client, workers=1)
            kept = [bullet.content for bullet in store.checkout().active]
        assert kept == ([] if owners[0] == owners[1] else [rule])


def test_the_last_look_drops_it_whatever_proposes_it() -> None:
    delta = (
        Add("x", "s", SAYINGS[0]),
        Quarantine("x"),
        Revise("y", SAYINGS[1]),
        Merge("y", ("z",), SAYINGS[3]),
        Add("fine", "s", "Dozens: 12."),
    )
    assert guard_delta(delta, Playbook(), [f"Delivery address: {ADDRESS}"]) == (delta[-1],)


@pytest.mark.parametrize(
    ("lesson", "private", "holds"),
    [
        ("Dozens: 12.", "Delivery address: 8 Chapel Hill", False),
        ("Bills go to the office on the hill.", "Delivery address: 8 Chapel Hill", False),
        (
            "\u4e0a\u6d77\u5e02\u4e16\u7eaa\u5927\u9053\u9001\u8d27",
            "\u5730\u5740: \u4e16\u7eaa\u5927\u9053",
            True,
        ),
        (
            "My cat ate the whole long rope on Monday.",
            "Well, my cat ate the whole rope, you know, and more",
            True,
        ),
        ("Josefina Avila pays later.", "Name: Jos\u00e9fina \u00c1vila", True),
    ],
)
def test_what_holds_a_private_text(lesson: str, private: str, holds: bool) -> None:
    assert holds_private(lesson, [private]) is holds
