"""A reader that stops reading, as `| head -1` does: no traceback, no message, the command's exit code."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ace.cli import history_commands
from ace.cli.main import run
from ace.playbook import Add
from ace.store import Store
from tests.pace import patience

ROOT = Path(__file__).parent.parent
ACE = (sys.executable, "-c", "from ace.cli.main import main; main()")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """More than a pipe holds, so that the writer notices."""
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        adds = tuple(Add(f"b-{number}", "notes", "text " * 50) for number in range(1000))
        store.commit(adds, author="user", reason="r")
    return path


def closed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        command = [*ACE, *map(str, arguments)]
        return subprocess.run(
            command, stdout=theirs, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
        )
    finally:
        os.close(theirs)


@pytest.mark.parametrize("command", ["show", "log", "verify", "export"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_command_ends_well_when_nobody_reads(file: Path, command: str, form: str) -> None:
    done = closed("playbook", command, "--playbook", file, *(["--json"] if form == "json" else []))
    assert (done.returncode, done.stderr) == (0, "")


def test_head_gets_its_line(file: Path) -> None:
    show = [*ACE, "playbook", "show", "--playbook", str(file)]
    with subprocess.Popen(
        show, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().strip()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(patience(60))) == ("", 0)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["playbook", "merge", "--help"]])
def test_help_too(arguments: list[str]) -> None:
    done = closed(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_went_wrong_keeps_its_exit_code_and_message(file: Path, tmp_path: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("UPDATE versions SET reason = 'other' WHERE number = 1")
    assert closed("playbook", "verify", "--playbook", file).returncode == 1
    missing = closed("playbook", "show", "--playbook", tmp_path / "missing.db")
    assert missing.returncode == 1 and "There is no playbook" in missing.stderr


def test_a_change_is_made_although_nobody_reads_of_it(file: Path) -> None:
    assert closed("playbook", "tag", "prod", "1", "--playbook", file).returncode == 0
    with Store.open(file) as store:
        assert [(tag.name, tag.version) for tag in store.tags()] == [("prod", 1)]


def test_a_message_that_nobody_reads_changes_no_exit_code(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [*ACE, "playbook", "show", "--playbook", str(tmp_path / "missing.db")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=ROOT, check=False)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (1, "")


def test_another_broken_pipe_is_a_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Store:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(history_commands, "open_to_read", broken)
    monkeypatch.setattr(sys, "argv", ["ace", "playbook", "log", "--playbook", str(file)])
    assert run() == 1
    assert "A connection to another process was closed." in capsys.readouterr().err
