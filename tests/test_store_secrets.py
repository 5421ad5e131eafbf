"""Secrets in questions, answers, labels and replies reach no table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ace
from ace.playbook import Add, Merge, Revise
from ace.safety.secrets import hide_secrets
from ace.store import Store
from ace.store.content import HIDDEN, HIDE, rewrite_text
from ace.task import Attempt, Turn
from ace.task.attempt import TurnKind
from ace.testing import World

KEY = "sk-proj-Zq9x8Kf4aLk3PROk7"


def test_a_secret_in_a_question_an_answer_or_a_label_is_in_no_table(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": f"Which key is set? export OPENAI_KEY={KEY}", "answer": "none"},
        {"id": "b", "question": "Say the password of db 7.", "answer": f"It is {KEY}."},
    ]
    client = World(lambda _: f"I think it is {KEY}", lambda _: [f"The key to say is {KEY}"])
    task = ace.define_task("keys", rows, lambda sample, answer: answer == sample.data["answer"])
    path = tmp_path / "p.db"
    with Store.open(path) as store:
        ace.learn(task, store, client, workers=1)
        assert store.verify() == []
        assert any("[hidden]" in episode.question for episode in store.episodes())
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY.encode() not in data and KEY[:14].encode() not in data


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (json.dumps([{"arguments": {"password": "hunter2", "user": "ana"}}], ensure_ascii=False), "ana"),
        (json.dumps({"said": "log in with password=hunter2", "n": 1}), "log in"),
        ("-----BEGIN PRIVATE KEY----- hunter2", "[hidden]"),
    ],
)
def test_json_stays_json(value: str, left: str) -> None:
    hidden = rewrite_text(value, hide_secrets, hide_secrets)
    assert "hunter2" not in hidden and left in hidden
    if value[0] in "[{":
        json.loads(hidden)


def test_other_columns_and_ids_of_steps_stay() -> None:
    assert "reason" not in HIDDEN.get("versions", ()) and "payload" in HIDDEN["steps"]
    assert rewrite_text(json.dumps({"sample": KEY}), HIDE["steps"]) == json.dumps({"sample": KEY})
    assert rewrite_text('"a"', str.upper) == '"A"'


def test_turns_with_secrets_are_read_back(tmp_path: Path) -> None:
    turn = Turn(kind=TurnKind.TOOL, tool="login", arguments='{"password": "hunter2"}', observation="ok")
    attempt = Attempt("a", "ok", "ok", turns=(turn,))
    task = ace.define_task(
        "t", [{"id": "a", "question": "q?", "answer": "ok"}], lambda *_: True, agent=lambda *_: attempt
    )
    with Store.open(tmp_path / "p.db") as store:
        ace.evaluate(task, store, World(), split="train", workers=1)
        (episode,) = store.episodes()
    assert episode.attempt.turns[0].observation == "ok"
    assert "hunter2" not in episode.attempt.turns[0].arguments


def test_a_secret_in_a_delta_of_a_program_is_in_no_table(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store:
        store.commit(
            (Add("a", "keys", f"Send api_key={KEY} along."), Add("b", "keys", "Send no key.")),
            author="me",
            reason=f"the key is {KEY}",
        )
        store.commit((Revise("b", f"Or say password={KEY}."),), author="me", reason="more")
        store.commit((Merge("a", ("b",), f"Say token={KEY}."),), author="me", reason="one")
        assert store.verify() == []
        assert [bullet.id for bullet in store.checkout()] == ["a"]
        contents = [bullet.content for version in store.log() for bullet in store.checkout(version.number)]
    assert contents and all("[hidden]" in content or content == "Send no key." for content in contents)
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY.encode() not in data and KEY[:14].encode() not in data
