"""What somebody gives that cannot be used is said with its name, why, and what to give instead."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import ace
from ace import api
from ace.errors import AgentFailed, InputError, ModelUnavailable, TaskError
from ace.task import define_task
from ace.testing import World
from tests.cli import Ace

ROWS = [{"id": "1", "question": "a?", "answer": "x"}, {"id": "2", "question": "b?", "answer": "x"}]
TASK_TOML = 'name = "t"\nenvironment = "answer"\n[data]\ntrain = "train.jsonl"\n'


def write_task(folder: Path, rows: str, more: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "task.toml").write_text(TASK_TOML + more)
    (folder / "train.jsonl").write_text(rows)
    return folder


def test_functions_take_paths_of_tasks_and_playbooks(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t", '{"id": "1", "question": "a?", "answer": "x"}\n')
    report = ace.learn(folder, tmp_path / "p.db", World(generator=lambda request: "x"))
    assert report.task == "t" and "ace learn" not in str(report) and "no test questions" in str(report)
    scored = ace.evaluate(str(folder), str(tmp_path / "p.db"), World(), split="train")
    assert "of version 0" in str(scored)
    assert [run["kind"] for run in ace.list_runs(tmp_path / "p.db").rows()] == ["learn", "eval"]
    assert ace.as_context(tmp_path / "p.db") == ""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda task: ace.learn(task, 7, World()), ("store is no playbook: 7", "ace.open_playbook")),
        (lambda task: ace.learn(7, "p.db", World()), ("task is no task: 7", "ace.define_task")),
        (lambda task: ace.as_context("nope.db"), ("no playbook at nope.db",)),
        (lambda task: ace.as_context("nope.db", budget=-1), ("budget is -1", "at least 0")),
        (lambda task: ace.learner("p.db", None, nam="x"), ("`learner` takes no setting 'nam'", "name")),
        (lambda task: ace.define_task("t", [{"id": 1, "q": "?"}], "exact"), ("no 'question'", "id, q")),
        (lambda task: ace.define_task("t", "rows.jsonl", "exact"), ("found 'r'", "to_dict")),
    ],
)  # fmt: skip
def test_what_is_no_task_and_no_playbook_is_named(
    ace_folder: Path, call: Any, words: tuple[str, ...]
) -> None:
    task = ace.define_task("t", ROWS, "exact")
    with pytest.raises(ace.AceError) as error:
        call(task)
    assert all(word in str(error.value) for word in words), error.value
    assert not list(ace_folder.iterdir())


@pytest.fixture
def ace_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("answer", "scorer", "right"), [(7, "numeric", 7), ({"a": 1}, "json", {"a": 1})])
def test_an_agent_may_return_a_number_or_json(store: ace.Store, answer: Any, scorer: str, right: Any) -> None:
    rows = [{"id": "1", "question": "a?", "answer": right}]
    task = ace.define_task("t", rows, scorer, agent=lambda question, context: answer)
    report = ace.evaluate(task, store, World(), split="train")
    assert report.after and report.after.correct == 1


def test_output_of_a_command_that_is_not_utf8_is_no_answer(ace: Ace) -> None:
    folder = write_task(
        Path("t"),
        '{"id": "1", "question": "a?", "answer": "x"}\n',
        '[solver]\nkind = "command"\ncommand = ["python3", "agent.py"]\n',
    )
    (folder / "agent.py").write_text("import sys\nsys.stdout.buffer.write('R\\u00fcck'.encode('latin-1'))\n")
    done = ace(
        "eval", "t", "--split", "train", "--trust", "--model", "openai/x", "--api-base", "http://127.0.0.1:1"
    )
    assert "the first at sample 1: AgentFailed: python3 agent.py: what it wrote is not UTF-8" in done.out


def test_contradicting_labels_are_named_by_the_check(ace: Ace) -> None:
    rows = '{"id": 1, "question": "A b?", "answer": "x"}\n{"id": 2, "question": "a  B", "answer": "y"}\n'
    write_task(Path("t"), rows)
    done = ace("tasks", "check", "t")
    assert done.code == 0
    assert "note: t/train.jsonl:2 asks the same as t/train.jsonl:1, and another answer is right." in done.out


def test_a_refused_command_makes_no_playbook(ace: Ace) -> None:
    write_task(Path("t"), '{"id": "1", "question": "a?", "answer": "x"}\n')
    done = ace("learn", "t", "--playbook", "new.db", "--resume")
    assert done.code == 2 and "no playbook new.db" in done.err and not Path("new.db").exists()
    Path("rows.csv").write_text("a,b\n1,2\n")
    served = ace("mcp", "rows.csv")
    assert served.code == 1 and "rows.csv is not a playbook file" in served.err


def test_feedback_cannot_be_right_and_wrong(ace: Ace) -> None:
    done = ace("feedback", "ep-1", "--right", "--wrong")
    assert done.code == 2 and "--right or --wrong" in done.err


def test_a_message_and_what_to_do_are_two_sentences() -> None:
    assert str(AgentFailed("it said: boom", hint="Try again.")) == "it said: boom. Try again."
    assert str(InputError("No such file.", hint="Look.")) == "No such file. Look."
    assert str(TaskError("It said: boom", file="a.toml")) == "a.toml: It said: boom"


def test_a_missing_key_says_how_to_set_it(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write_task(Path("t"), '{"id": "1", "question": "a?", "answer": "x"}\n')
    done = ace("learn", "t", "--model", "openai/gpt-4.1-mini")
    assert done.code == 2 and "export OPENAI_API_KEY=..." in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("learn", "t"),
        ("online", "t"),
        ("eval", "t", "--split", "train"),
        ("memory", "extract", "talk.jsonl", "--playbook", "new.db"),
        ("mcp", "new.db"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    "words", [("nobody/nothing",), ("openai/gpt-4.1-mini",), ("local/nothing",)], ids=lambda words: words[0]
)
def test_a_model_that_cannot_be_had_leaves_nothing_behind(
    ace: Ace, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], words: tuple[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write_task(Path("t"), '{"id": "1", "question": "a?", "answer": "x"}\n')
    talk = {
        "id": "c",
        "user": "ann",
        "time": "2026-01-02",
        "messages": [{"role": "user", "content": "I live in Bath."}],
    }
    Path("talk.jsonl").write_text(json.dumps(talk))
    before = sorted(Path().rglob("*"))
    done = ace(*command, "--model", *words)
    assert done.code == 2 and words[0].removeprefix("local/") in done.err
    assert sorted(Path().rglob("*")) == before


def test_a_role_whose_model_cannot_be_had_leaves_nothing_behind(ace: Ace) -> None:
    write_task(Path("t"), '{"id": "1", "question": "a?", "answer": "x"}\n')
    done = ace(
        "learn", "t", "--model", "openai/m", "--api-base", "http://127.0.0.1:1", "--reflector-model", "x"
    )
    assert done.code == 2 and "'x'" in done.err and not list(Path().glob("*.db*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_with_the_file_and_what_to_do(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    with ace_playbook("p.db"):
        pass

    def fail(handle: int) -> None:
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")

    monkeypatch.setattr("os.fsync", fail)
    done = ace("playbook", "export", "out.md", "--playbook", "p.db")
    assert done.code == 1
    assert "out.md: No space left on device. Free some space" in done.err
    missing = ace("playbook", "import", "nope.md", "--playbook", "p.db")
    assert (
        missing.code == 2 and "cannot read nope.md: No such file or directory. Check the path" in missing.err
    )


def ace_playbook(path: str) -> ace.Store:
    return ace.open_playbook(path)


def test_a_run_that_failed_says_why(ace: Ace) -> None:
    def agent(question: str, context: str) -> str:
        raise LookupError("no such table, key sk-ant-api03-0123456789abcdefghijABCDEFGHIJ")

    task = define_task("t", ROWS, "exact", agent=agent)
    with pytest.raises(ModelUnavailable):
        api.learn(task, "p.db", World())
    for command in (("runs", "show"), ("watch",), ("runs", "show", "--json")):
        text = ace(*command, "--playbook", "p.db").out
        assert "no such table" in text and "sk-ant" not in text
    assert ace("report", "--playbook", "p.db", "--out", "page").code == 0
