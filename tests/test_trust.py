"""Code of a task folder from elsewhere runs when somebody has said so, and not before."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ace.errors import InputError, TaskError, UntrustedCode
from ace.task import load_task
from ace.task.trust import project_roots
from tests.cli import Ace

RAN = "code of the folder ran"
OWN = f"""
from ace.task import Attempt, Outcome
print({RAN!r})
class Own:
    def __init__(self, *given): ...
    def describe(self, sample): return ""
    def score(self, sample, attempt): return Outcome(score=1.0)
    def check(self, sample): ...
    def solve(self, sample, context, workspace, draw): return Attempt(sample.id, "x")
"""
KINDS = {
    "environment": 'environment = "own:Own"\n[data]\ntrain = "t.jsonl"\n',
    "an installed environment": 'environment = "subprocess:Popen"\n[data]\ntrain = "t.jsonl"\n',
    "solver": 'environment = "answer"\n[data]\ntrain = "t.jsonl"\n[solver]\nkind = "own:Own"\n',
    "command": 'environment = "answer"\n[data]\ntrain = "t.jsonl"\n'
    '[solver]\nkind = "command"\ncommand = ["python3", "own.py"]\n',
}


def write(folder: Path, kind: str = "environment", code: str = OWN) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "task.toml").write_text('name = "x"\n' + KINDS[kind])
    (folder / "t.jsonl").write_text(json.dumps({"id": "a", "question": "q?", "answer": "b"}))
    (folder / "own.py").write_text(code)
    return folder


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere") / "task"


@pytest.fixture(autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("config") / "ace"
    monkeypatch.setenv("ACE_CONFIG", str(folder))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_code_from_elsewhere_is_refused_and_not_run(
    elsewhere: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UntrustedCode, match=r"task\.toml \[\S+\]: .* is code of this task.*--trust"):
        load_task(write(elsewhere, kind))
    assert RAN not in capsys.readouterr().out
    if "installed" not in kind:
        assert load_task(elsewhere, trust=True).name == "x"


def test_a_task_without_code_needs_no_trust(elsewhere: Path) -> None:
    write(elsewhere)
    (elsewhere / "task.toml").write_text('name = "x"\nenvironment = "answer"\n[data]\ntrain = "t.jsonl"\n')
    assert load_task(elsewhere).name == "x"


def test_code_of_the_project_is_run(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(elsewhere)
    monkeypatch.chdir(elsewhere.parent)
    assert load_task("task").name == "x"
    (elsewhere.parent / ".git").mkdir()
    (elsewhere.parent / "below").mkdir()
    monkeypatch.chdir(elsewhere.parent / "below")
    assert load_task(elsewhere).name == "x"


def test_a_link_in_the_project_does_not_make_it_the_projects(
    elsewhere: Path, tmp_path: Path, ace: Ace
) -> None:
    (tmp_path / "linked").symlink_to(write(elsewhere))
    assert "--trust" in ace("tasks", "check", "linked").err


def test_the_whole_system_is_no_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for place in ("/", tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(place)
        assert project_roots() == set()


def test_what_was_trusted_is_remembered_until_it_changes(
    elsewhere: Path, config: Path, tmp_path: Path, ace: Ace
) -> None:
    write(elsewhere)
    refused = ace("tasks", "check", elsewhere)
    assert (refused.code, refused.out) == (TaskError.exit_code, "") and "--trust" in refused.err
    assert not config.exists()
    assert RAN in ace("tasks", "check", elsewhere, "--trust").out
    assert ace("tasks", "check", elsewhere).code == 0
    assert load_task(elsewhere).name == "x"
    for name, content in (("own.py", OWN + "#"), ("helper.py", "x = 1"), ("task.toml", None)):
        file = elsewhere / name
        file.write_text(content if content is not None else file.read_text() + "\n")
        assert ace("tasks", "check", elsewhere).code == TaskError.exit_code
        assert ace("tasks", "check", elsewhere, "--trust").code == 0
    copy = write(tmp_path.parent / f"{tmp_path.name}-copy")
    assert "--trust" in ace("tasks", "check", copy).err


def test_a_command_is_asked_about_again_when_its_file_changes(elsewhere: Path, ace: Ace) -> None:
    write(elsewhere, "command")
    toml = (elsewhere / "task.toml").read_text().replace('"python3", "own.py"', '"sh", "run.sh"')
    (elsewhere / "task.toml").write_text(toml)
    (elsewhere / "run.sh").write_text("echo hello")
    assert ace("tasks", "check", elsewhere, "--trust").code == 0
    assert ace("tasks", "check", elsewhere).code == 0
    (elsewhere / "run.sh").write_text("echo other")
    assert "sh run.sh is code of this task" in ace("tasks", "check", elsewhere).err


@pytest.mark.parametrize(("reply", "code"), [(True, 0), (False, TaskError.exit_code)])
def test_a_person_is_asked_once(
    elsewhere: Path, ace: Ace, monkeypatch: pytest.MonkeyPatch, reply: bool, code: int
) -> None:
    questions = []

    def ask(question: str, **_: object) -> bool:
        questions.append(question)
        return reply

    write(elsewhere)
    monkeypatch.setattr("typer.confirm", ask)
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("ace.cli.options.sys.stderr.isatty", lambda: True)
    for _ in range(2):
        assert ace("tasks", "check", elsewhere).code == code
    assert len(questions) == (1 if reply else 2) and "own:Own is code of this task" in questions[0]


def test_a_list_runs_nothing(elsewhere: Path, ace: Ace) -> None:
    write(elsewhere)
    done = ace("tasks", "list", elsewhere.parent)
    assert done.code == 0 and RAN not in done.out and "--trust" in done.out


def test_a_damaged_memory_of_trust_is_named(elsewhere: Path, config: Path) -> None:
    config.mkdir()
    for content in ("{", "[]"):
        (config / "trusted.json").write_text(content)
        with pytest.raises(InputError, match="Remove it"):
            load_task(write(elsewhere))
    (config / "trusted.json").unlink()
    os.mkfifo(config / "trusted.json")
    with pytest.raises(InputError, match="it is a pipe"):
        load_task(write(elsewhere))


@pytest.mark.parametrize("kind", ["environment", "solver"])
@pytest.mark.parametrize("code", ["raise SystemExit(0)", OWN + "\n    x = exit(0)", "import sys; sys.exit()"])
def test_code_that_ends_the_process_is_an_error(elsewhere: Path, kind: str, code: str, ace: Ace) -> None:
    done = ace("tasks", "check", write(elsewhere, kind, code), "--trust")
    assert done.code == TaskError.exit_code and "SystemExit" in done.err


def test_a_check_that_ends_the_process_is_a_problem(elsewhere: Path, ace: Ace) -> None:
    write(elsewhere, code=OWN.replace("check(self, sample): ...", "check(self, sample): raise SystemExit(0)"))
    done = ace("tasks", "check", elsewhere, "--trust")
    assert done.code == TaskError.exit_code and "cannot check it (SystemExit" in done.out
