"""What a shell completes: asked as a shell asks, and without anything heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from ace.cli import completion
from ace.llm import list_models
from ace.playbook import Add
from ace.store import Store
from ace.task.new_task.read_rows import READERS
from tests.cli import Ace
from tests.test_architecture import HEAVY, ROOT
from tests.world import write_world


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ace: Ace) -> object:
    """Completes the last word of a line in a folder with a task and a playbook."""
    write_world(tmp_path / "colours")
    (tmp_path / "tasks").mkdir()
    write_world(tmp_path / "tasks" / "shop")
    with Store.open("p.db") as store:
        store.commit(
            (Add("b-one", "facts", "One."), Add("b-two", "facts", "Two.")), author="user", reason="r"
        )
        store.start_run("learn", "shop", {"models": {"generator": "openai/mine"}})
    Path("p.study.db").touch()
    Path("rows.csv").touch()
    Path("notes.txt.bak").touch()

    def run(line: str) -> list[str]:
        monkeypatch.setenv("_ACE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        done = ace()
        assert done.code == 0 and done.err == ""
        return done.out.split()

    return run


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ace wat", ["watch"]),
        ("ace learn ", ["shop", "colours", "tasks/"]),
        ("ace learn tasks/", ["tasks/shop"]),
        ("ace init r", ["rows.csv"]),
        ("ace learn shop --model local/s", ["local/smollm2-135m"]),
        ("ace learn shop --model openai/m", ["openai/mine"]),
        ("ace learn shop --playbook p", ["p.db"]),
        ("ace playbook show b-t", ["b-two"]),
        ("ace playbook show --playbook p.db b-", ["b-one", "b-two"]),
        ("ace runs show ", ["1"]),
        ("ace watch ", ["colours/", "p.db", "tasks/", "1"]),
        ("ace playbook show --playbook nowhere.db b", []),
    ],
)
def test_what_is_offered(line: str, offered: list[str], complete: object) -> None:
    assert complete(line) == offered  # type: ignore[operator]


def test_the_local_models_are_those_that_are_known() -> None:
    local = [name for name, _ in completion.MODELS if name.startswith("local/")]
    assert local == [model.name for model in list_models()]


def test_the_tables_are_those_that_are_read() -> None:
    assert sorted(completion.TABLE_ENDINGS) == sorted(READERS)


def test_asking_imports_nothing_heavy_and_the_script_is_shown(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        store.commit((Add("b-one", "facts", "One."),), author="user", reason="r")
    program = f"""
import atexit, sys
atexit.register(lambda: sys.stderr.write(repr(sorted({HEAVY | {"rich.progress"}!r} & set(sys.modules)))))
sys.argv = ["ace"]
from ace.cli.main import main
main()
"""
    line = {"COMP_WORDS": "ace playbook show b", "COMP_CWORD": "3", "_ACE_COMPLETE": "complete_bash"}
    command = [sys.executable, "-c", program]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment | line, check=True
    )
    assert (done.stdout, done.stderr) == ("b-one\n", "[]")


def test_the_script_of_a_shell_is_shown(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    # The variable counts when the options are read.
    monkeypatch.setattr(typer.main, "get_command", typer.main.get_command.__wrapped__)  # type: ignore[attr-defined]
    done = ace("--show-completion", "bash")
    assert done.code == 0 and "_ace_completion" in done.out and "_ACE_COMPLETE=complete_bash" in done.out
