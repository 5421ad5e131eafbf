"""`ace context show`: what went in, what was left out and why, the tokens of each part, the prompt itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ace.playbook import Add
from ace.store import Store
from tests.cli import Ace
from tests.world import write_world

LINES = [f"colour {n} means {n}" for n in range(12)]


@pytest.fixture
def task(ace: Ace, tmp_path: Path) -> Path:
    """A task and a playbook of a dozen bullets."""
    write_world(tmp_path / "colours")
    with Store.open("colours.db", create=True) as store:
        for number, line in enumerate(LINES):
            store.commit([Add(f"b-{number}", "Facts", line)], author="human", reason="test")
    return tmp_path / "colours"


def shown(ace: Ace, task: Path, *more: str) -> str:
    done = ace("context", "show", task, "--sample", "test-red", *more)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_the_parts_add_up_and_are_named(ace: Ace, task: Path) -> None:
    lines = shown(ace, task).splitlines()
    assert lines[0].startswith("colours, test-red: ")
    assert lines[0].endswith(" of 10000 tokens, counted by an estimate that is meant to be high")
    told = json.loads(shown(ace, task, "--json"))
    assert sum(told["tokens_by"].values()) == told["tokens"] < told["budget"] == 10_000
    assert list(told["tokens_by"]) == ["instructions", "playbook", "question", "framing"]
    assert told["left_out"] == [] and len(told["bullets"]) == len(LINES)
    assert f"playbook      {told['tokens_by']['playbook']}  12 bullets" in lines


def test_what_there_is_no_room_for_is_named_with_the_reason(ace: Ace, task: Path) -> None:
    oldest = shown(ace, task, "--budget", "110", "--select", "oldest").partition("\n\nLeft out:\n")[2]
    assert oldest.splitlines()[-1].startswith("b-11  needs ")
    hybrid = shown(ace, task, "--budget", "110").partition("\n\nLeft out:\n")[2]
    assert " for this question: no room" in hybrid


def test_nothing_is_lost_however_small_the_budget(ace: Ace, task: Path) -> None:
    for budget in (50, 80, 110, 140):
        told = json.loads(shown(ace, task, "--budget", str(budget), "--json"))
        assert told["tokens"] <= budget
        names = [
            *told["bullets"],
            *(i["label"] for i in told["items"]),
            *(i["source"] for i in told["left_out"]),
        ]
        assert sorted(names) == sorted(f"b-{number}" for number in range(12))


def test_the_prompt_itself(ace: Ace, task: Path) -> None:
    out = shown(ace, task, "--text", "--version", "2")
    assert out.startswith("=== system\nAnswer by number.\n\nWhat you have learned about this task; use it:\n")
    assert out.endswith("- colour 0 means 0\n- colour 1 means 1\n\n=== user\nWhat about red?\n")
    assert "[b-0] colour 0" in shown(ace, task, "--text", "--cite")


def test_counted_as_a_model_does(ace: Ace, task: Path) -> None:
    told = json.loads(shown(ace, task, "--json", "--model", "openai/gpt-4.1-mini"))
    assert told["counter"] == "openai/gpt-4.1-mini"
    assert told["tokens"] < json.loads(shown(ace, task, "--json"))["tokens"]


def test_before_anything_was_learned(ace: Ace, task: Path) -> None:
    Path("colours.db").unlink()
    assert json.loads(shown(ace, task, "--json"))["bullets"] == []
    assert not Path("colours.db").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample", "test-rde"], "has no sample 'test-rde'. It has test-red, "),
        (["--sample", "test-red", "--budget", "20"], "budget of a prompt is 20. Give a budget well above "),
        (["--sample", "test-red", "--playbook", "none.db"], "none.db"),
        (["--sample", "test-red", "--version", "99"], "99"),
        (["--sample", "test-red", "--model", "nobody/nothing"], "No provider serves"),
    ],
)
def test_what_cannot_be_shown_is_said(ace: Ace, task: Path, options: list[str], message: str) -> None:
    done = ace("context", "show", task, *options)
    assert done.code in (1, 2) and message in done.err and done.out == ""
