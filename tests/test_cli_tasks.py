"""`ace tasks`: task folders are found and checked, and a broken one says where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import Ace

TASK = """\
name = "capitals"
environment = "answer"
instructions = "Answer with one word."

[data]
train = "train.jsonl"
test = "test.jsonl"
"""


@pytest.fixture
def tasks(ace: Ace) -> Path:
    """One good task and one whose data is not JSON."""
    for name in ("capitals", "broken"):
        folder = Path("tasks") / name
        folder.mkdir(parents=True)
        (folder / "task.toml").write_text(TASK.replace("capitals", name), encoding="utf-8")
        write(folder / "train.jsonl", {"id": "a", "question": "France?", "answer": "Paris"})
        write(folder / "test.jsonl", {"id": "b", "question": "Spain?", "answer": "Madrid"})
    (Path("tasks") / "broken" / "test.jsonl").write_text("{nonsense", encoding="utf-8")
    return Path("tasks")


def write(file: Path, row: dict[str, str]) -> None:
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")


def test_list_shows_sizes_and_what_is_broken(ace: Ace, tasks: Path) -> None:
    broken, capitals, *_ = ace("tasks", "list").out.splitlines()
    assert "test.jsonl:1" in broken
    assert capitals.endswith("capitals  1 train, 0 val, 1 test")
    found = json.loads(ace("tasks", "list", "--json").out)["tasks"]
    assert [bool(task["problem"]) for task in found] == [True, False]


@pytest.mark.parametrize("name", ["capitals", "tasks/capitals"])
def test_check_a_good_task_by_name_or_path(ace: Ace, tasks: Path, name: str) -> None:
    done = ace("tasks", "check", name)
    assert (done.code, done.out) == (
        0,
        "capitals: 1 train, 0 val, 1 test. Every sample can be used.\n"
        "Gold answers: 2 of 2 right.\nDoing nothing: 0 of 2.\n",
    )


def test_check_says_where_a_row_is_wrong(ace: Ace, tasks: Path) -> None:
    done = ace("tasks", "check", "broken")
    assert done.code == 2
    assert "test.jsonl:1" in done.err


def test_check_lists_problems_between_samples(ace: Ace, tasks: Path) -> None:
    write(tasks / "capitals" / "test.jsonl", {"id": "b", "question": "France?", "answer": "Paris"})
    done = ace("tasks", "check", "capitals", "--json")
    assert done.code == 2
    assert len(json.loads(done.out)["problems"]) == 1
