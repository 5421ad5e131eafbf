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


AGENT = """\
import json, os, sys
asked = json.load(sys.stdin)
if sys.argv[1:] == ["crash"]:
    sys.exit("no such library")
if sys.argv[1:] == ["hang"]:
    import time
    time.sleep(60)
print(json.dumps({"answer": f"{asked['question']} {asked['context']!r} {os.environ['WHERE']}"}))
"""


def give_agent(folder: Path, words: str = "", more: str = "") -> None:
    (folder / "agent.py").write_text(AGENT, encoding="utf-8")
    solver = f'[solver]\nkind = "command"\ncommand = ["python3", "agent.py"{words}]\n{more}\n'
    (folder / "task.toml").write_text(f"{TASK}\n{solver}", encoding="utf-8")


def test_check_starts_a_command_once(ace: Ace, tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "here")
    give_agent(tasks / "capitals", more='env = ["WHERE"]')
    done = ace("tasks", "check", "capitals")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "Agent: python3 agent.py answered sample a: France? '' here"
    trial = json.loads(ace("tasks", "check", "capitals", "--json").out)["agent"]
    assert trial["attempt"]["answer"] == "France? '' here" and not trial["lacks_model"]


@pytest.mark.parametrize(
    ("words", "more", "problem"),
    [
        (', "crash"', "", "it ended with exit code 1: no such library"),
        (', "hang"', "seconds = 1", "it took more than 1 s and was stopped"),
        ("", "", "KeyError: 'WHERE'"),
    ],
)
def test_check_says_why_a_command_fails(ace: Ace, tasks: Path, words: str, more: str, problem: str) -> None:
    give_agent(tasks / "capitals", words, more)
    done = ace("tasks", "check", "capitals")
    assert done.code == 2
    assert "Agent: sample a failed: AgentFailed: python3 agent.py" in done.out and problem in done.out


def test_check_says_that_a_command_had_no_model(ace: Ace, tasks: Path) -> None:
    give_agent(tasks / "capitals", more='env = ["ACE_MODEL_URL"]')
    done = ace("tasks", "check", "capitals")
    assert done.code == 0 and "It was offered no model" in done.out


def test_check_says_that_a_class_was_not_tried(ace: Ace, tasks: Path) -> None:
    mine = "class Mine:\n    def solve(self, sample, context, workspace, draw):\n        raise LookupError\n"
    (tasks / "capitals" / "mine.py").write_text(mine, encoding="utf-8")
    (tasks / "capitals" / "task.toml").write_text(f'{TASK}\n[solver]\nkind = "mine:Mine"\n', encoding="utf-8")
    done = ace("tasks", "check", "capitals")
    assert done.code == 0 and "The agent was not tried" in done.out
